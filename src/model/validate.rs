//! The alphabets and lengths of the contract. Each check answers with what would be right.

/// `id` of an event: 1–255 visible ASCII characters.
pub fn event_id(id: &str) -> Result<(), String> {
    let right = (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    right.then_some(()).ok_or_else(|| "must be 1 to 255 visible ASCII characters".into())
}

/// `event_type`: 1–255 of `A-Z a-z 0-9 _ - . /`.
pub fn event_type(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let right = (1..=255).contains(&name.len()) && name.bytes().all(allowed);
    right.then_some(()).ok_or_else(|| "must be 1 to 255 of A-Z a-z 0-9 _ - . /".into())
}

/// `tenant`: 1–64 of `A-Z a-z 0-9 _ - .`.
pub fn tenant(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let right = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
    right.then_some(()).ok_or_else(|| "must be 1 to 64 of A-Z a-z 0-9 _ - .".into())
}

/// Text that both databases can keep.
pub fn storable(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("must not contain U+0000".into()) } else { Ok(()) }
}
