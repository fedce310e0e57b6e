//! `DEBUG DIGEST`: the same digest as that of a Redis which holds the same keys. This module must
//! never depend on the order of the keys.

use crate::command::Reply;
use crate::keyspace::{End, Id, Item, Value, format_double};
use crate::limits::DATABASES;
use crate::machine::Machine;
use sha1::{Digest, Sha1};

type Sum = [u8; 20];

/// Redis's numbers of types.
const STRING: u32 = 0;
const LIST: u32 = 1;
const SET: u32 = 2;
const SORTED_SET: u32 = 3;
const HASH: u32 = 4;
const STREAM: u32 = 6;

/// Adds what may come in any order.
fn add(sum: &mut Sum, bytes: &[u8]) {
    let hash: Sum = Sha1::digest(bytes).into();
    sum.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
}

/// Adds what has its place.
fn mix(sum: &mut Sum, bytes: &[u8]) {
    add(sum, bytes);
    *sum = Sha1::digest(*sum).into();
}

fn add_value(sum: &mut Sum, item: &Item) {
    match &item.value {
        Value::String(value) => {
            mix(sum, &STRING.to_be_bytes());
            mix(sum, &value.to_blob());
        }
        Value::Set(set) => {
            mix(sum, &SET.to_be_bytes());
            set.iter().for_each(|member| add(sum, &member.to_blob()));
        }
        Value::List(list) => {
            mix(sum, &LIST.to_be_bytes());
            list.iter_from(End::Left).for_each(|element| mix(sum, &element.to_blob()));
        }
        Value::SortedSet(set) => {
            mix(sum, &SORTED_SET.to_be_bytes());
            for (member, score) in set.iter() {
                let mut pair = Sum::default();
                mix(&mut pair, &member.to_blob());
                mix(&mut pair, format_double(score).as_bytes());
                add(sum, &pair);
            }
        }
        Value::Hash(hash) => {
            mix(sum, &HASH.to_be_bytes());
            for (field, value) in hash.iter() {
                let mut pair = Sum::default();
                mix(&mut pair, &field.to_blob());
                mix(&mut pair, &value.to_blob());
                add(sum, &pair);
            }
        }
        Value::Stream(stream) => {
            mix(sum, &STREAM.to_be_bytes());
            for entry in stream.range(Id::MIN, Id::MAX) {
                mix(sum, format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for (field, value) in entry.fields() {
                    mix(sum, &field.to_blob());
                    mix(sum, &value.to_blob());
                }
            }
        }
    }
    if item.deadline_ms != 0 {
        add(sum, b"!!expire!!");
    }
}

fn text(sum: Sum) -> Reply {
    Reply::Simple(sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

/// Of everything.
pub fn of_all(machine: &Machine) -> Reply {
    let mut all = Sum::default();
    for db in (0..DATABASES).filter(|&db| machine.keyspace().len(db) > 0) {
        mix(&mut all, &(db as u32).to_be_bytes());
        machine.keyspace().scan(db, 0, usize::MAX, |key, item| {
            let mut sum = Sum::default();
            mix(&mut sum, key);
            add_value(&mut sum, item);
            add(&mut all, &sum);
        });
    }
    text(all)
}

/// Of the values of some keys, those included whose deadline has passed.
pub fn of_values(machine: &Machine, db: usize, keys: &[&[u8]]) -> Reply {
    let digest = |key: &&[u8]| {
        let mut sum = Sum::default();
        if let Some(item) = machine.keyspace().get(db, key, 0) {
            add_value(&mut sum, item);
        }
        text(sum)
    };
    Reply::Array(keys.iter().map(digest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::units::{Units, put_command_unit};

    /// What a redis-server 7.0.15 answers after the same commands.
    #[test]
    fn it_is_what_redis_computes() {
        let mut machine = Machine::new();
        assert_eq!(of_all(&machine), Reply::simple("0000000000000000000000000000000000000000"));
        let mut body = Vec::new();
        for (db, call) in [(0, "SET k v"), (0, "SET n 12"), (1, "SET k v"), (0, "PEXPIREAT n 99999999999999")]
        {
            let args: Vec<&[u8]> = call.split(' ').map(str::as_bytes).collect();
            put_command_unit(&mut body, &args, db);
        }
        machine.begin_entry(1, 1_700_000_000_000);
        for unit in Units::new(&body) {
            assert!(!machine.execute(&unit.expect("it was written above")).is_error());
        }
        assert_eq!(of_all(&machine), Reply::simple("4b0c5856f36a9a9f5aadcbb8c4bc3effdf0a2e90"));
        let each = [
            Reply::simple("d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f"),
            Reply::simple("83df3a94c43338a2db2a05ddb5dbb794b842c619"),
            Reply::simple("0000000000000000000000000000000000000000"),
        ];
        assert_eq!(of_values(&machine, 0, &[b"k", b"n", b"missing"]), Reply::Array(each.into()));
    }
}
