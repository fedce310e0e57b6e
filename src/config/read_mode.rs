//! [`ReadMode`]: how new the reads of a node are. This module must never know how that is achieved.

/// Of connections that do not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadMode {
    /// A quorum confirms every read: no clock is relied on.
    #[default]
    Linearizable,
    /// A leader that a quorum has confirmed answers alone for a while: right as long as no
    /// machine's clock runs an eighth faster or slower than another's.
    Lease,
}
