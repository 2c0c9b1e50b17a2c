//! Schemas as tables of fields.

use std::fmt::Write as _;

use serde_json::Value;

use super::markup::{code, escaped, prose};
use super::{list, text};

/// The document's schemas and shared answers, to follow references.
pub(super) struct Schemas<'a>(&'a Value);

/// What a constraint is called.
const LIMITS: [(&str, &str); 9] = [
    ("minimum", "from"),
    ("maximum", "to"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {}"),
    ("maxItems", "at most {}"),
    ("maxProperties", "at most {}"),
    ("pattern", "pattern"),
    ("default", "default"),
];

impl<'a> Schemas<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self(document)
    }

    /// What a reference refers to; anything else is itself.
    pub(super) fn resolved(&self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|reference| self.0.pointer(reference.trim_start_matches('#')));
        target.unwrap_or(value)
    }

    pub(super) fn example(&self, schema: &'a Value) -> Option<&'a Value> {
        list(&self.resolved(schema)["examples"]).first()
    }

    /// A table of parameters.
    pub(super) fn parameters(&self, parameters: &[&'a Value]) -> String {
        let rows = parameters.iter().map(|one| row(text(&one["name"]), one["required"] == true, &one["schema"], text(&one["description"])));
        table(&rows.collect::<String>())
    }

    /// The fields of a body, or what it is when it has none.
    pub(super) fn fields(&self, schema: &'a Value) -> String {
        let mut out = String::new();
        let resolved = self.resolved(schema);
        out.push_str(&prose(text(&resolved["description"])));
        if let Some(choices) = resolved["oneOf"].as_array() {
            for choice in choices.iter().take(1) {
                out.push_str(&self.fields(choice));
            }
            return out;
        }
        let rows: Vec<_> = self
            .properties(resolved)
            .into_iter()
            .map(|(name, field, required)| row(name, required, field, text(&field["description"])))
            .collect();
        if !rows.is_empty() {
            out.push_str(&table(&rows.concat()));
        }
        if resolved["additionalProperties"] == false {
            out.push_str("<p class=\"note\">There are no other fields.</p>");
        }
        out
    }

    /// Name, schema and whether it is required, of an object or of several that are one.
    fn properties(&self, schema: &'a Value) -> Vec<(&'a str, &'a Value, bool)> {
        let parts = list(&schema["allOf"]).iter().flat_map(|part| self.properties(self.resolved(part)));
        let required = list(&schema["required"]);
        let own = schema["properties"].as_object().into_iter().flatten();
        let own = own.map(|(name, field)| (name.as_str(), field, required.iter().any(|one| one == name)));
        let mut all: Vec<_> = parts.chain(own).collect();
        all.sort_by_key(|(name, _, required)| (!required, *name != "id", *name));
        all
    }

    /// A kind of answer.
    pub(super) fn answer(&self, kind: &str, content: &'a Value) -> String {
        let mut out = format!("<p class=\"kind\"><code>{}</code>", escaped(kind));
        if content["schema"]["$ref"].is_string() {
            let _ = write!(out, " · {}", kind_of(&content["schema"]));
        }
        out.push_str("</p>");
        let example = if content["example"].is_null() { self.example(&content["schema"]) } else { Some(&content["example"]) };
        if let Some(example) = example {
            let _ = write!(out, "<details><summary>Example</summary>{}</details>", code(example));
        }
        out
    }

    /// Every schema with its fields.
    pub(super) fn html(&self) -> String {
        let mut out = String::new();
        for (name, schema) in self.0["components"]["schemas"].as_object().into_iter().flatten() {
            let fields = self.fields(schema);
            let body = if fields.is_empty() { format!("<p>{}</p>", kind_of(schema)) } else { fields };
            let _ = write!(out, "<article class=\"schema\" id=\"schema-{name}\"><h3>{name}</h3>{body}</article>");
        }
        out
    }
}

fn table(rows: &str) -> String {
    format!("<div class=\"scroll\"><table><tbody>{rows}</tbody></table></div>")
}

fn row(name: &str, required: bool, schema: &Value, description: &str) -> String {
    let required = if required { " <em>required</em>" } else { "" };
    let limits = limits(schema);
    let limits = if limits.is_empty() { limits } else { format!("<p class=\"limits\">{limits}</p>") };
    format!(
        "<tr><th scope=\"row\"><code>{}</code>{required}</th><td class=\"type\">{}</td><td>{}{limits}</td></tr>",
        escaped(name),
        kind_of(schema),
        prose(description)
    )
}

/// `string`, `integer or null`, `list of string`, or a link to a schema.
fn kind_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    let choices: Vec<_> = [&schema["oneOf"], &schema["anyOf"]].into_iter().flat_map(list).map(kind_of).collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    if !schema["const"].is_null() {
        return format!("<code>{}</code>", escaped(&schema["const"].to_string()));
    }
    let kinds = if schema["type"].is_array() { list(&schema["type"]) } else { std::slice::from_ref(&schema["type"]) };
    let named = kinds.iter().map(|kind| match text(kind) {
        "array" => format!("list of {}", kind_of(&schema["items"])),
        "" => "any JSON".to_owned(),
        kind => kind.to_owned(),
    });
    let mut kind = named.collect::<Vec<_>>().join(" or ");
    if let Some(format @ ("date-time" | "uuid" | "uri")) = schema["format"].as_str() {
        let _ = write!(kind, " ({format})");
    }
    kind
}

/// What values there may be.
fn limits(schema: &Value) -> String {
    let mut said = Vec::new();
    for (keyword, words) in LIMITS {
        let limit = &schema[keyword];
        let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
        match limit {
            Value::Null => {}
            // Longer patterns are for programs; the description says what they come to.
            Value::String(limit) if limit.is_empty() || limit.len() > 60 => {}
            _ if words.contains("{}") => said.push(words.replace("{}", &escaped(&shown))),
            _ => said.push(format!("{words} <code>{}</code>", escaped(&shown))),
        }
    }
    let values: Vec<_> = list(&schema["enum"]).iter().map(|value| format!("<code>{}</code>", escaped(text(value)))).collect();
    if !values.is_empty() {
        said.push(values.join(", "));
    }
    said.join(" · ")
}
