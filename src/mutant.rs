//! Deliberate defects, with which the tests show that they can see. They exist only in builds
//! with the feature `mutants`, which nobody but the tests asks for; elsewhere [`is`] is a
//! constant that the compiler takes out. This module must never hold more than that question.

macro_rules! mutants {
    ($($(#[$text:meta])* $name:ident,)*) => {
        /// A defect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Mutant {
            $($(#[$text])* $name,)*
        }

        /// The defect of that name, if there is one.
        #[cfg(feature = "mutants")]
        pub fn named(name: &str) -> Option<Mutant> {
            match name {
                $(stringify!($name) => Some(Mutant::$name),)*
                _ => None,
            }
        }
    };
}

mutants! {
    /// What a write promises is sent before the write is on disk.
    AcknowledgeBeforeSync,
    /// A leader counts what it has given to its disk as if that had it already.
    AheadIsCounted,
    /// A leader commits what it alone holds, and is late with what the others need.
    AcknowledgeBeforeCommit,
    /// Reads are answered without asking whether this node still leads.
    ReadsWithoutQuorum,
    /// A batch is applied however often it comes.
    DedupOff,
    /// The vote is not written.
    VoteNotPersisted,
    /// A snapshot forgets the members.
    SnapshotWithoutMembership,
    /// A leader commits an entry of an earlier term because a majority holds it.
    CommitOfStaleTerm,
    /// A lease is taken for valid without a look at the clock.
    LeaseNotChecked,
    /// One entry too many is let go of when the log is compacted.
    CompactionOffByOne,
    /// A change of the configuration is applied twice.
    ConfigChangeTwice,
    /// `ONCE` runs its command every time.
    OnceEveryTime,
    /// An element that would begin a new node of a list is dropped.
    PushLost,
    /// A pop takes two elements, and tells of one.
    PopTwice,
    /// A pop of the least takes the next after it.
    WrongLeast,
    /// `HINCRBY` sometimes tells of what it does not do.
    IncrementLost,
    /// Of a script only the first write takes place.
    ScriptHalf,
    /// The members of a large set come out of a snapshot in another order.
    OrderLost,
    /// A snapshot has of a long value what it is at its turn, and not what it was at the begin.
    LongNotFrozen,
    /// An entry of a stream that is acknowledged stays pending.
    AckForgotten,
    /// Who waits for an element takes two, and tells of the first.
    TryTwice,
}

#[cfg(feature = "mutants")]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Whether the code that asks is to be broken in this way.
#[cfg(feature = "mutants")]
pub fn is(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(mutant)
}

/// Whether the code that asks is to be broken in this way: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is(_: Mutant) -> bool {
    false
}

/// Breaks what runs on this thread from now on; None: nothing.
#[cfg(feature = "mutants")]
pub fn set(mutant: Option<Mutant>) {
    ACTIVE.set(mutant);
}
