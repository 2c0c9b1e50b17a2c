//! The command line: a client of the API.

use serde_json::{Value, json};

use crate::harness::process::Finished;
use crate::harness::{LONG, Launch, World, both_modes, eventually, places, watchdog};

async fn run(server: &str, args: &[&str]) -> Finished {
    Launch::new(args.iter().copied()).set("POSTHASTE_SERVER", server).finish().await
}

/// What a command prints, when it is done.
async fn done(world: &World, args: &[&str]) -> String {
    let finished = run(&world.app.url(), args).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{args:?}: {}", finished.stdout);
    finished.stdout
}

async fn json_of(world: &World, args: &[&str]) -> Value {
    let printed = done(world, args).await;
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{args:?}: {error}: {printed}"))
}

both_modes! {
    async fn endpoints_can_be_made_listed_shown_changed_and_removed(setup: Setup) {
        let world = setup.await;
        let url = world.receiver.url("/");
        let create = ["endpoints", "create", "--name", "shop", "--url", &url, "--event-types", "order.*,a", "--timeout", "2.5", "--header", "X-Own: v", "--json"];
        let created = json_of(&world, &create).await;
        let id = created["id"].to_string();
        assert!(created["secret"].as_str().unwrap().starts_with("whsec_"));
        let shown = json_of(&world, &["endpoints", "get", &id, "--json"]).await;
        assert_eq!((&shown["event_types"], &shown["timeout"], &shown["headers"]), (&json!(["order.*", "a"]), &json!(2.5), &json!({"X-Own": "v"})));
        let list = done(&world, &["endpoints", "list"]).await;
        assert!(list.contains("shop") && list.contains(&url) && list.contains("order.*"), "{list}");
        assert_eq!(json_of(&world, &["endpoints", "list", "--json"]).await["items"][0]["name"], "shop");
        done(&world, &["endpoints", "update", &id, "--name", "new name", "--active", "false"]).await;
        let changed = world.api.get(&format!("/api/webhooks/endpoints/{id}")).await.expect(200);
        assert_eq!((&changed["name"], &changed["is_active"], &changed["timeout"]), (&json!("new name"), &json!(false), &json!(2.5)));
        done(&world, &["endpoints", "delete", &id]).await;
        assert!(json_of(&world, &["endpoints", "list", "--json"]).await["items"].as_array().unwrap().is_empty());
    }

    async fn events_are_sent_one_by_one_and_from_a_file(setup: Setup) {
        let world = setup.await;
        world.register("/", &json!({})).await;
        let data = r#"{"b":1.0,"a":[1e3]}"#;
        let printed = done(&world, &["events", "send", "--type", "order.created", "--data", data, "--id", "one", "--source", "shop"]).await;
        assert_eq!(printed.trim(), "one");
        world.receiver.wait_for(1).await;
        let file = watchdog::directory("events").join("events.jsonl");
        std::fs::write(&file, "{\"id\":\"two\",\"event_type\":\"a\",\"data\":2}\n\n{\"id\":\"three\",\"event_type\":\"a\",\"data\":3}\n").unwrap();
        done(&world, &["events", "send", "--file", file.to_str().unwrap()]).await;
        let requests = world.receiver.wait_for(3).await;
        assert!(requests[0].text().contains(&format!("\"data\":{data}")), "{}", requests[0].text());
        assert_eq!((requests[0].event_id(), requests[0].json()["source"].as_str()), ("one", Some("shop")));
    }

    async fn events_are_listed_and_shown_with_their_deliveries(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500]);
        world.register("/", &json!({"name": "shop", "max_retries": 1})).await;
        let data = r#"{"b":1.0,"a":[1e3,12345678901234567890]}"#;
        done(&world, &["events", "send", "--type", "order.created", "--data", data, "--id", "a/b?#%"]).await;
        done(&world, &["events", "send", "--type", "order.paid", "--data", "1", "--id", "second", "--tenant", "acme", "--source", "shop"]).await;
        world.api.ended("a/b?%23%25").await;
        let shown = done(&world, &["events", "get", "a/b?#%"]).await;
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines.contains(&format!("data        {data}").as_str()) && lines.contains(&"id          a/b?#%"), "{shown}");
        assert!(lines.contains(&"1 delivery") && shown.contains("shop (1)") && shown.contains("failed"), "{shown}");
        assert_eq!(json_of(&world, &["events", "get", "a/b?#%", "--json"]).await, world.api.get("/api/webhooks/events/a%2Fb%3F%23%25").await.json);
        world.api.metric_becomes(r#"webhook_events_total{event_type="order.paid",status="triggered"}"#, 1.0).await;
        let nobodys = eventually(LONG, async || {
            Some(done(&world, &["events", "get", "second", "--tenant", "acme"]).await).filter(|shown| shown.contains("no endpoint wanted it"))
        });
        nobodys.await;
        let list = done(&world, &["events", "list"]).await;
        assert!(list.lines().nth(1).unwrap().starts_with("second  acme     order.paid     shop    routed"), "{list}");
        let ids = async |args: &[&str]| {
            let page = json_of(&world, &[&["events", "list", "--json"], args].concat()).await;
            page["items"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let at = world.api.get("/api/webhooks/events?tenant=acme").await.expect(200)["items"][0]["created_at"].as_str().unwrap().to_owned();
        for (args, wanted) in [
            (&["--type", "order.paid"][..], vec!["second"]), (&["--source", "shop"], vec!["second"]), (&["--tenant", "default"], vec!["a/b?#%"]),
            (&["--since", &at], vec!["second"]), (&["--until", &at], vec!["a/b?#%"]), (&["--limit", "1"], vec!["second"]),
        ] {
            assert_eq!(ids(args).await, wanted, "{args:?}");
        }
        let missing = run(&world.app.url(), &["events", "get", "never"]).await;
        assert!(missing.code == Some(1) && missing.stderr.contains("no such event"), "{}", missing.stderr);
        for id in ["..", ".", ""] {
            let dots = run(&world.app.url(), &["events", "get", id]).await;
            assert!(dots.code == Some(2) && dots.stderr.contains("path of a URL"), "{}", dots.stderr);
        }
    }

    async fn deliveries_and_stats_are_shown(setup: Setup) {
        let world = setup.await;
        world.receiver.statuses("/", [500]);
        world.api.deliver("shop", &world.receiver.url("/"), &json!({"max_retries": 1})).await;
        let delivery = world.api.ended("shop").await;
        let id = delivery["id"].as_str().unwrap();
        let list = done(&world, &["deliveries", "list", "--status", "failed"]).await;
        assert!(list.contains(id) && list.contains("failed") && list.contains("500"), "{list}");
        assert_eq!(json_of(&world, &["deliveries", "list", "--json"]).await["items"][0]["id"], id);
        let none = json_of(&world, &["deliveries", "list", "--status", "delivered", "--json"]).await;
        assert!(none["items"].as_array().unwrap().is_empty());
        assert_eq!(json_of(&world, &["deliveries", "get", id, "--json"]).await, delivery);
        assert!(done(&world, &["deliveries", "get", id]).await.contains("500"));
        assert_eq!(json_of(&world, &["stats", "--json"]).await, world.api.get("/api/webhooks/stats").await.json);
        assert!(done(&world, &["stats", "--hours", "1"]).await.contains("failed_deliveries"));
    }

    async fn what_the_api_refuses_exits_with_1_and_names_the_field(setup: Setup) {
        let world = setup.await;
        for (args, named) in [
            (&["endpoints", "create", "--name", "a", "--url", "nowhere", "--event-types", "*"][..], "url"),
            (&["events", "send", "--type", "no spaces", "--data", "1"][..], "event_type"),
            (&["deliveries", "list", "--status", "lost"][..], "status"),
            (&["endpoints", "get", "4711"][..], "no such endpoint"),
        ] {
            let finished = run(&world.app.url(), args).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{args:?}: {}", finished.stderr);
            assert!(finished.stderr.contains(named), "{args:?}: {}", finished.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_any_role_says_whether_it_is_ready() {
    let world = World::production().await;
    let worker = world.another("worker").await;
    for url in [world.app.url(), worker.url()] {
        let finished = run(&url, &["ready"]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
        assert!(finished.stdout.contains("postgres") && finished.stdout.contains("redis"), "{}", finished.stdout);
    }
    let away = format!("127.0.0.1:{}", places::free_port());
    let alone = Launch::serve("worker", &format!("postgres://a@{away}/a"), &format!("redis://{away}/"), "").spawn();
    let finished = eventually(LONG, async || {
        let finished = run(&alone.url(), &["ready"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""));
        // Before it listens, nobody says what is missing.
        finished.stderr.contains("postgres: ").then_some(finished)
    });
    assert!(finished.await.stderr.contains("redis: "));
}

#[tokio::test]
async fn each_shell_gets_a_script_that_names_all_commands() {
    let commands = [
        "dev",
        "serve",
        "migrate",
        "secrets",
        "config",
        "completions",
        "events",
        "endpoints",
        "deliveries",
        "dead-letters",
        "runs",
        "ready",
        "stats",
        "listen",
    ];
    let help = Launch::new(["--help"]).finish().await.stdout;
    let listed = help.split("Commands:").nth(1).expect("a list").split("Options:").next().expect("its end");
    let listed: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(listed.len() == commands.len() && commands.iter().all(|command| listed.contains(command)), "{listed:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let finished = Launch::new(["completions", shell]).finish().await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{shell}");
        for name in commands.iter().chain(&["tail", "diagnose", "rotate-secret", "requeue", "encrypt", "retry-schedule", "until"]) {
            assert!(finished.stdout.contains(name), "{shell} does not know {name}");
        }
        if shell == "bash" {
            let file = watchdog::directory("completions").join("posthaste.bash");
            std::fs::write(&file, &finished.stdout).unwrap();
            let complete = format!(
                "bash -n '{0}' && source '{0}'; COMP_WORDS=(posthaste deliveries ta); COMP_CWORD=2; _posthaste posthaste ta deliveries; echo \"${{COMPREPLY[@]}}\"",
                file.display()
            );
            let bash = std::process::Command::new("bash").args(["-c", &complete]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "tail", "{}", String::from_utf8_lossy(&bash.stderr));
        }
    }
    let wrong = Launch::new(["completions", "basic"]).finish().await;
    assert!(wrong.code == Some(2) && wrong.stderr.contains("possible values: bash"), "{}", wrong.stderr);
}

#[tokio::test]
async fn a_server_that_is_not_there_exits_with_1_and_what_to_do() {
    let server = format!("http://127.0.0.1:{}", places::free_port());
    for args in
        [&["stats"][..], &["ready"], &["endpoints", "list"], &["deliveries", "list"], &["events", "send", "--type", "a", "--data", "1"]]
    {
        let finished = run(&server, args).await;
        assert_eq!(finished.code, Some(1), "{args:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(&server) && finished.stderr.contains("--server"), "{args:?}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn what_is_typed_wrong_exits_with_2_and_sends_nothing() {
    let wrong: [&[&str]; 5] = [
        &["events", "send", "--type", "a", "--data", "not json"],
        &["events", "send", "--file", "/nowhere"],
        &["endpoints", "create", "--name", "a"],
        &["stats", "--server", "nowhere"],
        &["endpoints", "update", "1", "--retry-schedule", "weekly"],
    ];
    for args in wrong {
        let finished = run("http://127.0.0.1:9", args).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(2), ""), "{args:?}: {}", finished.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_it_opens_over_http() {
    let world = World::embedded().set("POSTHASTE__HTTP__TOKENS", "one-0123456789abcdef").await;
    let stats = |token: &str| Launch::new(["stats"]).set("POSTHASTE_SERVER", &world.app.url()).set("POSTHASTE_TOKEN", token).finish();
    assert_eq!(stats("one-0123456789abcdef").await.code, Some(0));
    let refused = stats("two-0123456789abcdef").await;
    assert!(refused.code == Some(1) && !refused.stderr.contains("two-0123456789"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_listens_on_this_machine_alone_and_keeps_all_in_one_file() {
    let listen = Launch::new(["config", "--dev"]).finish().await;
    assert!(
        listen.stdout.contains("http.listen = \"127.0.0.1:8000\"") && listen.stdout.contains("sqlite.path = \"posthaste.sqlite\""),
        "{}",
        listen.stdout
    );
}
