//! [`DebugCommand`]: who may use `DEBUG`. This module must never know what that is.

/// As Redis's `enable-debug-command`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DebugCommand {
    /// Nobody.
    #[default]
    No,
    /// Everybody.
    Yes,
    /// Who comes from this machine.
    Local,
}

impl DebugCommand {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Local => "local",
        }
    }
}
