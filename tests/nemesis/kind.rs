//! What can happen to a cluster.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    KillLeader,
    KillFollower,
    KillAll,
    StopLeader,
    StopFollower,
    PauseLeader,
    PauseFollower,
    CutLeaderOff,
    CutFollowerOff,
    CutOneWay,
    StallOneWay,
    StallFollower,
    SlowLinks,
    FillDisk,
    JumpClock,
    SkewClocks,
    Transfer,
    Snapshot,
    Join,
    Remove,
}

impl Kind {
    pub const ALL: [Kind; 20] = [
        Kind::KillLeader,
        Kind::KillFollower,
        Kind::KillAll,
        Kind::StopLeader,
        Kind::StopFollower,
        Kind::PauseLeader,
        Kind::PauseFollower,
        Kind::CutLeaderOff,
        Kind::CutFollowerOff,
        Kind::CutOneWay,
        Kind::StallOneWay,
        Kind::StallFollower,
        Kind::SlowLinks,
        Kind::FillDisk,
        Kind::JumpClock,
        Kind::SkewClocks,
        Kind::Transfer,
        Kind::Snapshot,
        Kind::Join,
        Kind::Remove,
    ];

    /// Whether nodes themselves are its target, rather than links or clocks.
    pub fn is_of_processes(self) -> bool {
        matches!(
            self,
            Kind::KillLeader
                | Kind::KillFollower
                | Kind::KillAll
                | Kind::StopLeader
                | Kind::StopFollower
                | Kind::PauseLeader
                | Kind::PauseFollower
                | Kind::FillDisk
        )
    }
}
