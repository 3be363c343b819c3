//! Texts to begin with: what the project's documents and tests hold anyway, and files kept from earlier runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The root of the project.
#[must_use]
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where runs leave what they find.
#[must_use]
pub fn found() -> PathBuf {
    project().join("target/fuzz-cases")
}

/// Cases that took a run deeper than the seeds do.
pub const CORPUS: &str = "corpus";
/// Cases that broke something once, by the name of what it was.
pub const REGRESSIONS: &str = "regressions";

/// The files that are kept for a target, sorted by name.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn kept(folder: &str, target: &str) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(target);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
        let file = entry?.path();
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        files.push((name.into_owned(), bytes));
    }
    files.sort();
    Ok(files)
}

/// The texts of all files with an ending below a folder of the project, sorted by path. A folder that is not there has none.
#[must_use]
pub fn texts(folder: &str, ending: &str) -> Vec<String> {
    let mut paths = Vec::new();
    below(&project().join(folder), ending, &mut paths);
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

fn below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            below(&path, ending, found);
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
}

/// The blocks of code in a language of Markdown texts.
#[must_use]
pub fn blocks(texts: &[String], language: &str) -> Vec<String> {
    let open = format!("```{language}");
    let mut blocks = Vec::new();
    for text in texts {
        let mut block: Option<String> = None;
        for line in text.lines() {
            match &mut block {
                None if line.trim() == open => block = Some(String::new()),
                Some(_) if line.trim() == "```" => blocks.extend(block.take()),
                Some(inside) => {
                    inside.push_str(line);
                    inside.push('\n');
                }
                None => {}
            }
        }
    }
    blocks
}

/// The documents of a YAML text, without those of nothing but blanks.
#[must_use]
pub fn documents(text: &str) -> Vec<String> {
    text.split("\n---\n")
        .map(|document| document.trim_start_matches("---\n"))
        .filter(|document| !document.trim().is_empty())
        .map(|document| format!("{document}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_documents_are_taken_apart() {
        let text = "# a\n```yaml\na: 1\n---\nb: 2\n```\ntext\n```sh\nls\n```\n".to_owned();
        let blocks = blocks(&[text], "yaml");
        assert_eq!(blocks, ["a: 1\n---\nb: 2\n"]);
        assert_eq!(documents(&blocks[0]), ["a: 1\n", "b: 2\n\n"]);
    }
}
