//! [`Upstream`]: which Redis the cluster follows, and how far. It is part of the replicated state: a
//! link that begins on another node goes on where the last one's units have brought the keys. A
//! change of it must never depend on anything but the log.

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upstream {
    /// The last token that a link was given. It ascends for ever, so that no link's units count
    /// once another link has begun, or another upstream was chosen.
    pub(crate) sessions: u64,
    pub(crate) source: Option<Source>,
}

/// The Redis that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    /// Of the link that may change the state now.
    pub session: u64,
    pub stage: Stage,
    /// Whether the stream was flowing when it was last heard of.
    pub is_up: bool,
    /// Why not; empty: nothing has failed yet.
    pub error: String,
    /// The history that the keys are of; empty: none, and only a new copy helps.
    pub replid: String,
    /// Bytes of that history's stream that have been applied.
    pub offset: u64,
    /// The database that the stream works in.
    pub db: u32,
    /// Keys of the copy under way.
    pub loaded: u64,
}

/// How far the copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// None has been begun: the keys are what they were.
    #[default]
    Waiting,
    /// One has been begun, and none is complete: nobody sees a key.
    Loading,
    /// The keys are the upstream's, as they were at the offset.
    Following,
}

impl Upstream {
    /// What is followed.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Whether anything is: then its word alone decides what has expired, too.
    pub fn is_followed(&self) -> bool {
        self.source.is_some()
    }

    /// Whether the keys are a copy that is not complete.
    pub fn is_loading(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.stage == Stage::Loading)
    }

    /// Whether this one is followed.
    pub(super) fn is(&self, host: &str, port: u16) -> bool {
        let is = |source: &Source| source.host.eq_ignore_ascii_case(host) && source.port == port;
        self.source.as_ref().is_some_and(is)
    }

    /// Follows another one. What has been copied is kept: the other one may be of the same history,
    /// and then continues it.
    pub(super) fn follow(&mut self, host: &str, port: u16) {
        self.sessions += 1;
        let old = self.source.take().unwrap_or_default();
        let (host, error) = (host.to_owned(), String::new());
        self.source = Some(Source { host, port, session: self.sessions, is_up: false, error, ..old });
    }

    /// Follows nobody. Whether the keys are a part of a copy, which is worth nothing.
    pub(super) fn leave(&mut self) -> bool {
        self.source.take().is_some_and(|source| source.stage == Stage::Loading)
    }

    /// Gives a new link its token, if it knows the last one.
    pub(crate) fn take_over(&mut self, session: u64) -> Option<u64> {
        let source = self.source.as_mut().filter(|source| source.session == session)?;
        self.sessions += 1;
        source.session = self.sessions;
        Some(self.sessions)
    }
}
