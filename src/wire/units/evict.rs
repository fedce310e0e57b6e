//! [`Unit::Evict`], written and read. Why these keys and no others must never matter here.

use super::{EVICT, Unit, database, put_wrapped};
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_len_field, put_varint_field};

/// A key that goes unless it was changed: see `entry.Victim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Victim<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Of its last change, as far as whoever chose it knows.
    pub revision: u64,
    /// The key's database.
    pub db: u32,
}

/// Appends keys that are to go to a body.
pub fn put_evict_unit<'a>(out: &mut Vec<u8>, victims: impl IntoIterator<Item = Victim<'a>>) {
    let (mut inner, mut bytes) = (Vec::new(), Vec::new());
    for victim in victims {
        bytes.clear();
        put_len_field(&mut bytes, 1, victim.key.len());
        bytes.extend_from_slice(victim.key);
        for (field, value) in [(2, victim.revision), (3, u64::from(victim.db))] {
            if value != 0 {
                put_varint_field(&mut bytes, field, value);
            }
        }
        put_len_field(&mut inner, 1, bytes.len());
        inner.extend_from_slice(&bytes);
    }
    put_wrapped(out, EVICT, &[&inner]);
}

pub(super) fn read_evict(mut bytes: &[u8]) -> Result<Unit<'_>, WireError> {
    let mut victims = Vec::new();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "evict")? {
            (1, value) => victims.push(read_victim(value.bytes("victim")?)?),
            _ => return Err(WireError::new("evict")),
        }
    }
    Ok(Unit::Evict(victims))
}

fn read_victim(mut bytes: &[u8]) -> Result<Victim<'_>, WireError> {
    let mut victim = Victim::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "victim")? {
            (1, value) => victim.key = value.bytes("victim")?,
            (2, value) => victim.revision = value.varint("victim")?,
            (3, value) => victim.db = database(value.varint("victim")?)?,
            _ => return Err(WireError::new("victim")),
        }
    }
    Ok(victim)
}
