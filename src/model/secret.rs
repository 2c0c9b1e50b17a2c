//! An endpoint's signing secret.

use std::fmt;

/// How a secret starts that is encrypted: nobody's own does.
pub const SEALED: &str = "sealed:";

/// The secret as its owner sees it. Never printed: `Debug` hides it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(shown: String) -> Self {
        Self(shown)
    }

    /// The text as shown to the user. For signing, storing, and the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
