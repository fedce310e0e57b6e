//! [`Decoder`]: takes whole requests off a connection's buffer. Flat (no nesting, so no
//! recursion), resumable (a byte is looked at once, however the input is cut), in place
//! (arguments are ranges of the buffer). What is accepted is decided by the bytes alone,
//! never by how they were cut into reads.

use super::{ProtocolError, inline};
use crate::command::{Request, Spans};
use crate::limits::{self, UNAUTHENTICATED_MAX_MULTIBULK};
use crate::wire::units::INLINE_ARGS;
use bytes::{Buf, BytesMut};

/// A bulk whose buffer is reserved in one piece once this share of it has arrived; until
/// then the buffer grows as data comes in, so an announcement alone costs nothing.
const RESERVE_AFTER_SHARE: usize = 16;

/// The longest bulk whose length [`short_number`] reads.
const LONGEST_SHORT: usize = 99;

/// What a decoder accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most arguments.
    pub max_multibulk: usize,
    /// Longest argument.
    pub max_bulk_bytes: usize,
    /// Longest whole request. At most 4 GiB, because arguments are 32-bit ranges.
    pub max_request_bytes: usize,
    /// The tighter limits before authentication, and their error texts.
    pub unauthenticated: bool,
}

impl Limits {
    /// For a connection that may do everything.
    pub const AUTHENTICATED: Self = Self {
        max_multibulk: limits::MAX_MULTIBULK,
        max_bulk_bytes: limits::MAX_BULK_BYTES,
        max_request_bytes: limits::MAX_QUERY_BUFFER_BYTES,
        unauthenticated: false,
    };
    /// For a connection that has yet to say who it is.
    pub const UNAUTHENTICATED: Self = Self { unauthenticated: true, ..Self::AUTHENTICATED };
}

impl Default for Limits {
    fn default() -> Self {
        Self::AUTHENTICATED
    }
}

/// The state of one connection's input between reads.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    /// Where the next item of the request under way starts in `input`.
    at: usize,
    /// No line end lies in `at..scanned`.
    scanned: usize,
    /// Arguments of the request under way still to come; 0 between requests.
    missing: usize,
    /// Length of the argument under way, once its header has been read.
    bulk: Option<usize>,
    spans: Spans,
}

impl Decoder {
    /// A decoder at the start of its input.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// For what comes next: a connection that has authenticated.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes the next whole request off the front of `input`. None: more input is needed.
    /// Call with the same buffer each time, only appended to in between. After an error
    /// the rest of the input has no meaning.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        loop {
            if self.missing > 0 {
                return self.multibulk(input);
            }
            match input.first() {
                None => return Ok(None),
                Some(b'*') => {
                    if let Some((spans, end)) = self.short(input) {
                        self.rewind();
                        return Ok(Some(Request::new(input.split_to(end).freeze(), spans)));
                    }
                    let Some(count) = self.count(input)? else { return Ok(None) };
                    if count == 0 {
                        input.advance(self.at);
                        self.rewind();
                    }
                    self.missing = count;
                }
                Some(_) => {
                    let Some(request) = self.inline(input)? else { return Ok(None) };
                    if !request.is_empty() {
                        return Ok(Some(request));
                    }
                }
            }
        }
    }

    /// A whole request of few and short arguments, as nearly all are: where they lie, and where it ends.
    /// None: it is another, or has not arrived yet. (Then little was looked at in vain.)
    fn short(&self, input: &[u8]) -> Option<(Spans, usize)> {
        let (count, mut at) = short_number(input, 0, b'*')?;
        let within = count <= INLINE_ARGS
            && count <= self.limits.max_multibulk
            && self.limits.max_bulk_bytes > LONGEST_SHORT
            && self.limits.max_request_bytes > INLINE_ARGS * (LONGEST_SHORT + 8);
        if !within {
            return None;
        }
        let mut spans = [(0, 0); INLINE_ARGS];
        for span in &mut spans[..count] {
            let (len, start) = short_number(input, at, b'$')?;
            at = start + len + 2;
            if at > input.len() {
                return None;
            }
            *span = (start as u32, (start + len) as u32);
        }
        Some((Spans::from_buf_and_len(spans, count), at))
    }

    fn rewind(&mut self) {
        self.at = 0;
        self.scanned = 0;
    }

    /// `*<count>`; negative counts are empty requests, as in Redis.
    fn count(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let short = short_number(input, self.at, b'*');
        if let Some((count, next)) = short.filter(|(count, _)| *count <= UNAUTHENTICATED_MAX_MULTIBULK) {
            self.advance_to(next);
            return Ok(Some(count));
        }
        let Some(end) = self.line(input, ProtocolError::TooBigMultibulkCount)? else { return Ok(None) };
        let most = self.limits.max_multibulk.min(i32::MAX as usize) as i64;
        let count =
            parse_int(&input[1..end]).filter(|&n| n <= most).ok_or(ProtocolError::InvalidMultibulkLength)?;
        if self.limits.unauthenticated && count > UNAUTHENTICATED_MAX_MULTIBULK as i64 {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        self.advance_to(end + 2);
        Ok(Some(count.max(0) as usize))
    }

    fn multibulk(&mut self, input: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        while self.missing > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.bulk_header(input)? {
                    Some(len) => *self.bulk.insert(len),
                    None => return Ok(None),
                },
            };
            let end = self.at + len;
            // Like Redis, not looking at the two bytes that should be CRLF.
            if input.len() < end + 2 {
                reserve_bulk(input, end + 2, len);
                return Ok(None);
            }
            self.spans.push((self.at as u32, end as u32));
            self.bulk = None;
            self.missing -= 1;
            self.advance_to(end + 2);
        }
        let buffer = input.split_to(self.at).freeze();
        self.rewind();
        Ok(Some(Request::new(buffer, std::mem::take(&mut self.spans))))
    }

    fn bulk_header(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let fits = |&(len, next): &(usize, usize)| {
            len <= self.limits.max_bulk_bytes && next + len + 2 <= self.limits.max_request_bytes
        };
        if let Some((len, next)) = short_number(input, self.at, b'$').filter(fits) {
            self.advance_to(next);
            return Ok(Some(len));
        }
        let Some(end) = self.line(input, ProtocolError::TooBigBulkCount)? else { return Ok(None) };
        // An empty line has its CR here, which is what Redis complains about too.
        if input[self.at] != b'$' {
            return Err(ProtocolError::ExpectedBulk(input[self.at]));
        }
        let len = parse_int(&input[self.at + 1..end])
            .and_then(|n| usize::try_from(n).ok())
            .filter(|&n| n <= self.limits.max_bulk_bytes)
            .ok_or(ProtocolError::InvalidBulkLength)?;
        if self.limits.unauthenticated && len > limits::UNAUTHENTICATED_MAX_BULK_BYTES {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        let most = self.limits.max_request_bytes.min(u32::MAX as usize);
        if end + 2 + len + 2 > most {
            return Err(ProtocolError::TooBigRequest);
        }
        self.advance_to(end + 2);
        Ok(Some(len))
    }

    fn advance_to(&mut self, at: usize) {
        self.at = at;
        self.scanned = at;
    }

    /// The end of the line at `at`: its CR, which one more byte must follow.
    fn line(&mut self, input: &[u8], too_big: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let found = input[self.scanned..].iter().position(|&b| b == b'\r').map(|i| self.scanned + i);
        if found.unwrap_or(input.len()) - self.at > limits::MAX_INLINE_BYTES {
            return Err(too_big);
        }
        self.scanned = found.unwrap_or(input.len());
        Ok(found.filter(|&end| end + 1 < input.len()))
    }

    /// A line that is no array. An empty one gives an empty request.
    fn inline(&mut self, input: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        let found = input[self.scanned..].iter().position(|&b| b == b'\n').map(|i| self.scanned + i);
        if found.unwrap_or(input.len()) > limits::MAX_INLINE_BYTES {
            return Err(ProtocolError::TooBigInline);
        }
        let Some(end) = found else {
            self.scanned = input.len();
            return Ok(None);
        };
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        let request = inline::split(line)?;
        input.advance(end + 1);
        self.rewind();
        Ok(Some(request))
    }
}

/// Makes room for a long bulk at once, when enough of it is there to believe in the rest.
fn reserve_bulk(input: &mut BytesMut, end: usize, len: usize) {
    let missing = end - input.len();
    if missing < len - len / RESERVE_AFTER_SHARE && input.capacity() < end {
        input.reserve(missing);
    }
}

/// A number of one or two digits behind `kind`, and where its line ends: nearly all that there are,
/// and within every bound. `None`: to be looked at properly.
fn short_number(input: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    match *input.get(at..)? {
        [first, a @ b'1'..=b'9', b'\r', _, ..] if first == kind => Some((digit(a), at + 4)),
        [first, a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..] if first == kind => {
            Some((10 * digit(a) + digit(b), at + 5))
        }
        _ => None,
    }
}

/// Redis's string2ll: no blanks, no plus, no leading zeros.
fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(digit - b'0');
        // Downwards, because i64::MIN has no positive counterpart.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}
