//! Glob patterns as Redis matches them: `*`, `?`, `[a-c]`, `[^x]`, `\` before a literal.
//! Matching must never take longer than pattern times text: only the last `*` is gone back to,
//! for whatever an earlier one could take, the later one can (Krauss, 2014).

use crate::limits::MAX_PATTERN_STARS;

/// Whether all of `text` matches. Of the patterns for an empty text, Redis knows `*` alone.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return matches!(pattern, b"" | b"*");
    }
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None; // after the last `*`; where its text ends so far
    let mut stars = 0;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            // Several in a row are one.
            stars += usize::from(pattern.get(p) != Some(&b'*'));
            if stars > MAX_PATTERN_STARS {
                return false;
            }
            star = Some((p, t));
            continue;
        }
        let step = match text.get(t) {
            None if p == pattern.len() => return true,
            None => return false,
            Some(&byte) => one(&pattern[p..], byte),
        };
        if let Some(len) = step {
            p += len;
            t += 1;
        } else if let Some((after, end)) = star {
            (p, t) = (after, end + 1);
            star = Some((after, end + 1));
        } else {
            return false;
        }
    }
}

/// If the first element of `pattern`, which is not `*`, matches `byte`: its length.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (found, len) = in_class(class, byte);
            found.then_some(1 + len)
        }
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// Whether the class that starts after its `[` holds `byte`, and how long it is. One that is
/// not closed ends with the pattern.
fn in_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut i = usize::from(negated);
    let mut found = false;
    loop {
        match class[i..] {
            [] => break,
            [b'\\', literal, ..] => {
                found |= literal == byte;
                i += 2;
            }
            [b']', ..] => {
                i += 1;
                break;
            }
            [low, b'-', high, ..] => {
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                i += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                i += 1;
            }
        }
    }
    (found != negated, i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_every_kind() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("?", "", false),
            ("h?llo", "hello", true),
            ("h*llo", "hllo", true),
            ("h*llo", "heeeello", true),
            ("h*llo", "heeeellp", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hbllo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("[\\]]", "]", true),
            ("[\\a-z]", "m", false),
            ("[ab", "b", true),
            ("[", "[", false),
            ("[^", "x", true),
            ("[]", "]", false),
            ("[a-]", "-", false),
            ("a**b*", "axxb", true),
            ("*a*b*c", "xaxbxcxc", true),
            ("*a*b*c", "xaxbxcx", false),
            ("**", "", false),
            ("**", "a", true),
            ("a*?", "a", false),
            ("a*?", "ab", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_are_not_exponential() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(20_000).as_bytes()));
    }

    #[test]
    fn redis_gives_up_on_too_many_stars() {
        let of = |stars: usize| "*?".repeat(stars);
        assert!(matches(of(MAX_PATTERN_STARS).as_bytes(), "a".repeat(5000).as_bytes()));
        assert!(!matches(of(MAX_PATTERN_STARS + 1).as_bytes(), "a".repeat(5000).as_bytes()));
        assert!(matches("*".repeat(5000).as_bytes(), b"a"), "several in a row are one");
    }
}
