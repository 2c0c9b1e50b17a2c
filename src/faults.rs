//! Faults that tests put between two steps. Only builds for tests have them: in all others, the functions are empty.
//!
//! The environment variable `FAILPOINTS` says which, as `recorded=return` or `recorded=5*off->return`; see the crate `fail`.

/// Reads which faults there are, for as long as the answer lives.
#[must_use]
pub fn setup() -> impl Sized {
    fail::FailScenario::setup()
}

/// Ends the process, as `kill -9` does, where the fault of this name says `return`.
pub fn crash_point(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
    // Without faults there is no use of it.
    let _ = name;
}

/// Whether the fault of this name says `return`.
#[must_use]
pub fn is_set(name: &str) -> bool {
    fail::fail_point!(name, |_| true);
    let _ = name;
    false
}

/// Panics where the fault of this name says `return(subject)`.
pub fn panic_at(name: &str, subject: &str) {
    fail::fail_point!(name, |wanted: Option<String>| assert!(wanted.as_deref() != Some(subject), "the fault {name} met {subject}"));
    let _ = (name, subject);
}
