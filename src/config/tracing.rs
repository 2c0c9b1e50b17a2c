//! `tracing`: where spans go.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::reader::Reader;

const HEADERS: &str = "tracing.otlp_headers";
/// What OTLP has for traces below a collector's base URL.
const PATH: [&str; 2] = ["v1", "traces"];

#[derive(Debug, Clone)]
pub struct TracingSettings {
    /// Where requests with spans go, path included. Without it no spans are made.
    pub collector: Option<Url>,
    /// What those requests carry besides; hidden when they are printed.
    pub headers: HeaderMap,
    /// The part of all traces that begin here of which spans are made, from 0 to 1.
    pub sample: f64,
    pub service_name: String,
}

pub(super) fn read(from: &mut Reader) -> TracingSettings {
    let service_name = from.text("tracing.service_name");
    if service_name.trim().is_empty() {
        from.problem("tracing.service_name", "must not be empty: traces are found by it");
    }
    TracingSettings {
        collector: from.parsed("tracing.otlp_endpoint", collector).flatten(),
        headers: headers(from),
        sample: from.fraction("tracing.sample", 0.0, 1.0),
        service_name,
    }
}

fn collector(text: &str) -> Result<Option<Url>, String> {
    let wrong = || "must be a URL such as http://127.0.0.1:4318, where the collector takes OTLP over HTTP".to_owned();
    if text.is_empty() {
        return Ok(None);
    }
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(wrong)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user or password: put credentials into tracing.otlp_headers".into());
    }
    if !url.path().ends_with("/v1/traces") {
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(PATH);
    }
    Ok(Some(url))
}

/// What is wrong is named by its place: the text may be a secret.
fn headers(from: &mut Reader) -> HeaderMap {
    let given: Vec<String> = from.list(HEADERS).into_iter().map(|item| item.into_string().unwrap_or_default()).collect();
    let mut headers = HeaderMap::with_capacity(given.len());
    for (text, place) in given.iter().zip(1..) {
        let read = text.split_once('=').and_then(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::try_from(value.trim()).ok()?))
        });
        match read {
            Some((name, mut value)) => {
                value.set_sensitive(true);
                headers.append(name, value);
            }
            None => from.problem(HEADERS, format!("header {place} is not `name=value`, such as `authorization=Bearer …`")),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_otlp_is_added_where_it_is_missing() {
        let table = [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/otlp", "https://otlp.example/otlp/v1/traces"),
            ("https://otlp.example/otlp/", "https://otlp.example/otlp/v1/traces"),
            ("https://otlp.example/otlp/v1/traces", "https://otlp.example/otlp/v1/traces"),
        ];
        for (given, wanted) in table {
            assert_eq!(collector(given).map(|url| url.map(String::from)), Ok(Some(wanted.to_owned())), "{given}");
        }
        assert_eq!(collector(""), Ok(None));
        for wrong in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "https://user:hunter2@otlp.example/"] {
            assert!(collector(wrong).is_err_and(|message| !message.contains("hunter2")), "{wrong}");
        }
    }
}
