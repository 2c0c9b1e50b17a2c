//! Every call of the API has a description: `routes!` makes the route and its description from one place, so no other
//! way to make a route may be used.

use super::sources::sources;

const OTHER_WAYS: [&str; 5] = [".route(", ".route_service(", ".nest_service(", "Router::new()", "axum::routing"];

#[test]
fn no_call_of_the_api_is_without_a_description() {
    let mut wrong = Vec::new();
    for source in sources(&["src/api"]) {
        // The tests of the API make no routes of it.
        if source.path.starts_with("src/api/tests") {
            continue;
        }
        for (number, line) in source.code() {
            let line = line.replace("OpenApiRouter::new()", "");
            if OTHER_WAYS.iter().any(|way| line.contains(way)) {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these routes have no description; make them with `routes!` (CONTRIBUTING.md, \"A new call of the API\"):\n{}",
        wrong.join("\n")
    );
}
