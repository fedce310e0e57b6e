//! [`Flags`] and [`Category`]: what a command does and who may run it, in Redis's words. Nothing
//! here may decide anything.

/// A set of Redis's command flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

macro_rules! flags {
    ($($name:ident $bit:literal $text:literal;)*) => {
        impl Flags {
            $(#[doc = $text] pub const $name: Self = Self(1 << $bit);)*
            /// No flag.
            pub const NONE: Self = Self(0);
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];
        }
    };
}

// In the order in which COMMAND INFO lists them.
flags! {
    WRITE 0 "write";
    READONLY 1 "readonly";
    DENYOOM 2 "denyoom";
    ADMIN 3 "admin";
    PUBSUB 4 "pubsub";
    NOSCRIPT 5 "noscript";
    BLOCKING 6 "blocking";
    LOADING 7 "loading";
    STALE 8 "stale";
    SKIP_MONITOR 17 "skip_monitor";
    SKIP_SLOWLOG 9 "skip_slowlog";
    ASKING 16 "asking";
    FAST 10 "fast";
    NO_AUTH 11 "no_auth";
    NO_MANDATORY_KEYS 18 "no_mandatory_keys";
    NO_ASYNC_LOADING 15 "no_async_loading";
    NO_MULTI 12 "no_multi";
    MOVABLEKEYS 13 "movablekeys";
    ALLOW_BUSY 14 "allow_busy";
}

impl Flags {
    /// Both sets together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// As Redis names them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|&(_, name)| name)
    }
}

/// An ACL category, in the order in which `COMMAND INFO` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    Keyspace,
    Read,
    Write,
    Set,
    SortedSet,
    List,
    Hash,
    String,
    Bitmap,
    HyperLogLog,
    Geo,
    Stream,
    PubSub,
    Admin,
    Fast,
    Slow,
    Blocking,
    Dangerous,
    Connection,
    Transaction,
    Scripting,
}

impl Category {
    /// All of them, in that order.
    pub const ALL: [Self; 21] = [
        Self::Keyspace,
        Self::Read,
        Self::Write,
        Self::Set,
        Self::SortedSet,
        Self::List,
        Self::Hash,
        Self::String,
        Self::Bitmap,
        Self::HyperLogLog,
        Self::Geo,
        Self::Stream,
        Self::PubSub,
        Self::Admin,
        Self::Fast,
        Self::Slow,
        Self::Blocking,
        Self::Dangerous,
        Self::Connection,
        Self::Transaction,
        Self::Scripting,
    ];

    /// The one of that name, without the `@`, in any case.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name().as_bytes()[1..].eq_ignore_ascii_case(name))
    }

    /// With Redis's `@`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keyspace => "@keyspace",
            Self::Read => "@read",
            Self::Write => "@write",
            Self::Set => "@set",
            Self::SortedSet => "@sortedset",
            Self::List => "@list",
            Self::Hash => "@hash",
            Self::String => "@string",
            Self::Bitmap => "@bitmap",
            Self::HyperLogLog => "@hyperloglog",
            Self::Geo => "@geo",
            Self::Stream => "@stream",
            Self::PubSub => "@pubsub",
            Self::Admin => "@admin",
            Self::Fast => "@fast",
            Self::Slow => "@slow",
            Self::Blocking => "@blocking",
            Self::Dangerous => "@dangerous",
            Self::Connection => "@connection",
            Self::Transaction => "@transaction",
            Self::Scripting => "@scripting",
        }
    }
}
