//! The image: what is in it, and that the build is given all it needs. (No image is built here: that takes an engine.)

use std::path::{Component, Path, PathBuf};

use super::{read, root, text};
use crate::harness::verifiers;

/// Instructions with their arguments, lines that go on joined, comments left out.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile");
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = joined.lines().filter_map(|line| line.trim().split_once(' '));
    split.map(|(instruction, rest)| (instruction.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

/// What is copied out of this folder, and not out of another stage.
fn copied() -> Vec<String> {
    let copies = instructions().into_iter().filter(|(name, rest)| name == "COPY" && !rest.starts_with("--from"));
    let sources = copies.flat_map(|(_, rest)| {
        let mut parts: Vec<_> = rest.split(' ').map(str::to_owned).collect();
        parts.pop();
        parts
    });
    sources.collect()
}

/// Files below a folder, from the root of the package.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    let below = entries.iter().filter(|path| path.is_dir()).flat_map(|path| files(path));
    below.chain(entries.iter().filter(|path| path.is_file()).cloned()).collect()
}

/// Paths that a source includes when it is compiled, made plain: `src/config/../../a` is `a`.
fn included(source: &Path) -> Vec<PathBuf> {
    let code = std::fs::read_to_string(source).unwrap();
    let named = |start: &str| -> Vec<PathBuf> {
        code.match_indices(start).filter_map(|(at, _)| code[at + start.len()..].split('"').next()).map(PathBuf::from).collect()
    };
    let own = source.parent().unwrap().strip_prefix(root()).unwrap();
    let beside = ["include_str!(\"", "include_bytes!(\"", "include!(\""].iter().flat_map(|start| named(start)).map(|path| own.join(path));
    let migrations = named("embed_migrations!(\"");
    let plain = beside.chain(migrations).map(|path| {
        path.components().fold(PathBuf::new(), |mut plain, part| {
            if part == Component::ParentDir {
                plain.pop()
            } else {
                plain.push(part);
                true
            };
            plain
        })
    });
    plain.collect()
}

#[tokio::test]
async fn hadolint_finds_nothing() {
    let output = verifiers::tool("hadolint", &["--failure-threshold", "style", "Dockerfile"]).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_build_is_given_all_that_the_program_is_made_of() {
    let copied = copied();
    let ignored = read(".dockerignore");
    let given: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "everything else stays outside");
    for source in &copied {
        assert!(root().join(source).exists(), "{source} is copied and not there");
        assert!(given.contains(&source.as_str()), "{source} is copied and ignored");
    }
    for wanted in ["Cargo.toml", "Cargo.lock", "src"] {
        assert!(copied.iter().any(|source| source == wanted), "{wanted}");
    }
    let sources = files(&root().join("src")).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let included: Vec<_> = sources.flat_map(|source| included(&source)).collect();
    assert!(included.contains(&PathBuf::from("posthaste.default.toml")) && included.contains(&PathBuf::from("migrations/postgres")));
    for path in included {
        assert!(copied.iter().any(|source| path.starts_with(source)), "{} is not in the image's build", path.display());
    }
}

#[test]
fn the_image_is_small_runs_as_nobody_and_says_what_it_is() {
    let all = instructions();
    let last_stage = all.iter().rposition(|(name, _)| name == "FROM").expect("a stage");
    let (build, image) = all.split_at(last_stage);
    assert_eq!(build.iter().filter(|(name, _)| name == "FROM").count(), 1, "one stage builds");
    let of = |wanted: &str| image.iter().filter(|(name, _)| name == wanted).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>();
    // Nothing could run there: it has no shell.
    assert!(of("RUN").is_empty());
    assert_eq!(of("USER"), ["65532:65532"]);
    assert_eq!(of("ENTRYPOINT"), [r#"["/usr/local/bin/posthaste"]"#]);
    assert!(of("HEALTHCHECK")[0].ends_with(r#"CMD ["/usr/local/bin/posthaste", "ready"]"#));
    assert!(of("ARG").contains(&concat!("VERSION=", env!("CARGO_PKG_VERSION"))));
    for label in ["title", "description", "licenses", "version", "revision"] {
        assert!(of("LABEL")[0].contains(&format!("org.opencontainers.image.{label}=")), "{label}");
    }
    for (_, base) in all.iter().filter(|(name, _)| name == "FROM") {
        let tag = base.split(' ').next().and_then(|image| image.split_once(':')).map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{base}");
    }
}

#[test]
fn dependencies_are_compiled_before_the_sources_are_copied() {
    let all = instructions();
    let at = |wanted: &dyn Fn(&(String, String)) -> bool| all.iter().position(wanted).expect("an instruction");
    let manifest = at(&|(name, rest)| name == "COPY" && rest.starts_with("Cargo.toml Cargo.lock"));
    let dependencies = at(&|(name, rest)| name == "RUN" && rest.contains("cargo build --release --locked"));
    let sources = at(&|(name, rest)| name == "COPY" && rest.starts_with("src "));
    assert!(manifest < dependencies && dependencies < sources);
}
