//! What is wrong with tokens is said at once, and what they are is not.

use crate::harness::{Launch, watchdog};

async fn run(args: &[&str], text: &str) -> crate::harness::process::Finished {
    let path = watchdog::directory("settings").join("posthaste.toml");
    std::fs::write(&path, text).unwrap();
    Launch::new(args.iter().copied()).arg("--config").arg(path.to_str().unwrap()).finish().await
}

#[tokio::test]
async fn every_problem_of_every_token_is_named_at_once_and_no_token_is_shown() {
    let text = r#"
[http]
tokens = [
    "hunter2-hunter2-hunter2",
    { token = "hunter2-hunter2-hunter2", role = "read" },
    { token = "hunter2", role = "boss", tenant = "no spaces" },
    { token = "hunter2-hunter2-hunter3", sha256 = "abc" },
    { sha256 = "hunter2" },
    { token = "hunter2-hunter2-hunter4", rights = "read" },
    { role = "read" },
]
"#;
    let finished = run(&["dev"], text).await;
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    let named = [
        "token 2 is token 1 once more",
        "token 3 must be at least 16 visible ASCII characters",
        "`boss`",
        "`no spaces`",
        "token 4 has both",
        "token 5 has a sha256",
        "token 6 has `rights`",
        "token 7 must be",
    ];
    for what in named {
        assert!(finished.stderr.contains(what), "{what} in\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
}

#[tokio::test]
async fn every_problem_of_the_master_keys_is_named_and_no_key_is_shown() {
    let text = "[security]\nmaster_key = [\"hunter2\", \"aHVudGVyMg==\", \
        \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\", \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"]\n";
    let finished = run(&["dev"], text).await;
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    for what in ["key 1 is not", "key 2 is not", "the same key twice", "openssl rand -base64 32"] {
        assert!(finished.stderr.contains(what), "{what} in\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("hunter2") && !finished.stderr.contains("aHVu"), "{}", finished.stderr);
    let finished = run(&["dev"], "[security]\nmaster_key_file = \"/nowhere/key\"\n").await;
    assert!(finished.code == Some(64) && finished.stderr.contains("/nowhere/key"), "{}", finished.stderr);
}

#[tokio::test]
async fn config_shows_neither_tokens_nor_hashes_nor_keys() {
    let text = "[http]\ntokens = [{ token = \"hunter2-hunter2-hunter2\", role = \"read\" }]\n\
        [security]\nmaster_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n";
    let finished = run(&["config"], text).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(!finished.stdout.contains("hunter2") && !finished.stdout.contains("AAEC"), "{}", finished.stdout);
    let finished = run(&["config"], "[http]\ntokens = [\"hunter2-hunter2-hunter2\" x]\n").await;
    assert!(finished.code == Some(64) && finished.stderr.contains("line 2"), "{}", finished.stderr);
    assert!(!finished.stderr.contains("hunter2"), "where it is no TOML, its lines are not repeated: {}", finished.stderr);
    let finished = run(&["config"], "[http.tokens]\ntoken = \"hunter2-hunter2-hunter2\"\n").await;
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    assert!(!finished.stdout.contains("hunter2") && !finished.stderr.contains("hunter2"), "{}{}", finished.stdout, finished.stderr);
}
