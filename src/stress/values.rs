//! What clients write: values that no two operations share. A value is a tag, which says who wrote it
//! and how long it is, and what fills it up; the history has the tag alone, so that values of any
//! size can be recorded. A value of which a byte is wrong or missing must never pass for its tag.

use super::record::TOKEN_BYTES;

/// Between the tag and the rest.
const END_OF_TAG: u8 = b'|';
const FILLER: &[u8] = b"bowline.";

/// The tag of a client's `number`th value, which is to be `size_bytes` long (longer if the tag is).
pub fn tag(client: &str, number: u64, size_bytes: usize) -> String {
    format!("{client}-{number}-{size_bytes}")
}

/// The value of a tag.
pub fn value(tag: &str) -> Vec<u8> {
    let size_bytes = size_of(tag).unwrap_or(0);
    let mut value = tag.as_bytes().to_vec();
    if value.len() < size_bytes {
        value.push(END_OF_TAG);
        let rest = size_bytes - value.len();
        value.extend(FILLER.iter().cycle().take(rest));
    }
    value
}

fn size_of(tag: &str) -> Option<usize> {
    tag.rsplit_once('-')?.1.parse().ok()
}

/// What the history has of a value that was read: its tag, if it is whole; else all of it.
pub fn shorten(read: &[u8]) -> String {
    let text = String::from_utf8_lossy(read);
    let tag = text.split_once(char::from(END_OF_TAG)).map_or(&*text, |(tag, _)| tag);
    // Of a length that the tag promises, before a value of that length is made.
    let is_whole = size_of(tag).is_some_and(|size_bytes| read.len() == size_bytes.max(tag.len()));
    if is_whole && value(tag) == read { tag.to_owned() } else { text.into_owned() }
}

/// What a client appends for the `number`th time.
pub fn token(client: u64, number: u64) -> String {
    let token = format!("{client:05}-{number:09};");
    debug_assert_eq!(token.len(), TOKEN_BYTES, "places in a log are counted in tokens");
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_known_by_their_tags_alone() {
        for size_bytes in [0, 1, 11, 12, 13, 14, 20, 5000] {
            let tag = tag("client1", 7, size_bytes);
            let value = value(&tag);
            assert_eq!(value.len(), size_bytes.max(tag.len()), "{tag}");
            assert_eq!(shorten(&value), tag);
        }
    }

    #[test]
    fn a_value_that_is_not_whole_shows_as_it_is() {
        let whole = value(&tag("client1", 7, 40));
        assert_eq!(shorten(&whole[..39]).len(), 39, "cut short");
        let mut longer = whole.clone();
        longer.push(b'x');
        assert_eq!(shorten(&longer).len(), 41);
        let mut other = whole.clone();
        other[30] ^= 1;
        assert_eq!(shorten(&other).len(), 40);
        assert_eq!(shorten(b"somebody else's"), "somebody else's");
        assert_eq!(shorten(b""), "");
    }

    #[test]
    fn tokens_are_of_one_length() {
        assert_eq!(token(1, 2), "00001-000000002;");
        assert_eq!(token(99_999, 999_999_999).len(), TOKEN_BYTES);
    }
}
