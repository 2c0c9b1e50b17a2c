//! The API's tokens: who may do what, for which tenant.

use std::fmt;
use std::sync::Arc;

/// What a token lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Enqueue events, and nothing else.
    Enqueue,
    /// Look at everything, and change nothing.
    Read,
}

impl Role {
    /// Its name in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Enqueue => "enqueue",
            Self::Read => "read",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Admin, Self::Enqueue, Self::Read].into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| format!("has the role `{text}`, and there are admin, enqueue and read"))
    }
}

/// A token as this process keeps it: its SHA-256 alone, so that the token itself is nowhere in memory.
#[derive(Clone, PartialEq)]
pub struct Token {
    pub sha256: [u8; 32],
    pub role: Role,
    /// The only tenant it sees and touches; `None` for all.
    pub tenant: Option<Arc<str>>,
}

/// The hash tells a guess from the token, so it is not shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("role", &self.role).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}
