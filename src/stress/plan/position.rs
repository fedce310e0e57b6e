//! Where in a JSON text a field stands, and which field stands somewhere: for errors, which parsers give
//! with a line alone. It must cope with any text: what it looks at has just been found to be wrong.

/// A place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Such as `clients[1].keys[0]`; empty: the whole.
    pub(super) field: String,
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
}

impl Place {
    /// The field that the parser had before it when it stopped, in this line and at this column (which counts
    /// bytes, and is 0 before the first).
    pub(super) fn at(text: &str, line: usize, column: usize) -> Self {
        let start = |line: usize| text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
        let end = (start(line.saturating_sub(1)) + column).min(text.len());
        let mut walk = Walk::default();
        for (_, byte) in text.bytes().enumerate().take(end) {
            walk.step(byte);
        }
        let before =
            text.get(..end).map_or(column, |text| text.chars().rev().take_while(|c| *c != '\n').count());
        Self { field: walk.field(), line: line.max(1), column: before.max(1) }
    }

    /// Where the value of a field begins; of one that is not there, the next one around it.
    pub(super) fn of(text: &str, field: &str) -> Self {
        let mut walk = Walk::default();
        let (mut best, mut best_len) = (0, 0);
        let mut is_found = false;
        for (place, byte) in text.bytes().enumerate() {
            walk.step(byte);
            if walk.begins_value && !is_found {
                let here = walk.field_begun();
                is_found = here == field;
                let is_around = field.strip_prefix(&*here).is_some_and(|rest| rest.starts_with(['.', '[']));
                if is_found || (is_around && here.len() > best_len) {
                    (best, best_len) = (place, here.len());
                }
            }
        }
        let before = text.get(..best).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.chars().rev().take_while(|c| *c != '\n').count();
        Self { field: field.to_owned(), line, column }
    }
}

/// One of the brackets that are open.
enum Open {
    /// An object, and the name of the field that it is at.
    Object(String),
    /// An array, and which of its items it is at.
    Array(usize),
}

/// What is known after some bytes of a JSON text.
#[derive(Default)]
struct Walk {
    open: Vec<Open>,
    /// What of a string there has been.
    string: Option<Vec<u8>>,
    is_escaped: bool,
    /// The next string is a name.
    wants_name: bool,
    is_in_scalar: bool,
    /// The last byte was the first of a value.
    begins_value: bool,
}

impl Walk {
    fn step(&mut self, byte: u8) {
        self.begins_value = false;
        if let Some(string) = &mut self.string {
            match byte {
                b'"' if !self.is_escaped => {
                    let name = String::from_utf8_lossy(string).into_owned();
                    self.string = None;
                    if let (true, Some(Open::Object(at))) = (self.wants_name, self.open.last_mut()) {
                        *at = name;
                        self.wants_name = false;
                    }
                }
                _ => string.push(byte),
            }
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return;
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            self.is_in_scalar = false;
            return;
        }
        let begins = !matches!(byte, b',' | b':' | b']' | b'}') && !self.wants_name && !self.is_in_scalar;
        self.begins_value = begins;
        self.is_in_scalar = false;
        match byte {
            b'{' => {
                self.open.push(Open::Object(String::new()));
                self.wants_name = true;
            }
            b'[' => self.open.push(Open::Array(0)),
            b'}' | b']' => {
                self.open.pop();
                self.wants_name = false;
            }
            b',' => match self.open.last_mut() {
                Some(Open::Array(at)) => *at += 1,
                Some(Open::Object(at)) => {
                    at.clear();
                    self.wants_name = true;
                }
                None => {}
            },
            b'"' => {
                self.string = Some(Vec::new());
                self.is_escaped = false;
            }
            b':' => {}
            _ => self.is_in_scalar = true,
        }
    }

    /// The field at whose value this stands.
    fn field(&self) -> String {
        Self::path(&self.open)
    }

    /// The field whose value has just begun, with a bracket or without.
    fn field_begun(&self) -> String {
        let is_bracket = !self.is_in_scalar && self.string.is_none();
        Self::path(&self.open[..self.open.len() - usize::from(is_bracket)])
    }

    fn path(brackets: &[Open]) -> String {
        let mut field = String::new();
        for open in brackets {
            match open {
                Open::Object(name) if name.is_empty() => {}
                Open::Object(name) if field.is_empty() => field.push_str(name),
                Open::Object(name) => field.push_str(&format!(".{name}")),
                Open::Array(at) => field.push_str(&format!("[{at}]")),
            }
        }
        field
    }
}
