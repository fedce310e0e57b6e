//! [`Value`]: what a key can hold. How a value is encoded in memory must never be
//! observable: two values are the same if a client cannot tell them apart.

use super::Blob;

/// A key's value. One variant a Redis type.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    String(StringValue),
}

/// A string.
#[derive(Debug, Clone)]
pub enum StringValue {
    /// The canonical decimal form of a number, as counters leave it.
    Int(i64),
    /// Bytes that are replaced as a whole.
    Blob(Blob),
    /// Bytes that are appended to: with spare capacity, so that n appends cost O(n).
    Growing(Box<Vec<u8>>),
}

/// Room for any `i64` in decimal.
pub(crate) type IntBytes = [u8; 20];

/// `n` in decimal, in `room`.
pub(crate) fn format_int(n: i64, room: &mut IntBytes) -> &[u8] {
    let mut rest = n.unsigned_abs();
    let mut start = room.len();
    loop {
        start -= 1;
        room[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        start -= 1;
        room[start] = b'-';
    }
    &room[start..]
}

impl Value {
    /// A string that copies `bytes`.
    pub fn string(bytes: &[u8]) -> Self {
        Self::String(StringValue::Blob(Blob::new(bytes)))
    }

    /// As `TYPE` names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
        }
    }
}

impl StringValue {
    /// The bytes, formatted into `room` if they are a number.
    pub(crate) fn bytes<'a>(&'a self, room: &'a mut IntBytes) -> &'a [u8] {
        match self {
            Self::Int(n) => format_int(*n, room),
            Self::Blob(blob) => blob,
            Self::Growing(bytes) => bytes,
        }
    }

    /// The bytes, to keep: shared where they can be.
    pub fn to_blob(&self) -> Blob {
        match self {
            Self::Blob(blob) => blob.clone(),
            other => Blob::new(other.bytes(&mut IntBytes::default())),
        }
    }

    /// Whether a client would read `bytes`.
    pub fn equals(&self, bytes: &[u8]) -> bool {
        self.bytes(&mut IntBytes::default()) == bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes(&mut IntBytes::default()).len()
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `tail`: amortized O(1) a byte.
    pub fn append(&mut self, tail: &[u8]) {
        self.grow(tail.len()).extend_from_slice(tail);
    }

    /// The bytes, to be changed in place, with room for `more`: copied only if they did not grow before.
    pub fn grow(&mut self, more: usize) -> &mut Vec<u8> {
        if !matches!(self, Self::Growing(_)) {
            let mut room = IntBytes::default();
            let head = self.bytes(&mut room);
            let mut copy = Vec::with_capacity(head.len() + more);
            copy.extend_from_slice(head);
            *self = Self::Growing(Box::new(copy));
        }
        let Self::Growing(bytes) = self else { unreachable!("it has just become one that grows") };
        bytes.reserve(more);
        bytes
    }

    /// The bytes, to be changed in place, with zeros behind them if there were fewer than `len`.
    pub fn grow_to(&mut self, len: usize) -> &mut Vec<u8> {
        let bytes = self.grow(len.saturating_sub(self.len()));
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_their_decimal_form() {
        for n in [0, 1, -1, 9, 10, -10, i64::MAX, i64::MIN, 1234567890123456789] {
            let value = StringValue::Int(n);
            assert!(value.equals(n.to_string().as_bytes()), "{n}");
            assert_eq!(value.len(), n.to_string().len());
            assert_eq!(*value.to_blob(), *n.to_string().as_bytes());
        }
    }

    #[test]
    fn appends_add_up_and_do_not_copy_all_each_time() {
        let mut value = StringValue::Int(-7);
        let mut model = b"-7".to_vec();
        let mut moves = 0;
        for i in 0..20_000u32 {
            let before = if let StringValue::Growing(bytes) = &value { bytes.as_ptr() } else { [].as_ptr() };
            value.append(&i.to_le_bytes()[..(i % 5) as usize]);
            model.extend_from_slice(&i.to_le_bytes()[..(i % 5) as usize]);
            let after = if let StringValue::Growing(bytes) = &value { bytes.as_ptr() } else { [].as_ptr() };
            moves += u32::from(before != after);
        }
        assert!(value.equals(&model));
        assert!(moves < 40, "{moves} reallocations");
    }
}
