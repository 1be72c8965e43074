//! Resolves a reference, fetches its commit, and packs the commit's tree.

use std::io::Write;
use std::path::Path;

use git2::{Direction, FetchOptions, Oid, Remote, Repository};

use super::Connection;
use super::cli::{self, Needs};
use super::pack_tree::{Left, pack_tree};
use super::transport::Registered;
use crate::http_client::ClientError;

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Branch, tag or commit; empty: the repository's default branch.
    pub reference: String,
    /// Pinned commit; empty: whatever the reference is now.
    pub commit: String,
    pub submodules: bool,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub commit: String,
    pub author: String,
    pub message: String,
    /// Empty if the reference was no branch.
    pub branch: String,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("the repository's address must begin with https:// and carry no credentials")]
    Address,
    #[error("{0}")]
    Ssh(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the repository has no branch, tag or commit {0:?}")]
    NoReference(String),
    #[error("the repository has no commit {0} any more")]
    NoCommit(String),
    #[error("{0}")]
    Host(String),
    /// The host refuses this connection's credentials: they may have run out.
    #[error("{0}")]
    Credentials(String),
    #[error(
        "the repository has {what}, and {program} is not on this runner: install it on the \
         runner's search path"
    )]
    Missing { what: String, program: &'static str },
    #[error("git: {0}")]
    Git(#[from] git2::Error),
    #[error("the archive could not be written")]
    Write(#[from] std::io::Error),
}

/// Fetches into `scratch`, an empty directory, and writes the tree as tar to what `out` makes. Blocks;
/// must not be called on a runtime's own thread.
///
/// # Errors
/// [`FetchError`].
pub fn fetch<W: Write>(
    connection: Connection,
    runtime: tokio::runtime::Handle,
    wanted: &Wanted,
    scratch: &Path,
    out: impl Fn() -> std::io::Result<W>,
) -> Result<(Fetched, W), FetchError> {
    let registered = Registered::new(connection.clone(), runtime);
    let result = fetch_over(&registered, wanted, scratch, out()?);
    let refused = registered.refused_credentials();
    let (fetched, written, left, reference) = match (result, registered.failure.take()) {
        (Err(FetchError::Git(_)), Some(sentence)) if refused => {
            return Err(FetchError::Credentials(sentence));
        }
        (Err(FetchError::Git(_)), Some(sentence)) => return Err(FetchError::Host(sentence)),
        (result, _) => result?,
    };
    if left == Left::default() {
        return Ok((fetched, written));
    }
    let needs = Needs {
        submodules: wanted.submodules,
        submodule: left.submodule.as_deref(),
        lfs: left.lfs.as_deref(),
    };
    let written = cli::fetch(
        &connection,
        &fetched.commit,
        &reference,
        needs,
        scratch,
        out()?,
    )?;
    Ok((fetched, written))
}

fn fetch_over<W: Write>(
    registered: &Registered,
    wanted: &Wanted,
    scratch: &Path,
    out: W,
) -> Result<(Fetched, W, Left, String), FetchError> {
    let repository = Repository::init_bare(scratch)?;
    let mut remote = repository.remote_anonymous(&registered.url())?;
    let target = resolve(&mut remote, wanted)?;
    download(&repository, registered, &target)?;
    let (fetched, out, left) = pack_target(&repository, &target, wanted, out)?;
    Ok((fetched, out, left, target.reference))
}

/// Packs what was fetched, straight from the object database.
///
/// # Errors
/// [`FetchError::NoCommit`] when it did not come.
pub(super) fn pack_target<W: Write>(
    repository: &Repository,
    target: &Target,
    wanted: &Wanted,
    out: W,
) -> Result<(Fetched, W, Left), FetchError> {
    let commit = repository
        .find_object(target.id, None)
        .and_then(|object| object.peel_to_commit())
        .map_err(|_| FetchError::NoCommit(target.id.to_string()))?;
    let (out, left) = pack_tree(repository, &commit.tree()?, wanted.submodules, out)?;
    let author = commit.author();
    let fetched = Fetched {
        commit: commit.id().to_string(),
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        branch: target.branch.clone(),
    };
    Ok((fetched, out, left))
}

/// A name that the host has.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) id: Oid,
    /// The full name that it stands for, if it is no name of its own.
    pub(super) stands_for: Option<String>,
}

/// What is to be fetched.
pub(super) struct Target {
    pub(super) id: Oid,
    /// The reference's full name, where it has one: the way to a commit that the host does not give
    /// out by itself.
    pub(super) reference: String,
    pub(super) branch: String,
}

fn resolve(remote: &mut Remote<'_>, wanted: &Wanted) -> Result<Target, FetchError> {
    let connection = remote.connect_auth(Direction::Fetch, None, None)?;
    let heads: Vec<Head> = connection
        .list()?
        .iter()
        .map(|head| Head {
            name: head.name().to_owned(),
            id: head.oid(),
            stands_for: head.symref_target().map(str::to_owned),
        })
        .collect();
    choose(&heads, wanted)
}

/// The full names that a reference may be short for, in the order in which they are tried.
pub(super) fn full_names(asked: &str) -> Vec<String> {
    if asked.is_empty() {
        return vec!["HEAD".to_owned()];
    }
    vec![
        asked.to_owned(),
        format!("refs/heads/{asked}"),
        format!("refs/tags/{asked}"),
    ]
}

/// What is wanted, of what the host has.
///
/// # Errors
/// [`FetchError::NoReference`].
pub(super) fn choose(heads: &[Head], wanted: &Wanted) -> Result<Target, FetchError> {
    let asked = wanted.reference.as_str();
    let names = full_names(asked);
    let found = names
        .iter()
        .find_map(|name| heads.iter().find(|head| head.name == *name));
    let pinned = Oid::from_str(if wanted.commit.is_empty() {
        asked
    } else {
        &wanted.commit
    });
    let is_whole = |id: &Oid| id.to_string().len() == 40;
    match (found, pinned) {
        (Some(head), pinned) => {
            let name = head.name.clone();
            let branch = if name == "HEAD" {
                head.stands_for.clone().unwrap_or_default()
            } else {
                name.clone()
            };
            let branch = branch
                .strip_prefix("refs/heads/")
                .unwrap_or_default()
                .to_owned();
            let id = if wanted.commit.is_empty() {
                head.id
            } else {
                pinned?
            };
            Ok(Target {
                id,
                reference: name,
                branch,
            })
        }
        (None, Ok(id)) if is_whole(&id) && asked_is_commit(wanted) => Ok(Target {
            id,
            reference: String::new(),
            branch: String::new(),
        }),
        (None, _) => Err(FetchError::NoReference(asked.to_owned())),
    }
}

fn asked_is_commit(wanted: &Wanted) -> bool {
    let text = if wanted.commit.is_empty() {
        &wanted.reference
    } else {
        &wanted.commit
    };
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The commit alone; if the host does not give it out by its id, everything behind the reference.
fn download(
    repository: &Repository,
    registered: &Registered,
    target: &Target,
) -> Result<(), FetchError> {
    let alone = format!("+{}:refs/terrane/commit", target.id);
    let fetched = fetch_refspec(repository, registered, &alone, 1);
    if fetched.is_ok() && repository.find_object(target.id, None).is_ok() {
        return Ok(());
    }
    let all = if target.reference.is_empty() {
        // A commit without a name: it is behind one of the branches, or nowhere.
        "+refs/heads/*:refs/terrane/heads/*".to_owned()
    } else {
        format!("+{}:refs/terrane/reference", target.reference)
    };
    fetch_refspec(repository, registered, &all, 0)?;
    Ok(())
}

fn fetch_refspec(
    repository: &Repository,
    registered: &Registered,
    refspec: &str,
    depth: i32,
) -> Result<(), git2::Error> {
    let mut options = FetchOptions::new();
    options.download_tags(git2::AutotagOption::None);
    if depth > 0 {
        options.depth(depth);
    }
    let mut remote = repository.remote_anonymous(&registered.url())?;
    remote.fetch(&[refspec], Some(&mut options), None)
}
