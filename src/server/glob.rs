//! Glob patterns, for the names of configuration parameters. This module must never
//! recurse: a pattern of many stars comes from a client.

/// Whether `text` matches `pattern` (`*`, `?`, `\x`), in any case.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            Some(b'?') if t < text.len() => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            Some(&byte) if t < text.len() => {
                let escaped = pattern.get(p + 1).filter(|_| byte == b'\\');
                if escaped.unwrap_or(&byte).eq_ignore_ascii_case(&text[t]) {
                    (p, t) = (p + 1 + usize::from(escaped.is_some()), t + 1);
                    continue;
                }
            }
            _ => {}
        }
        // Let the last star take one more; earlier stars need not, what they took can stay.
        let Some((after, taken)) = star.filter(|&(_, taken)| taken < text.len()) else { return false };
        star = Some((after, taken + 1));
        (p, t) = (after, taken + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_a_shell_would() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("max*", "maxclients", true),
            ("MAX*ents", "maxclients", true),
            ("m?x*", "maxclients", true),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxbxxbd", false),
            ("save", "saver", false),
            ("save?", "save", false),
            ("", "x", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(!matches(&b"*a".repeat(2000), &b"a".repeat(1999)), "and in polynomial time");
    }
}
