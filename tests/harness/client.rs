//! A Redis client of a few lines that blocks, repeats nothing and shows errors verbatim. What only
//! RESP3 has it shows as RESP2 has it, pushes but for their name.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a reply may take before a test gives up on it.
const REPLY_PATIENCE: Duration = Duration::from_secs(60);

/// A reply, as RESP2 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Value>),
    /// Out of band, in RESP3.
    Push(Vec<Value>),
}

impl Value {
    pub fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::Bulk(text.as_ref().to_vec())
    }

    pub fn ok() -> Self {
        Self::Simple("OK".to_owned())
    }

    /// The error's text, if it is one.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }

    /// A bulk string as text; empty when there is none.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Nil => String::new(),
            other => panic!("not a string: {other:?}"),
        }
    }

    #[track_caller]
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            other => panic!("not a number: {other:?}"),
        }
    }
}

/// A connection.
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// A request as bytes.
pub fn request<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.as_ref().len()).as_bytes());
        bytes.extend_from_slice(arg.as_ref());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no reply starts like this: {line:?}"))
}

impl Client {
    #[track_caller]
    pub fn connect(addr: &str) -> Self {
        Self::try_connect(addr, REPLY_PATIENCE).expect("the node takes connections")
    }

    pub fn try_connect(addr: &str, patience: Duration) -> io::Result<Self> {
        let addr: SocketAddr = addr.parse().expect("an address");
        let stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        self.stream.write_all(&request(args))
    }

    pub fn try_call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Value> {
        self.send(args)?;
        self.read()
    }

    /// A command whose reply is no error.
    #[track_caller]
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        let reply = self.try_call(args).expect("a reply");
        assert_eq!(reply.error(), None, "the reply to {:?}", String::from_utf8_lossy(args[0].as_ref()));
        reply
    }

    #[track_caller]
    pub fn set(&mut self, key: &str, value: impl AsRef<[u8]>) {
        assert_eq!(self.call(&["SET".as_bytes(), key.as_bytes(), value.as_ref()]), Value::ok());
    }

    #[track_caller]
    pub fn get(&mut self, key: &str) -> Value {
        self.call(&["GET", key])
    }

    /// A field of `INFO`.
    pub fn info(&mut self, field: &str) -> io::Result<Option<String>> {
        let Value::Bulk(text) = self.try_call(&["INFO"])? else { return Ok(None) };
        let text = String::from_utf8_lossy(&text).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.map(|value| value.trim_end().to_owned()))
    }

    /// What kind of reply is next, which stays to be read.
    pub fn next_kind(&mut self) -> io::Result<u8> {
        let arrived = self.reader.fill_buf()?;
        arrived.first().copied().ok_or(io::ErrorKind::UnexpectedEof.into())
    }

    /// The next reply.
    pub fn read(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let rest = line.get(1..).ok_or_else(|| malformed(line))?;
        let number = || rest.parse::<i64>().map_err(|_| malformed(line));
        Ok(match line.as_bytes()[0] {
            b'+' => Value::Simple(rest.to_owned()),
            b'-' => Value::Error(rest.to_owned()),
            b':' => Value::Int(number()?),
            b'$' | b'*' if number()? < 0 => Value::Nil,
            b'$' => {
                let mut bytes = vec![0; number()? as usize + 2];
                self.reader.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Value::Bulk(bytes)
            }
            b'_' => Value::Nil,
            b'*' | b'~' => Value::Array(self.items(number()?)?),
            b'%' => Value::Array(self.items(2 * number()?)?),
            b'>' => Value::Push(self.items(number()?)?),
            _ => return Err(malformed(line)),
        })
    }

    fn items(&mut self, count: i64) -> io::Result<Vec<Value>> {
        (0..count).map(|_| self.read()).collect()
    }
}
