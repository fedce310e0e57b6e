//! Pieces of long collections of a copy, as replicas of Redis's protocol are told of them: by the commands that add
//! their elements. A whole that is too long for one entry here is too long for one command there.

use crate::keyspace::{Blob, End, Keyspace, Value, format_double, rdb};
use crate::wire::units::LoadedKey;

/// Arguments of one command, besides its name and the key.
const MOST_ARGS: usize = 2048;

/// Tells of a piece that was added to what its key has.
pub(super) fn propagate(keyspace: &mut Keyspace, piece: &LoadedKey<'_>) {
    let Ok(value) = rdb::value_of(piece.value, &keyspace.forms()) else { return };
    let (name, args) = match value {
        Value::Hash(hash) => {
            let pairs = hash.iter().flat_map(|(field, value)| [field.to_blob(), value.to_blob()]);
            ("HSET", pairs.collect::<Vec<_>>())
        }
        Value::Set(set) => ("SADD", set.iter().map(|member| member.to_blob()).collect()),
        Value::List(list) => ("RPUSH", list.iter_from(End::Left).map(|it| it.to_blob()).collect()),
        Value::SortedSet(set) => {
            let pairs = set
                .iter()
                .flat_map(|(member, score)| [Blob::new(format_double(score).as_bytes()), member.to_blob()]);
            ("ZADD", pairs.collect())
        }
        // They never come in pieces.
        Value::String(_) | Value::Stream(_) => return,
    };
    for some in args.chunks(MOST_ARGS) {
        let head = [name.as_bytes(), piece.key];
        let call: Vec<&[u8]> = head.into_iter().chain(some.iter().map(|arg| &**arg)).collect();
        keyspace.propagate(piece.db as usize, &call);
    }
}
