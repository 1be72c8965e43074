//! Looks through an uploaded archive before anybody uses it: a gzip-compressed tar of regular files,
//! directories and links that stay inside (TFE contract, section 4.1). Runners unpack configurations
//! defensively all the same; here a bad one is refused while its uploader is still there to read why.
//!
//! Raw headers are read, with the names of extension headers put together here: the library would
//! take names of any length into memory, which compress a thousandfold.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;
use tar::{EntryType, PaxExtensions};

/// How large a configuration may become when it is unpacked.
const MAX_UNPACKED: u64 = 4 << 30;
const MAX_ENTRIES: usize = 200_000;
const MAX_PATH: usize = 4096;
/// The longest header with names or extended attributes.
const MAX_EXTENSION: u64 = 1 << 20;

/// Reads a whole archive and says what is wrong with it.
///
/// # Errors
/// One sentence that names the entry and the reason.
pub(crate) fn check(archive: impl Read) -> Result<(), String> {
    walk(archive, |_, _, _| Ok(()))
}

/// How much of an archive's content is taken into memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) files: usize,
    /// Of one file, in bytes.
    pub(crate) file: u64,
    /// Of all files together, in bytes.
    pub(crate) total: u64,
}

/// Reads an archive and takes the regular files that are wanted by their paths into memory. Links
/// are not followed.
///
/// # Errors
/// As [`check`], and when there is more than the bounds allow, or a file that is no text.
pub(crate) fn texts(
    archive: impl Read,
    bounds: Bounds,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut total = 0;
    walk(archive, |path, size, content| {
        let Some(path) = inner(path).filter(|path| wanted(path)) else {
            return Ok(());
        };
        if size > bounds.file {
            return Err(format!("{path} is larger than {} bytes", bounds.file));
        }
        total += size;
        if total > bounds.total {
            return Err(format!(
                "its policies, tests and data are larger than {} bytes together",
                bounds.total
            ));
        }
        let mut text = Vec::new();
        content
            .take(bounds.file)
            .read_to_end(&mut text)
            .map_err(|error| unreadable(&error))?;
        let text = String::from_utf8(text).map_err(|_| format!("{path} is not UTF-8 text"))?;
        found.insert(path, text);
        if found.len() > bounds.files {
            return Err(format!(
                "it has more than {} policies, tests and data files",
                bounds.files
            ));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The path with `/` and without detours; none for one that isn't text.
fn inner(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(parts.join("/"))
}

/// Shows each regular file: its path, its size and its content.
fn walk(
    archive: impl Read,
    mut file: impl FnMut(&Path, u64, &mut dyn Read) -> Result<(), String>,
) -> Result<(), String> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive).take(MAX_UNPACKED));
    let entries = tar.entries().map_err(|error| unreadable(&error))?;
    let mut count = 0;
    let mut names = Names::default();
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        count += 1;
        if count > MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} entries"));
        }
        if !names.take_in(&mut entry)?
            && let Some(path) = check_entry(&entry, std::mem::take(&mut names))?
        {
            let size = entry.size();
            file(Path::new(OsStr::from_bytes(&path)), size, &mut entry)?;
        }
    }
    if tar.into_inner().limit() == 0 {
        return Err(format!("it is larger than {MAX_UNPACKED} bytes unpacked"));
    }
    Ok(())
}

fn unreadable(error: &std::io::Error) -> String {
    format!("it is no gzip-compressed tar archive: {error}")
}

/// What extension headers say about the next entry.
#[derive(Default)]
struct Names {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Names {
    /// Takes an extension header in; whether this was one.
    fn take_in<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool, String> {
        let kind = entry.header().entry_type();
        let (name, link) = (kind.is_gnu_longname(), kind.is_gnu_longlink());
        let pax = kind.is_pax_local_extensions();
        if !(name || link || pax || kind.is_pax_global_extensions()) {
            return Ok(false);
        }
        if entry.size() > MAX_EXTENSION {
            return Err(format!("a header is longer than {MAX_EXTENSION} bytes"));
        }
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(|error| unreadable(&error))?;
        if name || link {
            let end = content.iter().position(|byte| *byte == 0);
            content.truncate(end.unwrap_or(content.len()));
            *(if name { &mut self.path } else { &mut self.link }) = Some(content);
        } else if pax {
            self.take_pax(&content)?;
        }
        Ok(true)
    }

    fn take_pax(&mut self, content: &[u8]) -> Result<(), String> {
        for record in PaxExtensions::new(content) {
            let record = record.map_err(|error| unreadable(&error))?;
            let value = || Some(record.value_bytes().to_vec());
            match record.key_bytes() {
                b"path" => self.path = value(),
                b"linkpath" => self.link = value(),
                // Needed beyond 8 GiB only; those who overlook it read another archive.
                b"size" => return Err("it holds a file that is too large".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Refuses what an archive must not hold. Gives the path of a regular file.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not known to be harmless is refused, also what a later tar adds"
)]
fn check_entry<R: Read>(
    entry: &tar::Entry<'_, R>,
    names: Names,
) -> Result<Option<Vec<u8>>, String> {
    let bytes = names
        .path
        .unwrap_or_else(|| entry.path_bytes().into_owned());
    if bytes.len() > MAX_PATH {
        return Err(format!("an entry's path is longer than {MAX_PATH} bytes"));
    }
    let path = Path::new(OsStr::from_bytes(&bytes));
    let shown = path.display();
    if leaves(path, 0) {
        return Err(format!("{shown} lies outside the archive"));
    }
    let kind = entry.header().entry_type();
    let depth = match kind {
        EntryType::Regular | EntryType::Continuous => return Ok(Some(bytes)),
        EntryType::Directory => return Ok(None),
        EntryType::Symlink => path
            .components()
            .filter(|it| matches!(it, Component::Normal(_)))
            .count()
            .saturating_sub(1),
        EntryType::Link => 0,
        _ => {
            return Err(format!("{shown} is neither a file, a directory nor a link"));
        }
    };
    let target = names
        .link
        .or_else(|| entry.link_name_bytes().map(Into::into));
    if target.is_none_or(|target| leaves(Path::new(OsStr::from_bytes(&target)), depth)) {
        return Err(format!("the link {shown} points outside the archive"));
    }
    Ok(None)
}

/// Whether `path`, taken from `depth` directories below the root, leaves it.
fn leaves(path: &Path, depth: usize) -> bool {
    let mut depth = depth;
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(fill: impl FnOnce(&mut tar::Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        fill(&mut builder);
        builder.into_inner().unwrap().finish().unwrap()
    }

    /// A header whose name the builder would refuse.
    fn raw(name: &str, kind: tar::EntryType, link: &str) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        header
    }

    fn one(name: &str, kind: tar::EntryType, link: &str) -> Vec<u8> {
        archive(|tar| {
            tar.append(&raw(name, kind, link), std::io::empty())
                .unwrap()
        })
    }

    #[test]
    fn a_plain_archive_passes() {
        let good = archive(|tar| {
            tar.append(
                &raw("main.tf", tar::EntryType::Regular, ""),
                std::io::empty(),
            )
            .unwrap();
            tar.append(
                &raw("a/b", tar::EntryType::Symlink, "../main.tf"),
                std::io::empty(),
            )
            .unwrap();
        });
        assert_eq!(check(good.as_slice()), Ok(()));
    }

    #[test]
    fn what_leaves_the_archive_is_named() {
        for (name, kind, link) in [
            ("../evil", tar::EntryType::Regular, ""),
            ("/etc/passwd", tar::EntryType::Regular, ""),
            ("a/../../evil", tar::EntryType::Regular, ""),
            ("link", tar::EntryType::Symlink, "/etc/passwd"),
            ("a/link", tar::EntryType::Symlink, "../../evil"),
            ("hard", tar::EntryType::Link, "../evil"),
        ] {
            let error = check(one(name, kind, link).as_slice()).unwrap_err();
            assert!(error.contains("outside"), "{name}: {error}");
        }
    }

    #[test]
    fn wanted_texts_are_taken_and_bounded() {
        let with = |name: &str, content: &[u8]| {
            archive(|tar| {
                let mut header = raw(name, tar::EntryType::Regular, "");
                header.set_size(content.len() as u64);
                header.set_cksum();
                tar.append(&header, content).unwrap();
                tar.append(
                    &raw("b.rego", tar::EntryType::Symlink, "a.rego"),
                    std::io::empty(),
                )
                .unwrap();
            })
        };
        let bounds = Bounds {
            files: 1,
            file: 10,
            total: 10,
        };
        let read =
            |archive: Vec<u8>| texts(archive.as_slice(), bounds, |path| path.ends_with(".rego"));
        let found = read(with("./x/a.rego", b"package a")).unwrap();
        assert_eq!(
            found,
            BTreeMap::from([("x/a.rego".to_owned(), "package a".to_owned())])
        );
        assert!(read(with("a.txt", b"package a")).unwrap().is_empty());
        for (name, content, reason) in [
            ("a.rego", &b"more than ten"[..], "larger than 10"),
            ("a.rego", &b"\xff"[..], "UTF-8"),
            ("../a.rego", &b""[..], "outside"),
        ] {
            let error = read(with(name, content)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn names_are_bounded_before_they_are_read() {
        let mut header = raw("name", tar::EntryType::GNULongName, "");
        header.set_size(1 << 40);
        header.set_cksum();
        let claimed = archive(|tar| tar.append(&header, std::io::empty()).unwrap());
        let error = check(claimed.as_slice()).unwrap_err();
        assert!(error.contains("a header is longer"), "{error}");
    }

    /// The corpus of the unpacker's fuzz target, which tells by names what is expected: `good-`
    /// passes, `hostile-` is refused here already.
    #[test]
    fn the_corpus_of_archives() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/archives");
        let mut files = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let path = entry.unwrap().path();
            let mut data = std::fs::read(&path).unwrap();
            if !data.starts_with(&[0x1f, 0x8b]) {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                std::io::Write::write_all(&mut gzip, &data).unwrap();
                data = gzip.finish().unwrap();
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let result = check(data.as_slice());
            if name.starts_with("good-") {
                assert_eq!(result, Ok(()), "{name}");
            }
            assert!(
                !name.starts_with("hostile-") || result.is_err(),
                "{name} passed"
            );
            files += 1;
        }
        assert!(files > 20, "the corpus was not read");
    }

    #[test]
    fn garbage_is_no_archive() {
        for garbage in [&b"hello"[..], &[0x1f, 0x8b, 8, 0, 1, 2, 3]] {
            assert!(
                check(garbage)
                    .unwrap_err()
                    .contains("no gzip-compressed tar")
            );
        }
    }
}
