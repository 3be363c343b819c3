//! The case that runs now, in a file: one that ends the process (a full stack, no memory left) leaves it behind, and one that does not end is ended.
//!
//! Written with one call for every case, so the file is never cut: its first line says how many of the bytes behind it are the case.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;

use crate::{corpus, measure, run::again};

/// A case that has had this much processor time is taken for one that never ends.
const NEVER: Duration = Duration::from_secs(30);
/// Digits of the length, and the end of the line.
const HEAD: usize = 11;

/// The file.
#[derive(Debug)]
pub struct UnderWay {
    path: PathBuf,
    file: File,
    /// The processor time at which the case began, in milliseconds.
    began: Arc<AtomicU64>,
}

impl UnderWay {
    /// The file of a run. While it lives, a case that does not end ends the process.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_run(name: &'static str, seed: u64) -> anyhow::Result<Self> {
        let folder = corpus::found();
        let path = folder.join(format!("{name}-{seed}.case"));
        let file = fs::create_dir_all(&folder)
            .and_then(|()| File::create(&path))
            .with_context(|| path.display().to_string())?;
        let began = Arc::new(AtomicU64::new(now()));
        let seen = Arc::downgrade(&began);
        let told = again(name, &path);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(500));
                let Some(began) = seen.upgrade() else {
                    return;
                };
                if now().saturating_sub(began.load(Ordering::Relaxed)) > millis(NEVER) {
                    eprintln!("{name}: BROKEN: a case does not end\n{told}");
                    end();
                }
            }
        });
        Ok(Self { path, file, began })
    }

    /// The case that runs from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set(&self, case: &[u8]) -> io::Result<()> {
        self.began.store(now(), Ordering::Relaxed);
        let mut bytes = format!("{:>10}\n", case.len()).into_bytes();
        bytes.extend_from_slice(case);
        self.file.write_all_at(&bytes, 0)
    }

    /// Nothing was left behind.
    pub fn done(self) {
        // a file that stays says nothing wrong: it is written anew by the next run
        let _ = fs::remove_file(&self.path);
    }

    /// The case of a file: of what was under way the case in it, of any other all bytes.
    ///
    /// # Errors
    /// When it cannot be read, or is no case under way although its name says so.
    pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        if path.extension().is_none_or(|end| end != "case") {
            return Ok(bytes);
        }
        let case = case_of(&bytes).with_context(|| format!("{}: no case in it", path.display()))?;
        Ok(case.to_vec())
    }
}

/// What hangs can only be ended from outside of it.
#[allow(clippy::exit, reason = "there is nobody who could return an error")]
fn end() -> ! {
    std::process::exit(1)
}

fn case_of(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length: usize = str::from_utf8(head).ok()?.trim().parse().ok()?;
    rest.get(..length)
}

/// The processor time of the process.
fn now() -> u64 {
    millis(measure::processor_time())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_case_is_read_back_whatever_was_longer_before() {
        let file = UnderWay::of_run("under-way-test", 1).unwrap();
        for case in [&b"a long case\n\xff"[..], b"short", b""] {
            file.set(case).unwrap();
            assert_eq!(UnderWay::read(&file.path).unwrap(), case);
        }
        assert_eq!(case_of(b"      9999\nx"), None);
        assert_eq!(case_of(b""), None);
        let path = file.path.clone();
        file.done();
        assert!(UnderWay::read(&path).is_err());
    }
}
