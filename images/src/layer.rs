//! The one layer of an image: a tar of sorted entries without times and owners.

use std::{collections::BTreeMap, io};

use tar::{Builder, EntryType, Header};

/// Files by path, without a leading slash; the folders above them come by themselves.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, File>);

#[derive(Clone, Debug)]
struct File {
    mode: u32,
    content: Vec<u8>,
}

impl Files {
    /// A program.
    pub fn program(&mut self, path: &str, content: Vec<u8>) {
        self.add(path, 0o755, content);
    }

    /// A file to be read by anyone.
    pub fn text(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.add(path, 0o644, content.into());
    }

    fn add(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        let path = path.trim_start_matches('/').to_owned();
        self.0.insert(path, File { mode, content });
    }

    /// The layer.
    ///
    /// # Errors
    /// When a path is longer than a tar header takes.
    pub fn layer(&self) -> io::Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        let mut folders = std::collections::BTreeSet::new();
        for path in self.0.keys() {
            for (at, _) in path.match_indices('/') {
                folders.insert(&path[..at]);
            }
        }
        for folder in folders {
            append(
                &mut tar,
                &format!("{folder}/"),
                EntryType::Directory,
                0o755,
                &[],
            )?;
        }
        for (path, file) in &self.0 {
            append(&mut tar, path, EntryType::Regular, file.mode, &file.content)?;
        }
        tar.into_inner()
    }
}

/// One entry, with nothing in it but what is given.
pub(crate) fn append(
    tar: &mut Builder<Vec<u8>>,
    path: &str,
    kind: EntryType,
    mode: u32,
    content: &[u8],
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.append(&header, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(layer: &[u8]) -> Vec<(String, u32, u64, u64)> {
        let mut archive = tar::Archive::new(layer);
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().display().to_string();
                let owner = header.uid().unwrap() + header.gid().unwrap();
                (path, header.mode().unwrap(), owner, header.mtime().unwrap())
            })
            .collect()
    }

    #[test]
    fn entries_are_sorted_folders_first_and_carry_no_time_and_no_owner() {
        let mut files = Files::default();
        files.program("/sluice", b"program".to_vec());
        files.text("/etc/ssl/certs/ca.crt", "trust");
        let expected = [
            ("etc/", 0o755),
            ("etc/ssl/", 0o755),
            ("etc/ssl/certs/", 0o755),
            ("etc/ssl/certs/ca.crt", 0o644),
            ("sluice", 0o755),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(path, mode)| (path.to_owned(), mode, 0, 0))
            .collect();
        assert_eq!(entries(&files.layer().unwrap()), expected);
    }

    #[test]
    fn the_order_in_which_files_are_added_does_not_matter() {
        let (mut one, mut other) = (Files::default(), Files::default());
        one.text("/a", "1");
        one.text("/b", "2");
        other.text("/b", "2");
        other.text("/a", "1");
        assert_eq!(one.layer().unwrap(), other.layer().unwrap());
    }

    #[test]
    fn a_path_that_does_not_fit_is_an_error() {
        let mut files = Files::default();
        files.text(&"x".repeat(300), "");
        assert!(files.layer().is_err());
    }
}
