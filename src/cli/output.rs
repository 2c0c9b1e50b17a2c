//! Shows what the API answered: its own JSON, or text for people.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::table::{self, Table};
use super::{CliError, Connection, Streams};

/// Columns of a list: their headings, and how an item fills them.
pub(super) struct Columns {
    pub(super) header: &'static [&'static str],
    pub(super) cells: fn(&Value) -> Vec<String>,
}

/// Shows one page of a list.
pub(super) fn list(answer: &str, columns: &Columns, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    if connection.json {
        return raw(answer, streams);
    }
    let page: Value = parse(answer)?;
    let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        writeln!(streams.out, "none")?;
    } else {
        let mut table = Table::new(columns.header);
        items.iter().for_each(|item| table.row(&(columns.cells)(item)));
        table.write(streams.out, streams.colour)?;
    }
    // What is rare may leave a page empty, and be on the next one.
    if let Some(cursor) = page["next_cursor"].as_str() {
        writeln!(streams.out, "\nthere is more: --cursor {}", table::plain(cursor))?;
    }
    Ok(())
}

/// Shows one object, a line for each field.
pub(super) fn object(answer: &str, connection: &Connection, streams: &mut Streams<'_>) -> Result<(), CliError> {
    if connection.json {
        return raw(answer, streams);
    }
    fields(answer, |_| true, streams)
}

/// The same for those fields that are `wanted`, whatever was asked for.
pub(super) fn fields(answer: &str, wanted: impl Fn(&str) -> bool, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let mut fields: Fields = parse(answer)?;
    fields.0.retain(|(name, _)| wanted(name));
    let width = fields.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 2;
    for (name, value) in &fields.0 {
        match value {
            Value::Array(items) if items.iter().any(Value::is_object) => nested(name, items, streams)?,
            value => {
                let shown = shown(value);
                let padded = format!("{name:width$}");
                match table::colour_of(&shown).filter(|_| streams.colour) {
                    Some(code) => writeln!(streams.out, "{padded}{code}{shown}\x1b[0m")?,
                    None => writeln!(streams.out, "{padded}{shown}")?,
                }
            }
        }
    }
    Ok(())
}

/// Objects inside of an object, such as the attempts of a delivery: one line for each.
fn nested(name: &str, items: &[Value], streams: &mut Streams<'_>) -> Result<(), CliError> {
    writeln!(streams.out, "{name}")?;
    for item in items {
        let fields = item.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let line: Vec<_> = fields.map(|(name, value)| format!("{name}={}", shown(value))).collect();
        writeln!(streams.out, "  {}", line.join("  "))?;
    }
    Ok(())
}

/// Passes the API's JSON on as it came, one answer a line.
pub(super) fn raw(answer: &str, streams: &mut Streams<'_>) -> Result<(), CliError> {
    writeln!(streams.out, "{}", answer.trim_end())?;
    Ok(())
}

/// A value as people read it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => table::plain(text),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        // Six digits after the point are a microsecond: what follows is noise of the arithmetic.
        Value::Number(number) if number.is_f64() => format!("{}", (number.as_f64().unwrap_or_default() * 1e6).round() / 1e6),
        other => table::plain(&other.to_string()),
    }
}

/// A number of seconds.
pub(super) fn seconds(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".into(), |seconds| format!("{seconds:.3} s"))
}

/// A time, to the second.
pub(super) fn time(value: &Value) -> String {
    let text = shown(value);
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

pub(super) fn parse<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, CliError> {
    serde_json::from_str(answer).map_err(|error| CliError::Failed(format!("the server's answer is not understood: {error}")))
}

/// The fields of an object in the order of the answer.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
