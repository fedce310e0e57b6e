//! [`Request`]: one command as it arrived, in place.

use super::Command;
use crate::wire::units::{self, Args, Caller, INLINE_ARGS, put_call_unit, put_caller_unit};
use bytes::Bytes;
use smallvec::SmallVec;

/// Start and end of each argument in its buffer.
pub type Spans = SmallVec<[(u32, u32); INLINE_ARGS]>;

/// A command's arguments as ranges of the buffer that they arrived in.
#[derive(Debug, Clone, Default)]
pub struct Request {
    buffer: Bytes,
    spans: Spans,
    /// The database that it works in; whoever parses it does not know.
    pub db: u32,
    /// What [`resolve_request`](super::resolve_request) has found, so that it is looked for once.
    pub row: Option<&'static Command>,
    /// What it only reads does not count as used (`CLIENT NO-TOUCH`).
    pub no_touch: bool,
    /// Who runs a script with it, if that is to be judged.
    pub caller: Option<Box<RequestCaller>>,
}

/// A [`Caller`] that owns what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCaller {
    /// None: somebody who may do everything.
    pub user: Option<Vec<u8>>,
    /// The node is short of memory.
    pub lacks_memory: bool,
}

/// By its arguments and where it works: the row follows from them.
impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        let flags = |of: &Self| (of.db, of.no_touch);
        self.iter().eq(other.iter()) && flags(self) == flags(other) && self.caller == other.caller
    }
}

impl Eq for Request {}

impl Request {
    /// `spans` are (start, end) of each argument, the name first, all within `buffer`.
    /// A span outside the buffer panics wherever it is looked at.
    pub fn new(buffer: Bytes, spans: Spans) -> Self {
        let inside = |&(start, end): &(u32, u32)| start <= end && end as usize <= buffer.len();
        debug_assert!(spans.iter().all(inside), "an argument outside its buffer");
        Self { buffer, spans, db: 0, row: None, no_touch: false, caller: None }
    }

    /// A request that owns a copy of `args`: for tests, and for commands that bowline itself makes.
    pub fn from_args<A: AsRef<[u8]>>(args: &[A]) -> Self {
        let mut buffer = Vec::new();
        let mut spans = SmallVec::new();
        for arg in args {
            let start = buffer.len() as u32;
            buffer.extend_from_slice(arg.as_ref());
            spans.push((start, buffer.len() as u32));
        }
        Self { buffer: buffer.into(), spans, db: 0, row: None, no_touch: false, caller: None }
    }

    /// The arguments, the name first.
    #[inline]
    pub fn args(&self) -> Args<'_> {
        let mut args = Args::new();
        // Not collected, which is ready for more than there ever is.
        for arg in self.iter() {
            args.push(arg);
        }
        args
    }

    /// Appends it to the body of a batch.
    pub fn put_unit(&self, body: &mut Vec<u8>) {
        if self.caller.is_some() {
            return put_caller_unit(body, &self.command());
        }
        let lens = self.spans.iter().map(|&(start, end)| (end - start) as usize);
        put_call_unit(body, lens, self.iter(), self.db);
    }

    /// As it stands in the log.
    pub fn command(&self) -> units::Command<'_> {
        units::Command { args: self.args(), db: self.db, caller: self.caller() }
    }

    /// Who runs a script with it, if that is to be judged.
    pub fn caller(&self) -> Option<Caller<'_>> {
        let caller = self.caller.as_ref()?;
        Some(Caller { user: caller.user.as_deref(), lacks_memory: caller.lacks_memory })
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let buffer = &self.buffer[..];
        self.spans.iter().map(move |&(start, end)| &buffer[start as usize..end as usize])
    }

    /// Argument `i`, if there is one.
    pub fn arg(&self, i: usize) -> Option<&[u8]> {
        self.spans.get(i).map(|&(start, end)| &self.buffer[start as usize..end as usize])
    }

    /// How many arguments there are, the name included.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is not even a name.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of all arguments.
    pub fn size_bytes(&self) -> usize {
        self.spans.iter().map(|&(start, end)| (end - start) as usize).sum()
    }
}
