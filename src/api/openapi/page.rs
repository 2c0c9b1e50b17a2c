//! The document as a page: rendered here, without scripts, and with nothing that comes from elsewhere.

mod fields;
mod markup;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use fields::Schemas;
use markup::{code, escaped, prose};

const STYLE: &str = include_str!("page/style.css");
/// How a reader expects them.
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// The page, and what a browser may do with it.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) html: Bytes,
    /// `Content-Security-Policy`: its own style and nothing else.
    pub(super) policy: String,
}

/// One call, as the page shows it.
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    value: &'a Value,
}

impl Page {
    pub(super) fn new(document: &Value) -> Self {
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        Self { html: render(document).into(), policy }
    }
}

fn render(document: &Value) -> String {
    let info = &document["info"];
    let (title, version) = (text(&info["title"]), text(&info["version"]));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>{STYLE}</style></head><body><nav aria-label=\"Calls\">{}</nav><main>\
         <header><h1>{title} <small>{version}</small></h1><p class=\"lead\">{}</p>{}<p>For programs: <a href=\"/openapi.json\">openapi.json</a> (OpenAPI 3.1)</p></header>",
        contents(document),
        escaped(text(&info["summary"])),
        prose(text(&info["description"])),
    );
    let schemas = Schemas::new(document);
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        let _ = write!(page, "<section id=\"tag-{name}\"><h2>{name}</h2>{}", prose(text(&tag["description"])));
        for operation in operations(document, name) {
            page.push_str(&operation.html(&schemas));
        }
        page.push_str("</section>");
    }
    page.push_str("<section id=\"receivers\"><h2>Receivers</h2>");
    for (path, item) in document["webhooks"].as_object().into_iter().flatten() {
        page.push_str(&Operation { path, method: "post", value: &item["post"] }.html(&schemas));
    }
    let _ = write!(page, "</section><section id=\"problems\"><h2>Problems</h2>{}", problems(document, &schemas));
    page.push_str("</section><section id=\"schemas\"><h2>Schemas</h2>");
    page.push_str(&schemas.html());
    page.push_str("</section></main></body></html>");
    page
}

/// The answers that many calls have in common.
fn problems(document: &Value, schemas: &Schemas<'_>) -> String {
    let mut out = String::from("<p>RFC 9457: what went wrong, and what to do.</p><dl class=\"answers\">");
    let mut all: Vec<_> = document["components"]["responses"].as_object().into_iter().flatten().collect();
    let status = |answer: &Value| answer["content"]["application/problem+json"]["example"]["status"].to_string();
    all.sort_by_key(|(_, answer)| status(answer));
    for (name, answer) in all {
        let description = prose(text(&answer["description"]));
        let _ = write!(out, "<dt id=\"problem-{name}\"><b class=\"status\">{}</b></dt><dd>{description}", status(answer));
        for (header, value) in answer["headers"].as_object().into_iter().flatten() {
            let _ = write!(out, "<p><code>{header}</code>: {}</p>", escaped(text(&value["description"])));
        }
        for (kind, content) in answer["content"].as_object().into_iter().flatten() {
            out.push_str(&schemas.answer(kind, content));
        }
        out.push_str("</dd>");
    }
    out.push_str("</dl>");
    out
}

fn contents(document: &Value) -> String {
    let mut out = String::from("<a class=\"home\" href=\"#\">Posthaste</a>");
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        let _ = write!(out, "<details open><summary>{name}</summary><ul>");
        for operation in operations(document, name) {
            let (id, summary) = (text(&operation.value["operationId"]), escaped(text(&operation.value["summary"])));
            let _ = write!(out, "<li><a href=\"#{id}\">{}<span>{summary}</span></a></li>", operation.badge());
        }
        out.push_str("</ul></details>");
    }
    out.push_str("<details open><summary>Receivers</summary><ul><li><a href=\"#receiveEvent\">");
    out.push_str("<b class=\"method out\">sends</b><span>An event is delivered</span></a></li></ul></details><a class=\"last\" href=\"#problems\">Problems</a><a class=\"last\" href=\"#schemas\">Schemas</a>");
    out
}

fn operations<'a>(document: &'a Value, tag: &str) -> Vec<Operation<'a>> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let value = &item[method];
            if list(&value["tags"]).iter().any(|name| name == tag) {
                found.push(Operation { path, method, value });
            }
        }
    }
    found
}

impl Operation<'_> {
    /// Whether Posthaste makes it, instead of answering it.
    fn is_outgoing(&self) -> bool {
        !self.path.starts_with('/')
    }

    fn badge(&self) -> String {
        format!("<b class=\"method {0}\">{0}</b>", self.method)
    }

    fn html(&self, schemas: &Schemas<'_>) -> String {
        let value = self.value;
        let path = if self.is_outgoing() { "the endpoint’s URL".to_owned() } else { escaped(self.path).replace('/', "/<wbr>") };
        let mut out = format!(
            "<article id=\"{}\"><h3>{}</h3><p class=\"call\">{} <code>{path}</code></p>{}",
            text(&value["operationId"]),
            escaped(text(&value["summary"])),
            self.badge(),
            prose(text(&value["description"])),
        );
        for (kind, heading) in [("path", "Path"), ("query", "Query"), ("header", "Headers")] {
            let parameters: Vec<_> = list(&value["parameters"]).iter().filter(|parameter| parameter["in"] == kind).collect();
            if !parameters.is_empty() {
                let _ = write!(out, "<h4>{heading}</h4>{}", schemas.parameters(&parameters));
            }
        }
        let content = &value["requestBody"]["content"]["application/json"];
        if !content.is_null() {
            let _ = write!(out, "<h4>Body</h4>{}", schemas.fields(&content["schema"]));
            let example = if content["example"].is_null() { schemas.example(&content["schema"]) } else { Some(&content["example"]) };
            out.push_str(&example.map(code).unwrap_or_default());
        }
        let _ = write!(out, "<h4>{}</h4>{}", if self.is_outgoing() { "What your answer means" } else { "Answers" }, self.answers(schemas));
        out.push_str("</article>");
        out
    }

    fn answers(&self, schemas: &Schemas<'_>) -> String {
        let mut out = String::from("<dl class=\"answers\">");
        let all = || self.value["responses"].as_object().into_iter().flatten();
        for (status, answer) in all().filter(|(_, answer)| answer["$ref"].is_null()) {
            let class = status.chars().next().unwrap_or('d');
            let _ = write!(out, "<dt><b class=\"status s{class}\">{status}</b></dt><dd>{}", prose(text(&answer["description"])));
            for (kind, content) in answer["content"].as_object().into_iter().flatten() {
                out.push_str(&schemas.answer(kind, content));
            }
            out.push_str("</dd>");
        }
        out.push_str("</dl>");
        // The same for many calls: each is shown once, in a section of its own.
        let shared = all().filter_map(|(status, answer)| Some((status, answer["$ref"].as_str()?.rsplit('/').next()?)));
        let links: Vec<_> = shared.map(|(status, name)| format!("<a href=\"#problem-{name}\">{status}</a>")).collect();
        if !links.is_empty() {
            let _ = write!(out, "<p class=\"note\">Problems: {}</p>", links.join(" · "));
        }
        out
    }
}

/// The text of a JSON string; empty for everything else.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The elements of a JSON array; none for everything else.
fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
