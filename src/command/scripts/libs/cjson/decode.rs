//! JSON to values, with the errors of lua-cjson: what was expected, what was found, and where.

use super::super::super::raised::raise;
use super::{MOST_DEPTH, Settings};
use mlua::{Lua, Result, Table, Value};

pub(super) fn decode(lua: &Lua, settings: &Settings, text: &[u8]) -> Result<Value> {
    if text.len() >= 2 && text[..2].contains(&0) {
        return Err(raise(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder = Decoder { lua, settings, text, at: 0, depth: 0 };
    let token = decoder.token();
    let value = decoder.value(token)?;
    match decoder.token() {
        (Token::End, _) => Ok(value),
        token => decoder.unexpected("the end", token),
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(what) => what,
        }
    }
}

/// And where it is.
type Placed = (Token, usize);

struct Decoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    depth: i32,
}

impl Decoder<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn unexpected<T>(&self, expected: &str, (token, at): Placed) -> Result<T> {
        let found = token.name();
        Err(raise(self.lua, format!("Expected {expected} but found {found} at character {}", at + 1)))
    }

    fn token(&mut self) -> Placed {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let start = self.at;
        let single = match self.peek(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return (Token::End, start),
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' if !self.settings.invalid_decoded && self.is_invalid_number() => {
                return (Token::Error("invalid number"), start);
            }
            b'-' | b'0'..=b'9' => return (self.number(), start),
            _ => return (self.word(), start),
        };
        self.at += 1;
        (single, start)
    }

    fn word(&mut self) -> Token {
        for (word, token) in
            [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)]
        {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        let may_be = matches!(self.peek(0), b'i' | b'I' | b'n' | b'N' | b'+');
        if may_be && self.settings.invalid_decoded && self.is_invalid_number() {
            return self.number();
        }
        Token::Error("invalid token")
    }

    /// What `strtod` reads and JSON does not have.
    fn is_invalid_number(&self) -> bool {
        let rest = &self.text[self.at..];
        if rest.first() == Some(&b'+') {
            return true;
        }
        let digits = rest.strip_prefix(b"-").unwrap_or(rest);
        match digits {
            [b'0', next, ..] => matches!(next, b'x' | b'X' | b'0'..=b'9'),
            [first, ..] if *first <= b'9' => false,
            _ => ["inf", "nan"].iter().any(|word| starts_with(digits, word)),
        }
    }

    fn number(&mut self) -> Token {
        match strtod(&self.text[self.at..]) {
            Some((number, len)) => {
                self.at += len;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Placed {
        let start = self.at;
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek(0) {
                b'"' => break,
                0 => return (Token::Error("unexpected end of string"), self.at),
                b'\\' => {
                    let plain = match self.peek(1) {
                        b'u' => match self.unicode(&mut out) {
                            Some(()) => continue,
                            None => return (Token::Error("invalid unicode escape code"), self.at),
                        },
                        escaped @ (b'"' | b'\\' | b'/') => escaped,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        _ => return (Token::Error("invalid escape code"), self.at),
                    };
                    out.push(plain);
                    self.at += 2;
                }
                byte => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        (Token::String(out), start)
    }

    fn hex(&self, ahead: usize) -> Option<u32> {
        let digits = self.text.get(self.at + ahead..self.at + ahead + 4)?;
        digits.iter().try_fold(0, |sum, &digit| Some(sum << 4 | (digit as char).to_digit(16)?))
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let (mut code, mut len) = (self.hex(2)?, 6);
        if code & 0xf800 == 0xd800 {
            if code & 0x400 != 0 || self.peek(6) != b'\\' || self.peek(7) != b'u' {
                return None;
            }
            let low = self.hex(8).filter(|low| low & 0xfc00 == 0xdc00)?;
            code = ((code & 0x3ff) << 10 | (low & 0x3ff)) + 0x10000;
            len = 12;
        }
        out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        Some(())
    }

    fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth <= self.settings.decode_depth.min(MOST_DEPTH) {
            return Ok(());
        }
        let text = format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
        Err(raise(self.lua, text))
    }

    fn value(&mut self, (token, at): Placed) -> Result<Value> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(truth) => Value::Boolean(truth),
            Token::Null => Value::NULL,
            Token::ObjectBegin => Value::Table(self.object()?),
            Token::ArrayBegin => Value::Table(self.array()?),
            token => return self.unexpected("value", (token, at)),
        })
    }

    fn object(&mut self) -> Result<Table> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token.0, Token::ObjectEnd) {
            self.depth -= 1;
            return Ok(table);
        }
        loop {
            let (Token::String(key), _) = token else { return self.unexpected("object key string", token) };
            let colon = self.token();
            if !matches!(colon.0, Token::Colon) {
                return self.unexpected("colon", colon);
            }
            let next = self.token();
            let value = self.value(next)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.token() {
                (Token::ObjectEnd, _) => break,
                (Token::Comma, _) => token = self.token(),
                other => return self.unexpected("comma or object end", other),
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn array(&mut self) -> Result<Table> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token.0, Token::ArrayEnd) {
            self.depth -= 1;
            return Ok(table);
        }
        for index in 1.. {
            let value = self.value(token)?;
            table.raw_set(index, value)?;
            match self.token() {
                (Token::ArrayEnd, _) => break,
                (Token::Comma, _) => token = self.token(),
                other => return self.unexpected("comma or array end", other),
            }
        }
        self.depth -= 1;
        Ok(table)
    }
}

fn starts_with(text: &[u8], word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// The longest beginning that C's `strtod` reads, and its length.
fn strtod(text: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let sign = if text.first() == Some(&b'-') { -1.0 } else { 1.0 };
    let rest = &text[sign_len..];
    for (word, value) in [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if starts_with(rest, word) {
            return Some((sign * value, sign_len + word.len()));
        }
    }
    let digits = |from: usize| rest[from.min(rest.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    if starts_with(rest, "0x") {
        let hex = rest[2..].iter().take_while(|b| b.is_ascii_hexdigit());
        let (value, len) = hex.fold((0.0, 0), |(value, len), &b| {
            (value * 16.0 + f64::from((b as char).to_digit(16).unwrap_or(0)), len + 1)
        });
        return if len == 0 {
            Some((sign * 0.0, sign_len + 1))
        } else {
            Some((sign * value, sign_len + 2 + len))
        };
    }
    let mut len = digits(0);
    let mut count = len;
    if rest.get(len) == Some(&b'.') {
        let fraction = digits(len + 1);
        count += fraction;
        len += 1 + fraction;
    }
    if count == 0 {
        return None;
    }
    if matches!(rest.get(len), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + signed);
        if exponent > 0 {
            len += 1 + signed + exponent;
        }
    }
    let text = std::str::from_utf8(&text[..sign_len + len]).ok()?;
    Some((text.parse().ok()?, text.len()))
}
