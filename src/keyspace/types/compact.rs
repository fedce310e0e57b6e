//! [`Compact`]: up to where collections are kept in their compact forms. Redis's parameters, by Redis's
//! names; here they are the whole cluster's, for `OBJECT ENCODING` is part of the state.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compact {
    pub hash_max_listpack_entries: usize,
    pub hash_max_listpack_value: usize,
    pub list_compress_depth: usize,
    /// Elements of a node of a list; negative: one of five sizes in bytes.
    pub list_max_listpack_size: i64,
    pub set_max_intset_entries: usize,
    pub stream_node_max_bytes: usize,
    pub stream_node_max_entries: usize,
    pub zset_max_listpack_entries: usize,
    pub zset_max_listpack_value: usize,
}

impl Default for Compact {
    fn default() -> Self {
        Self {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            list_compress_depth: 0,
            list_max_listpack_size: -2,
            set_max_intset_entries: 512,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
        }
    }
}

/// A parameter: its name, and its place.
type Row = (&'static str, fn(&mut Compact) -> Place<'_>);

enum Place<'a> {
    Size(&'a mut usize),
    Number(&'a mut i64),
}

const ROWS: [Row; 9] = [
    ("hash-max-listpack-entries", |it| Place::Size(&mut it.hash_max_listpack_entries)),
    ("hash-max-listpack-value", |it| Place::Size(&mut it.hash_max_listpack_value)),
    ("list-compress-depth", |it| Place::Size(&mut it.list_compress_depth)),
    ("list-max-listpack-size", |it| Place::Number(&mut it.list_max_listpack_size)),
    ("set-max-intset-entries", |it| Place::Size(&mut it.set_max_intset_entries)),
    ("stream-node-max-bytes", |it| Place::Size(&mut it.stream_node_max_bytes)),
    ("stream-node-max-entries", |it| Place::Size(&mut it.stream_node_max_entries)),
    ("zset-max-listpack-entries", |it| Place::Size(&mut it.zset_max_listpack_entries)),
    ("zset-max-listpack-value", |it| Place::Size(&mut it.zset_max_listpack_value)),
];

/// Names of Redis 6 and before.
const OLD_NAMES: [(&str, &str); 5] = [
    ("hash-max-ziplist-entries", "hash-max-listpack-entries"),
    ("hash-max-ziplist-value", "hash-max-listpack-value"),
    ("list-max-ziplist-size", "list-max-listpack-size"),
    ("zset-max-ziplist-entries", "zset-max-listpack-entries"),
    ("zset-max-ziplist-value", "zset-max-listpack-value"),
];

impl Compact {
    /// What a parameter is called now; the name itself if it was never called otherwise.
    pub fn name_now(name: &str) -> &str {
        OLD_NAMES.iter().find(|(old, _)| *old == name).map_or(name, |(_, now)| now)
    }

    /// Whether there is a parameter of this name, as it is called now.
    pub fn has(name: &str) -> bool {
        ROWS.iter().any(|(known, _)| *known == name)
    }

    /// All parameters with their values.
    pub fn pairs(mut self) -> Vec<(&'static str, String)> {
        let shown = |(name, place): &Row| {
            let value = match place(&mut self) {
                Place::Size(size) => size.to_string(),
                Place::Number(number) => number.to_string(),
            };
            (*name, value)
        };
        ROWS.iter().map(shown).collect()
    }

    /// Sets one, by the name that it has now. Whether there is such a one, and such a value of it.
    pub fn set(&mut self, name: &str, value: &[u8]) -> bool {
        let Some((_, place)) = ROWS.iter().find(|(known, _)| *known == name) else { return false };
        let Some(number) = crate::collections::parse_i64(value) else { return false };
        match place(self) {
            Place::Size(size) => usize::try_from(number).map(|number| *size = number).is_ok(),
            Place::Number(place) => {
                *place = number;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_shown_and_set_again() {
        let mut compact = Compact::default();
        assert!(compact.set("hash-max-listpack-entries", b"7") && compact.hash_max_listpack_entries == 7);
        assert!(compact.set(Compact::name_now("list-max-ziplist-size"), b"-5"));
        assert!(!compact.set("hash-max-listpack-entries", b"-1"), "a size");
        assert!(!compact.set("hash-max-listpack-entries", b"x") && !compact.set("hz", b"1"));
        let mut copy = Compact::default();
        assert!(compact.pairs().iter().all(|(name, value)| copy.set(name, value.as_bytes())));
        assert_eq!(copy, compact);
        assert_eq!((copy.hash_max_listpack_entries, copy.list_max_listpack_size), (7, -5));
    }
}
