//! Lua's patterns, as Lua 5.1 matches them (Reference Manual, 5.4.1): what matches, what is captured, what is wrong
//! with a pattern. Unlike Lua's own, every step counts, for there are patterns that take longer than the universe;
//! and nesting is bounded, for it is the machine's own stack that pays. Nothing here may know of Lua's machine.

const MOST_CAPTURES: usize = 32;
/// Items of a pattern that are being tried at a time.
const MOST_DEPTH: usize = 400;
const ESCAPE: u8 = b'%';

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// With the pattern.
    Pattern(&'static str),
    /// It takes more steps than it may.
    Steps,
}

/// What a pair of parentheses has matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capture {
    /// It was not closed.
    Open(usize),
    /// From a place on, so many bytes.
    Text(usize, usize),
    /// `()`: a place.
    Place(usize),
}

/// A pattern on its way through a text.
pub(super) struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; MOST_CAPTURES],
    level: usize,
    depth: usize,
    /// What it may still take.
    pub(super) steps_left: u64,
    /// Called now and then.
    breath: Option<fn()>,
}

/// Steps between two such calls; a power of two.
const STEPS_A_BREATH: u64 = 1 << 14;

type Found = Result<Option<usize>, Wrong>;

impl<'a> Matcher<'a> {
    /// Of a pattern, which ends with its first byte 0, without an anchor.
    pub(super) fn new(text: &'a [u8], pattern: &'a [u8], steps_left: u64, breath: Option<fn()>) -> Self {
        let captures = [Capture::Open(0); MOST_CAPTURES];
        Self { text, pattern, captures, level: 0, depth: 0, steps_left, breath }
    }

    /// Where a match that begins at `at` ends.
    pub(super) fn at(&mut self, at: usize) -> Found {
        (self.level, self.depth) = (0, 0);
        self.find(at, 0)
    }

    /// What the last match has captured; with `whole` the match itself, if there are no parentheses.
    pub(super) fn captures(&self, whole: Option<(usize, usize)>) -> Result<Vec<Capture>, Wrong> {
        match whole {
            Some((start, end)) if self.level == 0 => Ok(vec![Capture::Text(start, end - start)]),
            _ => self.captures[..self.level].iter().map(|capture| closed(*capture)).collect(),
        }
    }

    /// One of them, from 0; the first is the match itself if there are no parentheses.
    pub(super) fn capture(&self, index: usize, start: usize, end: usize) -> Result<Capture, Wrong> {
        match self.captures[..self.level].get(index) {
            Some(capture) => closed(*capture),
            None if index == 0 => Ok(Capture::Text(start, end - start)),
            None => Err(Wrong::Pattern("invalid capture index")),
        }
    }

    fn item(&self, at: usize) -> u8 {
        self.pattern.get(at).copied().unwrap_or(0)
    }

    fn step(&mut self) -> Result<(), Wrong> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Wrong::Steps)?;
        if self.steps_left.is_multiple_of(STEPS_A_BREATH)
            && let Some(breath) = self.breath
        {
            breath();
        }
        Ok(())
    }

    /// The rest of the pattern from `p` on, against the text from `s` on.
    fn find(&mut self, s: usize, p: usize) -> Found {
        if self.depth == MOST_DEPTH {
            return Err(Wrong::Pattern("pattern too complex"));
        }
        self.depth += 1;
        let found = self.find_here(s, p);
        self.depth -= 1;
        found
    }

    fn find_here(&mut self, mut s: usize, mut p: usize) -> Found {
        loop {
            self.step()?;
            match (self.item(p), self.item(p + 1)) {
                (b'(', b')') => return self.open(s, p + 2, Capture::Place(s)),
                (b'(', _) => return self.open(s, p + 1, Capture::Open(s)),
                (b')', _) => return self.close(s, p + 1),
                (0, _) => return Ok(Some(s)),
                (b'$', 0) => return Ok((s == self.text.len()).then_some(s)),
                (ESCAPE, b'b') => match self.balanced(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (ESCAPE, b'f') => match self.frontier(s, p + 2)? {
                    Some(end) => p = end,
                    None => return Ok(None),
                },
                (ESCAPE, digit @ b'0'..=b'9') => match self.again(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(p)?;
                    let fits = self.fits(s, p, end);
                    match self.item(end) {
                        b'?' => {
                            if fits && let Some(found) = self.find(s + 1, end + 1)? {
                                return Ok(Some(found));
                            }
                            p = end + 1;
                        }
                        b'*' => return self.most(s, p, end),
                        b'+' if fits => return self.most(s + 1, p, end),
                        b'-' => return self.fewest(s, p, end),
                        b'+' => return Ok(None),
                        _ if !fits => return Ok(None),
                        _ => (s, p) = (s + 1, end),
                    }
                }
            }
        }
    }

    /// As often as possible.
    fn most(&mut self, s: usize, p: usize, end: usize) -> Found {
        let mut count = 0;
        while self.fits(s + count, p, end) {
            self.step()?;
            count += 1;
        }
        loop {
            if let Some(found) = self.find(s + count, end + 1)? {
                return Ok(Some(found));
            }
            match count.checked_sub(1) {
                Some(fewer) => count = fewer,
                None => return Ok(None),
            }
        }
    }

    /// As seldom as possible.
    fn fewest(&mut self, mut s: usize, p: usize, end: usize) -> Found {
        loop {
            if let Some(found) = self.find(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.fits(s, p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize, capture: Capture) -> Found {
        let level = self.level;
        *self.captures.get_mut(level).ok_or(Wrong::Pattern("too many captures"))? = capture;
        self.level += 1;
        let found = self.find(s, p)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, s: usize, p: usize) -> Found {
        let open = |capture: &Capture| matches!(capture, Capture::Open(_));
        let at = self.captures[..self.level].iter().rposition(open);
        let at = at.ok_or(Wrong::Pattern("invalid pattern capture"))?;
        let Capture::Open(start) = self.captures[at] else { return Ok(None) };
        self.captures[at] = Capture::Text(start, s - start);
        let found = self.find(s, p)?;
        if found.is_none() {
            self.captures[at] = Capture::Open(start);
        }
        Ok(found)
    }

    /// What was captured stands here once more. Of a place nothing ever does, as in Lua.
    fn again(&mut self, s: usize, digit: u8) -> Found {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture = index.and_then(|index| self.captures[..self.level].get(index));
        match capture {
            Some(&Capture::Text(start, len)) => {
                self.steps_left = self.steps_left.checked_sub(len as u64).ok_or(Wrong::Steps)?;
                let rest = &self.text[s..];
                Ok(rest.starts_with(&self.text[start..start + len]).then_some(s + len))
            }
            Some(Capture::Place(_)) => Ok(None),
            Some(Capture::Open(_)) | None => Err(Wrong::Pattern("invalid capture index")),
        }
    }

    fn balanced(&mut self, s: usize, p: usize) -> Found {
        let (begin, end) = (self.item(p), self.item(p + 1));
        if begin == 0 || end == 0 {
            return Err(Wrong::Pattern("unbalanced pattern"));
        }
        if self.text.get(s) != Some(&begin) {
            return Ok(None);
        }
        let mut depth = 1;
        for (at, &byte) in self.text.iter().enumerate().skip(s + 1) {
            self.steps_left = self.steps_left.checked_sub(1).ok_or(Wrong::Steps)?;
            if byte == end {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == begin {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// Where the set ends, if what precedes `s` is not of it and what is there is.
    fn frontier(&mut self, s: usize, p: usize) -> Found {
        if self.item(p) != b'[' {
            return Err(Wrong::Pattern("missing '[' after '%f' in pattern"));
        }
        let end = self.class_end(p)?;
        let byte = |at: Option<usize>| at.and_then(|at| self.text.get(at)).copied().unwrap_or(0);
        let is_there =
            !self.in_set(byte(s.checked_sub(1)), p, end - 1) && self.in_set(byte(Some(s)), p, end - 1);
        Ok(is_there.then_some(end))
    }

    fn class_end(&self, p: usize) -> Result<usize, Wrong> {
        match self.item(p) {
            ESCAPE if self.item(p + 1) == 0 => Err(Wrong::Pattern("malformed pattern (ends with '%')")),
            ESCAPE => Ok(p + 2),
            b'[' => {
                let mut at = p + 1 + usize::from(self.item(p + 1) == b'^');
                loop {
                    let item = self.item(at);
                    if item == 0 {
                        return Err(Wrong::Pattern("malformed pattern (missing ']')"));
                    }
                    at += 1;
                    if item == ESCAPE && self.item(at) != 0 {
                        at += 1;
                    }
                    if self.item(at) == b']' {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the byte at `s` is what one item from `p` to `end` stands for.
    fn fits(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(s) else { return false };
        match self.item(p) {
            b'.' => true,
            ESCAPE => is_of_class(byte, self.item(p + 1)),
            b'[' => self.in_set(byte, p, end - 1),
            item => item == byte,
        }
    }

    /// `last`: of the bracket that closes the set.
    fn in_set(&self, byte: u8, p: usize, last: usize) -> bool {
        let negated = self.item(p + 1) == b'^';
        let mut at = p + 1 + usize::from(negated);
        while at < last {
            let item = self.item(at);
            if item == ESCAPE {
                at += 1;
                if is_of_class(byte, self.item(at)) {
                    return !negated;
                }
            } else if self.item(at + 1) == b'-' && at + 2 < last {
                at += 2;
                if (item..=self.item(at)).contains(&byte) {
                    return !negated;
                }
            } else if item == byte {
                return !negated;
            }
            at += 1;
        }
        negated
    }
}

fn closed(capture: Capture) -> Result<Capture, Wrong> {
    match capture {
        Capture::Open(_) => Err(Wrong::Pattern("unfinished capture")),
        closed => Ok(closed),
    }
}

fn is_of_class(byte: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is != class.is_ascii_uppercase()
}
