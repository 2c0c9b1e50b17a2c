//! `posthaste endpoints test` and `posthaste endpoints diagnose`.

use reqwest::Method;
use serde_json::Value;

use super::client::{Call, Client};
use super::output::{self, seconds, shown};
use super::table::plain_lines;
use super::{CliError, Connection, Streams, input};

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

pub(super) async fn test(
    client: &Client,
    id: i64,
    event: Option<String>,
    connection: &Connection,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let id = id.to_string();
    let path = [&*id, "test"];
    let call = match event {
        Some(given) => Call::with_body(Method::POST, &path, input::json(&given, "--event")?.get().to_owned()),
        None => Call { method: Method::POST, ..Call::get(&path) },
    };
    let answer = client.call(call).await?;
    let tested: Value = output::parse(&answer)?;
    let success = tested["success"] == true;
    if connection.json {
        output::raw(&answer, streams)?;
    } else {
        let text = match &tested["error"] {
            Value::String(error) => format!("no answer: {error}"),
            _ => format!("the receiver answered {} in {}", shown(&tested["status_code"]), seconds(&tested["response_time"])),
        };
        writeln!(streams.out, "{}", paint(&plain_lines(&text), if success { GREEN } else { RED }, streams.colour))?;
        let body = tested["response_body"].as_str().unwrap_or_default();
        if !body.is_empty() {
            writeln!(streams.out, "{}", plain_lines(body))?;
        }
    }
    let advice = || CliError::Failed(format!("the test failed: `posthaste endpoints diagnose {id}` looks for the reason"));
    if success { Ok(()) } else { Err(advice()) }
}

pub(super) async fn diagnose(client: &Client, id: i64, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let id = id.to_string();
    let answer = client.call(Call::get(&[&*id, "diagnose"])).await?;
    if connection.json {
        return output::raw(&answer, streams);
    }
    let found: Value = output::parse(&answer)?;
    let list = |field: &str| found[field].as_array().cloned().unwrap_or_default();
    let (issues, recommendations) = (list("issues"), list("recommendations"));
    let verdict = match issues.len() {
        0 => paint("nothing is wrong", GREEN, streams.colour),
        1 => paint("1 issue", RED, streams.colour),
        many => paint(&format!("{many} issues"), RED, streams.colour),
    };
    writeln!(streams.out, "endpoint {id}, {}: {verdict}", paint(&shown(&found["endpoint_name"]), BOLD, streams.colour))?;
    for (number, (issue, recommendation)) in issues.iter().zip(&recommendations).enumerate() {
        writeln!(streams.out, "\n  {}. {}\n     → {}", number + 1, shown(issue), shown(recommendation))?;
    }
    writeln!(streams.out)?;
    for (name, value) in facts(&found) {
        writeln!(streams.out, "{name:20}{value}")?;
    }
    Ok(())
}

/// What was looked at, for those who want to judge for themselves.
fn facts(found: &Value) -> Vec<(&'static str, String)> {
    let way = &found["way"];
    let addresses: Vec<_> = way["addresses"].as_array().into_iter().flatten().map(|one| shown(&one["address"])).collect();
    let head = format!("{} in {}", shown(&way["head_status"]), seconds(&way["head_time"]));
    let recent = format!("{} failed of {}", shown(&found["failed_delivery_count"]), shown(&found["recent_delivery_count"]));
    let mut facts = vec![
        ("active", shown(&found["is_active"])),
        ("addresses", if addresses.is_empty() { "-".into() } else { addresses.join(", ") }),
        ("connected in", seconds(&way["connect_time"])),
    ];
    if way["certificate_expires_at"].is_string() {
        facts.push(("certificate until", output::time(&way["certificate_expires_at"])));
    }
    facts.extend([
        ("HEAD answered", if way["head_status"].is_null() { "-".into() } else { head }),
        ("latest deliveries", recent),
        ("average answer", seconds(&found["avg_response_time"])),
        ("waiting deliveries", shown(&found["waiting_delivery_count"])),
        ("breaker", shown(&found["breaker"]["state"])),
    ]);
    facts
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("{code}{text}{RESET}") } else { text.to_owned() }
}
