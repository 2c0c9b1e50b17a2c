//! The API does what its own description says, as schemathesis sees it: what fits the description is taken, what does not is refused,
//! and every answer is one of those that are described. `make conform` tries more.

use serde_json::json;

use crate::harness::{Reply, Setup, World, both_modes, verifiers};

const ADMIN: &str = "conform-admin-token-0123456789";

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
fn number(name: &str, otherwise: u32) -> String {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}"))).to_string()
}

/// A world in which there is something to find: deliveries that failed and that succeeded.
async fn furnished(setup: Setup, token: Option<&str>) -> World {
    // Addresses that the description of URLs leads to: this machine, and the zeros that stand for it.
    let mut world = setup.set("POSTHASTE__GUARD__ALLOW", "127.0.0.0/8,0.0.0.0/8").await;
    if let Some(token) = token {
        world.api = world.api.with_token(token);
    }
    world.receiver.rule("/fails", |_| Reply::status(500));
    world.api.register(&world.receiver.url("/fails"), &json!({"max_retries": 1})).await;
    world.api.register(&world.receiver.url("/"), &json!({})).await;
    world.api.send_id("e").await;
    world.api.wait_for_deliveries("failed", 1).await;
    world
}

async fn conforms(world: &World, examples: u32, more: &[&str]) {
    let mut arguments = vec!["--max-examples".into(), number("CONFORM_EXAMPLES", examples), "--seed".into(), number("CONFORM_SEED", 1)];
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    verifiers::schemathesis(&world.app.url(), &arguments).await;
}

both_modes! {
    async fn the_api_does_what_its_description_says(setup: Setup) {
        let world = furnished(setup, None).await;
        conforms(&world, 4, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tokens_the_api_does_what_its_description_says_with_one_and_without() {
    let world = furnished(World::embedded().set("POSTHASTE__HTTP__TOKENS", ADMIN), Some(ADMIN)).await;
    let header = format!("Authorization: Bearer {ADMIN}");
    conforms(&world, 4, &["--header", &header, "--phases", "examples,fuzzing"]).await;
    conforms(&world, 1, &["--phases", "examples,fuzzing"]).await;
}
