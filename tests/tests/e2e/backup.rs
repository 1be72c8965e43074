//! `terrane backup` of a serving installation, and `terrane restore` into a new one, from each
//! database into the other.

use std::path::{Path, PathBuf};

use testkit::database::TestDb;
use tests::{Api, Backend, Dev, Options, Project, terrane};

/// What `terrane dev` keeps as files, and a backup seals.
const KEPT: [&str; 5] = [
    "admin-password",
    "token",
    "runner-token",
    "ca/ca.pem",
    "ca/ca.key",
];

/// Something to lose: a state, a run with its logs, a sensitive variable.
struct Installation {
    dev: Dev,
    state: String,
}

fn installation(database: Option<String>) -> Installation {
    let dev = Dev::start_with(Options {
        database,
        ..Options::default()
    });
    let project = Project::new(&dev);
    project
        .backend(Backend::Cloud, "kept")
        .write("main.tf", crate::common::CONFIGURATION);
    project.ok(&["init"]);
    project.ok(&["apply", "-auto-approve"]);
    let state = project.ok(&["state", "pull"]);
    Installation { dev, state }
}

/// Runs a command on the installation in `data`; gives whether it succeeded, and all it said.
fn run(command: &[&str], data: &Path, database: Option<&str>) -> (bool, String) {
    let mut arguments = command.to_vec();
    arguments.extend(["--data-dir", data.to_str().unwrap()]);
    let environment: Vec<_> = database
        .iter()
        .map(|url| ("TERRANE__DATABASE__URL", *url))
        .collect();
    let output = terrane(&arguments, &environment);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), said)
}

/// A data directory for a restore: empty but for the key, which no backup holds.
fn with_key_only(data: &Path, key_of: &Dev) {
    std::fs::create_dir_all(data).unwrap();
    let key = key_of.facts.data_dir.join("installation.key");
    std::fs::copy(key, data.join("installation.key")).unwrap();
}

async fn goes_from_one_into_the_other(from: Option<&TestDb>, into: Option<&TestDb>) {
    let url = |database: Option<&TestDb>| database.map(|it| it.url().to_owned());
    let old = installation(url(from));
    let backup = old.dev.scratch().join("backup");
    let backup = backup.to_str().unwrap();
    let (made, said) = run(
        &["backup", backup],
        &old.dev.facts.data_dir,
        url(from).as_deref(),
    );
    assert!(made, "{said}");
    assert!(said.contains("not part of it"), "{said}");
    let key = std::fs::read_to_string(old.dev.facts.data_dir.join("installation.key")).unwrap();
    let found = find_text(Path::new(backup), key.trim());
    assert!(found.is_none(), "the key is in {found:?}");
    for file in KEPT {
        let text = std::fs::read_to_string(old.dev.facts.data_dir.join(file)).unwrap();
        let secret = text.lines().last().unwrap_or_default();
        let line = text.lines().nth(1).unwrap_or(secret);
        let found = find_text(Path::new(backup), line);
        assert!(found.is_none(), "{file} is in {found:?}");
    }

    let options = Options {
        database: url(into),
        ..Options::default()
    };
    let new = Dev::start_on(options, |data| {
        with_key_only(data, &old.dev);
        let (restored, said) = run(&["restore", backup, "--verify"], data, url(into).as_deref());
        assert!(restored, "{said}");
        assert!(said.contains("verified"), "{said}");
        // A second time it would mix two installations.
        let (again, said) = run(&["restore", backup], data, url(into).as_deref());
        assert!(!again && said.contains("not empty"), "{said}");
    });
    // Whoever trusts the old CA and has the old password or token goes on with them.
    for file in KEPT {
        let read = |dev: &Dev| std::fs::read_to_string(dev.facts.data_dir.join(file)).unwrap();
        assert_eq!(read(&new), read(&old.dev), "{file}");
    }
    let as_before = Api::new(&new.facts.url, &old.dev.facts.ca_file, &old.dev.facts.token);
    as_before.get("account/details").await.expect(200);
    let project = Project::new(&new);
    project
        .backend(Backend::Cloud, "kept")
        .write("main.tf", crate::common::CONFIGURATION);
    project.ok(&["init"]);
    assert_eq!(project.ok(&["state", "pull"]), old.state);
    // Earlier runs are there with their logs, and new ones go on from the restored state.
    let api = new.api();
    let id = api
        .workspace(&new.facts.environment, "kept")
        .await
        .expect(200)
        .id();
    let runs = api.get(&format!("workspaces/{id}/runs")).await.expect(200);
    let apply = runs.json["data"][0]["relationships"]["apply"]["data"]["id"]
        .as_str()
        .unwrap();
    let log = api.log(&format!("applies/{apply}")).await;
    assert!(log.contains("Apply complete!"), "{log}");
    project.ok(&["apply", "-auto-approve", "-var=message=v2"]);
    assert_eq!(project.ok(&["output", "-raw", "message"]), "v2");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_into_postgres() {
    let Some(postgres) = TestDb::empty_postgres().await else {
        return;
    };
    goes_from_one_into_the_other(None, Some(&postgres)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_into_sqlite() {
    let Some(postgres) = TestDb::empty_postgres().await else {
        return;
    };
    goes_from_one_into_the_other(Some(&postgres), None).await;
}

/// What is garbled is refused before anything is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_not_whole_is_refused() {
    let old = installation(None);
    let pristine = old.dev.scratch().join("pristine");
    let (made, said) = run(
        &["backup", pristine.to_str().unwrap()],
        &old.dev.facts.data_dir,
        None,
    );
    assert!(made, "{said}");
    let (twice, said) = run(
        &["backup", pristine.to_str().unwrap()],
        &old.dev.facts.data_dir,
        None,
    );
    assert!(!twice && said.contains("not empty"), "{said}");

    /// What the refusal says, and what was done to the backup.
    type Garbling = (&'static str, fn(&Path));
    let garbling: [Garbling; 7] = [
        ("manifest.json", |backup| {
            std::fs::remove_file(backup.join("manifest.json")).unwrap();
        }),
        ("manifest.json", |backup| {
            std::fs::write(backup.join("manifest.json"), "{\"format\":1").unwrap();
        }),
        ("workspaces.jsonl", |backup| {
            let path = backup.join("tables/workspaces.jsonl");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replace("kept", "lost")).unwrap();
        }),
        ("missing, changed or cut short", |backup| {
            let object = a_file(&backup.join("objects"));
            let bytes = std::fs::read(&object).unwrap();
            std::fs::write(&object, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("missing, changed or cut short", |backup| {
            std::fs::remove_file(a_file(&backup.join("objects"))).unwrap();
        }),
        ("files.sealed", |backup| {
            let path = backup.join("files.sealed");
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }),
        ("files.sealed", |backup| {
            std::fs::remove_file(backup.join("files.sealed")).unwrap();
        }),
    ];
    for (number, (word, garble)) in garbling.into_iter().enumerate() {
        let backup = old.dev.scratch().join(format!("garbled-{number}"));
        copy_all(&pristine, &backup);
        garble(&backup);
        let data = old.dev.scratch().join(format!("data-{number}"));
        with_key_only(&data, &old.dev);
        let (restored, said) = run(&["restore", backup.to_str().unwrap()], &data, None);
        assert!(!restored && said.contains(word), "{word}: {said}");
        assert!(said.contains("Nothing was restored"), "{said}");
        assert!(KEPT.iter().all(|file| !data.join(file).exists()), "{word}");
        // The same place takes the whole one.
        let (restored, said) = run(&["restore", pristine.to_str().unwrap()], &data, None);
        assert!(restored, "{said}");
    }

    let data = old.dev.scratch().join("another-key");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("installation.key"), "ab".repeat(32)).unwrap();
    let (restored, said) = run(&["restore", pristine.to_str().unwrap()], &data, None);
    assert!(!restored && said.contains("installation key"), "{said}");
}

/// Some file below a directory.
fn a_file(directory: &Path) -> PathBuf {
    files(directory).into_iter().next().unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn copy_all(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

/// The first file that has this text in it.
pub(crate) fn find_text(directory: &Path, text: &str) -> Option<PathBuf> {
    files(directory).into_iter().find(|file| {
        let bytes = std::fs::read(file).unwrap();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}
