//! Tells whole RESP2 replies apart in a stream, without keeping what stands in them. Must never
//! allocate for a bulk string, however long.

/// Longest status, error or length line.
const MAX_LINE_BYTES: usize = 64 << 10;

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Reply<'a> {
    /// A status, a bulk string, nil, or an array, whatever is in it.
    Fine,
    Error(&'a [u8]),
    Integer(i64),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

#[derive(Default)]
pub struct Replies {
    /// Of a line that has not come whole.
    line: Vec<u8>,
    /// Of a bulk string, with its end of line.
    skip: u64,
    /// Of each array that is open, how many elements are missing.
    open: Vec<u64>,
}

impl Replies {
    /// Takes the next bytes and tells of each reply that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Reply<'_>)) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len() as u64);
                bytes = &bytes[skipped as usize..];
                self.skip -= skipped;
                if self.skip == 0 {
                    self.complete(Reply::Fine, &mut tell);
                }
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.line.extend_from_slice(bytes);
                return if self.line.len() > MAX_LINE_BYTES { Err(Malformed) } else { Ok(()) };
            };
            let (head, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.line.is_empty() {
                self.line(head, &mut tell)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.line(&line, &mut tell)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(Reply<'_>)) -> Result<(), Malformed> {
        let line = line.strip_suffix(b"\r\n").ok_or(Malformed)?;
        let (kind, rest) = line.split_first().ok_or(Malformed)?;
        match kind {
            b'+' => self.complete(Reply::Fine, tell),
            b'-' => self.complete(Reply::Error(rest), tell),
            b':' => self.complete(Reply::Integer(number(rest)?), tell),
            b'$' => match u64::try_from(number(rest)?) {
                Ok(size) => self.skip = size + 2,
                Err(_) => self.complete(Reply::Fine, tell),
            },
            b'*' => match u64::try_from(number(rest)?) {
                Ok(0) | Err(_) => self.complete(Reply::Fine, tell),
                Ok(elements) => self.open.push(elements),
            },
            _ => return Err(Malformed),
        }
        Ok(())
    }

    /// An element is complete, and with it perhaps the arrays that it is the last of.
    fn complete(&mut self, mut reply: Reply<'_>, tell: &mut impl FnMut(Reply<'_>)) {
        while let Some(missing) = self.open.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return;
            }
            self.open.pop();
            reply = Reply::Fine;
        }
        tell(reply);
    }
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&[u8]]) -> Vec<String> {
        let (mut replies, mut told) = (Replies::default(), Vec::new());
        for piece in pieces {
            replies.feed(piece, |reply| told.push(format!("{reply:?}"))).expect("well-formed");
        }
        told
    }

    #[test]
    fn replies_are_told_apart_however_they_are_cut() {
        let stream =
            b"+OK\r\n:-7\r\n$5\r\na\r\nb\n\r\n$-1\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n*0\r\n*-1\r\n-ERR no\r\n";
        let whole = told(&[stream]);
        assert_eq!(whole.len(), 8);
        assert_eq!(whole[1], "Integer(-7)");
        assert!(whole[7].starts_with("Error("));
        for at in 1..stream.len() {
            assert_eq!(told(&[&stream[..at], &stream[at..]]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(told(&bytes), whole);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bad in ["hello\r\n", "\r\n", "$x\r\n", "+OK\n"] {
            assert_eq!(Replies::default().feed(bad.as_bytes(), |_| ()), Err(Malformed), "{bad:?}");
        }
        assert_eq!(Replies::default().feed(&vec![b'+'; MAX_LINE_BYTES + 1], |_| ()), Err(Malformed));
    }
}
