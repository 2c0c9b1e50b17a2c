//! Values that may stand in a file.

use std::fs;
use std::io::{self, Read as _};

use serde_json::value::RawValue;

use super::CliError;

/// The text itself, of a file (`@path`), or of standard input (`-`).
pub(super) fn text(given: &str, option: &str) -> Result<String, CliError> {
    let read = match given.strip_prefix('@') {
        Some(path) => fs::read_to_string(path),
        None if given == "-" => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map(|_| text)
        }
        None => Ok(given.to_owned()),
    };
    read.map_err(|error| CliError::Usage(format!("{option} {given}: {error}")))
}

/// JSON as it is spelled.
pub(super) fn json(given: &str, option: &str) -> Result<Box<RawValue>, CliError> {
    let text = text(given, option)?;
    serde_json::from_str(&text).map_err(|error| CliError::Usage(format!("{option} is not valid JSON: {error}")))
}
