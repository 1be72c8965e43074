//! Submodules, Git LFS and credentials that have run out, over smart HTTP with the real git.

use std::path::Path;
use std::process::Command;

use protocol::v1::complete_request::Outcome;
use protocol::v1::*;
use sha2::{Digest, Sha256};

use crate::git::{Served, TOKEN, files, git, serve_all, work};
use crate::jobs::job;
use crate::machine::{Machine, skip};
use crate::plane::Plane;

/// A repository of these files, each commit of which can be asked for.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    git(path, &["init", "--quiet"]);
    for (name, content) in files {
        std::fs::write(path.join(name), content).unwrap();
    }
    commit(path);
    git(
        path,
        &["config", "uploadpack.allowReachableSHA1InWant", "true"],
    );
    directory
}

fn commit(path: &Path) {
    git(path, &["add", "--all", "."]);
    git(path, &["commit", "--quiet", "--message", "all"]);
}

fn served(repositories: &[(&str, &tempfile::TempDir)]) -> Served {
    let named = repositories
        .iter()
        .map(|(name, it)| ((*name).to_owned(), it.path().to_owned()));
    Served {
        repositories: named.collect(),
        token: TOKEN.to_owned(),
        ..Served::default()
    }
}

async fn fetched(plane: &Plane, id: &str, work: FetchWork) -> CompleteRequest {
    plane.queue(job(id, job::Work::Fetch(work)), &[]);
    plane.completion(id).await
}

fn packed(plane: &Plane, id: &str) -> Vec<(String, String)> {
    let archive = plane.with(id, |held| {
        held.upload("configuration").unwrap().data.clone()
    });
    files(&archive)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submodules_are_fetched_where_they_are_asked_for() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let module = repository(&[("module.tf", "output \"m\" { value = 1 }")]);
    let main = repository(&[("main.tf", "module \"m\" { source = \"./m\" }")]);
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        "--name",
        "m",
    ];
    let from = module.path().to_str().unwrap();
    git(main.path(), &[&add[..], &["--", from, "m"]].concat());
    git(
        main.path(),
        &[
            "config",
            "-f",
            ".gitmodules",
            "submodule.m.url",
            "../module",
        ],
    );
    commit(main.path());
    let base = serve_all(served(&[("main", &main), ("module", &module)]));
    let url = format!("{base}/main");
    let names = |id: &str| {
        let found = packed(&plane, id).into_iter().map(|(name, _)| name);
        found
            .filter(|name| name.ends_with(".tf"))
            .collect::<Vec<_>>()
    };

    let with = FetchWork {
        submodules: true,
        ..work(&url, "main", "")
    };
    let done = fetched(&plane, "job-with", with).await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(names("job-with"), ["m/module.tf", "main.tf"]);

    let done = fetched(&plane, "job-without", work(&url, "main", "")).await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(names("job-without"), ["main.tf"]);

    git(
        main.path(),
        &[
            "config",
            "-f",
            ".gitmodules",
            "submodule.m.url",
            "git@other.example:a/b",
        ],
    );
    commit(main.path());
    let ssh = FetchWork {
        submodules: true,
        ..work(&url, "main", "")
    };
    let done = fetched(&plane, "job-ssh", ssh).await;
    assert_eq!(done.outcome(), Outcome::Failed);
    assert!(done.error.contains(".gitmodules"), "{}", done.error);
    assert!(!done.error.contains(TOKEN), "{}", done.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_git_lfs_come_with_their_content() {
    if !Command::new("git-lfs")
        .arg("version")
        .output()
        .is_ok_and(|it| it.status.success())
    {
        return skip("git-lfs");
    }
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let content = "a large file\n".repeat(1000);
    let id = hex::encode(Sha256::digest(&content));
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize {}\n",
        content.len()
    );
    let main = repository(&[
        (
            ".gitattributes",
            "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ),
        ("data.bin", &pointer),
        ("main.tf", "output \"v\" { value = 1 }"),
    ]);
    let mut server = served(&[("main", &main)]);
    let whole = [(id, content.clone().into_bytes())];
    server.large = whole.into();
    let url = format!("{}/main", serve_all(server));
    let done = fetched(&plane, "job-lfs", work(&url, "main", "")).await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    let data = packed(&plane, "job-lfs");
    let data = data.iter().find(|(name, _)| name == "data.bin").unwrap();
    assert_eq!(data.1, content);
}

/// The job was leased with a token that has run out since: it is renewed under the lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_run_out_is_renewed() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let main = repository(&[("main.tf", "output \"v\" { value = 1 }")]);
    let url = format!("{}/main", serve_all(served(&[("main", &main)])));
    let old = FetchWork {
        token: "an-older-token".into(),
        ..work(&url, "main", "")
    };
    let done = fetched(&plane, "job-old", old.clone()).await;
    assert_eq!(done.outcome(), Outcome::Failed);
    assert!(
        done.error.contains("refuses the credentials"),
        "{}",
        done.error
    );

    plane.queue_with(job("job-new", job::Work::Fetch(old)), |held| {
        TOKEN.clone_into(&mut held.fresh_token);
    });
    let done = plane.completion("job-new").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(packed(&plane, "job-new").len(), 1);
}
