//! The files of a folder at one moment. All I/O of the folder is here.
//!
//! A mounted ConfigMap is a folder `..data` that is swapped by renaming a link, git-sync swaps the folder itself the same way. Both are followed to the
//! folder that they really are before anything is read, so that a swap in between cannot mix two states; a folder that changes while it is read is
//! read again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The endings that are read.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// The largest file that is read.
const LARGEST: u64 = 1 << 20;
/// How much all files together may hold, and how many there may be.
const TOTAL: u64 = 16 << 20;
const FILES: usize = 2_000;
/// How deep folders may lie in each other.
const DEEPEST: usize = 16;
/// How often a folder that changes while it is read is read again at once.
const TRIES: usize = 5;

/// What tells one state of a folder from another without reading its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    root: PathBuf,
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

/// A file: its path below the folder, and its text or why there is none.
pub type Text = (String, Result<String, String>);

/// The files of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder as configured.
    pub path: PathBuf,
    /// The name of the folder that it really is.
    pub revision: String,
    /// Its files, by path.
    pub files: Vec<Text>,
}

/// What the folder looks like now.
///
/// # Errors
/// When the folder cannot be read, or holds more than policies.
pub fn signature(folder: &Path) -> io::Result<Signature> {
    let mut root = fs::canonicalize(folder)?;
    if let Ok(data) = fs::canonicalize(root.join("..data")) {
        root = data;
    }
    let mut files = Vec::new();
    list(&root, 0, &mut files)?;
    files.sort();
    let total: u64 = files.iter().map(|(_, size, _)| (*size).min(LARGEST)).sum();
    if files.len() > FILES || total > TOTAL {
        return Err(io::Error::other(format!(
            "it holds {} files of {total} bytes together; at most {FILES} and {TOTAL} are read",
            files.len()
        )));
    }
    Ok(Signature { root, files })
}

fn list(
    folder: &Path,
    depth: usize,
    files: &mut Vec<(PathBuf, u64, Option<SystemTime>)>,
) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other(format!(
            "folders lie more than {DEEPEST} deep in each other"
        )));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // `.git`, and the folders in which a ConfigMap keeps its states
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        // follows links: git may hold some
        let metadata = fs::metadata(&path)?;
        if metadata.is_dir() {
            list(&path, depth + 1, files)?;
        } else if path
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| ENDINGS.contains(&ending))
        {
            files.push((path, metadata.len(), metadata.modified().ok()));
            if files.len() > FILES {
                return Err(io::Error::other(format!(
                    "it holds more than {FILES} files"
                )));
            }
        }
    }
    Ok(())
}

/// The files of the folder, all of one state.
///
/// # Errors
/// When the folder cannot be read, or does not stand still. A single file that cannot be used is no error.
pub fn snapshot(folder: &Path) -> io::Result<(Signature, Snapshot)> {
    for _ in 0..TRIES {
        let before = signature(folder)?;
        let Some(files) = contents(&before)? else {
            continue;
        };
        // a folder that was swapped out may be gone already; then this fails or differs
        if signature(folder)? != before {
            continue;
        }
        let revision = before
            .root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let snapshot = Snapshot {
            path: folder.to_owned(),
            revision,
            files,
        };
        return Ok((before, snapshot));
    }
    Err(io::Error::other("it changes faster than it can be read"))
}

/// The texts of the files; `None` when one of them is gone meanwhile.
fn contents(signature: &Signature) -> io::Result<Option<Vec<Text>>> {
    let mut files = Vec::with_capacity(signature.files.len());
    for (path, size, _) in &signature.files {
        let name = path
            .strip_prefix(&signature.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        let text = if *size > LARGEST {
            Err(format!("{size} bytes; at most {LARGEST} are read"))
        } else {
            match fs::read(path) {
                Ok(bytes) => String::from_utf8(bytes)
                    .map_err(|error| format!("not UTF-8 text: {}", error.utf8_error())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => Err(format!("cannot be read: {error}")),
            }
        };
        files.push((name, text));
    }
    Ok(Some(files))
}
