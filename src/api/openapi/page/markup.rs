//! Text as HTML.

use pulldown_cmark::{Options, Parser, html};
use serde_json::Value;

/// Text that means nothing to a browser.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Markdown as HTML.
pub(super) fn prose(markdown: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(markdown, Options::empty()));
    out
}

/// JSON as somebody would write it.
pub(super) fn code(value: &Value) -> String {
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("<pre><code>{}</code></pre>", escaped(&pretty))
}
