//! The folder of one plane or cluster: removed when it ends, kept when something went wrong.
//!
//! A tiny shell, the keeper, holds the other end of a pipe: when this process ends in whatever way, the pipe closes and
//! the keeper removes the folder, unless it holds the file `kept`.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;

/// The keeper of a plane. A cluster has more to take away.
pub(crate) const KEEPER: &str = r#"cat >/dev/null; [ -e "$0/kept" ] && exit 0; for i in 1 2 3 4 5; do rm -rf "$0" && exit 0; sleep 0.2; done"#;

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    keeper: Child,
}

impl Folder {
    pub(crate) fn create(name: &str, keeper: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = std::env::temp_dir();
        let path = loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = root.join(format!("{name}-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => break path,
                // left by an earlier process with our pid that was told to keep it
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot make {}", path.display()));
                }
            }
        };
        for sub in [
            "pki",
            "log",
            "home",
            "etcd",
            "certs",
            "kubeconfig",
            "prometheus",
        ] {
            std::fs::create_dir(path.join(sub))?;
        }
        let keeper = Command::new("/bin/sh")
            .args(["-c", keeper])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh")?;
        Ok(Self { path, keeper })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on the folder stays.
    pub(crate) fn keep(path: &Path) {
        // failing here loses the logs of a run that has failed already; there is nobody better to tell
        let _ = std::fs::write(path.join("kept"), "");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // closing the pipe lets the keeper do its work
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
