//! Reads what the user named: files, folders (with everything below), globs, and `-` for the standard input.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use globset::GlobBuilder;

use super::{Position, Problem};

/// One text with the name the user knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path, or `-`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// The endings that are read in folders; a file that is named directly is read whatever its ending.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// No manifest is larger; guards against a folder that holds something else.
const LARGEST: u64 = 64 << 20;

/// Reads everything that `names` stand for, in the order of the names, each file once. What cannot be read is a problem, and the rest is still read.
pub fn read(names: &[String]) -> (Vec<Source>, Vec<Problem>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for name in names {
        if name == "-" {
            let mut bytes = Vec::new();
            match io::stdin().lock().take(LARGEST).read_to_end(&mut bytes) {
                Ok(_) => add(name, bytes, &mut sources, &mut problems),
                Err(error) => problems.push(Problem::of_file(
                    "-",
                    format!("the standard input cannot be read: {error}"),
                )),
            }
            continue;
        }
        for path in files(name, &mut problems) {
            let shown = path.to_string_lossy().into_owned();
            if !seen.insert(shown.clone()) {
                continue;
            }
            match fs::metadata(&path).map(|metadata| metadata.len()) {
                Ok(size) if size > LARGEST => problems.push(Problem::of_file(
                    &shown,
                    "larger than 64 MiB: not a manifest",
                )),
                Ok(_) => match fs::read(&path) {
                    Ok(bytes) => add(&shown, bytes, &mut sources, &mut problems),
                    Err(error) => {
                        problems.push(Problem::of_file(&shown, format!("cannot be read: {error}")))
                    }
                },
                Err(error) => {
                    problems.push(Problem::of_file(&shown, format!("cannot be read: {error}")))
                }
            }
        }
    }
    (sources, problems)
}

fn add(name: &str, bytes: Vec<u8>, sources: &mut Vec<Source>, problems: &mut Vec<Problem>) {
    match Source::of_bytes(name, bytes) {
        Ok(source) => sources.push(source),
        Err(problem) => problems.push(problem),
    }
}

impl Source {
    /// The text of a file.
    ///
    /// # Errors
    /// What is no UTF-8 text, with the place where it ends to be one.
    pub fn of_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Problem> {
        let error = match String::from_utf8(bytes) {
            Ok(text) => {
                return Ok(Self {
                    name: name.to_owned(),
                    text,
                });
            }
            Err(error) => error,
        };
        let before = error.as_bytes().utf8_chunks().next();
        let before = before.map_or("", |chunk| chunk.valid());
        let position = Position {
            line: 1 + before.matches('\n').count() as u64,
            column: 1 + before.chars().rev().take_while(|c| *c != '\n').count() as u64,
        };
        Err(Problem::at(name, position, "not UTF-8 text"))
    }
}

/// The files behind one name.
fn files(name: &str, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let path = Path::new(name);
    let is_glob = name.contains(['*', '?', '[', '{']);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let found = below(path, problems);
            if found.is_empty() {
                problems.push(Problem::of_file(
                    name,
                    "the folder holds no .yaml, .yml or .json file",
                ));
            }
            found
        }
        Ok(_) => vec![path.to_owned()],
        Err(_) if is_glob => glob(name, problems),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            problems.push(Problem::of_file(name, "no such file or folder"));
            Vec::new()
        }
        Err(error) => {
            problems.push(Problem::of_file(name, format!("cannot be read: {error}")));
            Vec::new()
        }
    }
}

fn glob(pattern: &str, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let matcher = match GlobBuilder::new(pattern).literal_separator(true).build() {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => {
            problems.push(Problem::of_file(
                pattern,
                format!("not a glob: {}", error.kind()),
            ));
            return Vec::new();
        }
    };
    // the folder part before the first wildcard is where the search starts
    let fixed = pattern
        .find(['*', '?', '[', '{'])
        .map_or(pattern, |first| &pattern[..first]);
    let root = fixed.rfind('/').map_or("", |slash| &fixed[..=slash]);
    let start = if root.is_empty() {
        Path::new(".")
    } else {
        Path::new(root)
    };
    let mut all = Vec::new();
    // a folder that is not there holds no match
    if start.exists() {
        walk(start, &mut all, problems);
    }
    let mut found: Vec<PathBuf> = all
        .into_iter()
        .map(|path| path.strip_prefix("./").map(Path::to_owned).unwrap_or(path))
        .filter(|path| matcher.is_match(path))
        .collect();
    found.sort();
    if found.is_empty() {
        problems.push(Problem::of_file(pattern, "no file matches"));
    }
    found
}

fn below(folder: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut all = Vec::new();
    walk(folder, &mut all, problems);
    all.retain(|path| {
        path.extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| ENDINGS.contains(&ending))
    });
    all.sort();
    all
}

/// Every file below a folder. Links to folders are not followed, so a circle of links ends; hidden folders are passed over.
fn walk(folder: &Path, found: &mut Vec<PathBuf>, problems: &mut Vec<Problem>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Problem::of_file(
                &folder.to_string_lossy(),
                format!("cannot be read: {error}"),
            ));
            return;
        }
    };
    for entry in entries.flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !hidden => walk(&entry.path(), found, problems),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            Ok(kind) if kind.is_symlink() && entry.path().is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}
