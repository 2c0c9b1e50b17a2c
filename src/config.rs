//! Settings: raw as written (serde), then valid. Every problem is reported at once.
