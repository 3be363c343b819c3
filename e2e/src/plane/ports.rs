//! Loopback ports that no other plane, and nothing installed on one, takes.
//!
//! Ports come from below the ephemeral range, so no outgoing connection ever sits on one, and each is claimed by a file
//! lock for as long as the plane lives: two planes, in one process or in two, never get the same. What remains is a
//! stranger who binds in between; the start of a plane is retried then.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{Context, bail};

const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;

/// Where claims lie: one folder per user, since nobody can write into that of another one. Planes of two users meet as strangers do.
fn claims() -> anyhow::Result<PathBuf> {
    let user = std::fs::metadata("/proc/self")
        .context("cannot tell who this process belongs to")?
        .uid();
    let folder = std::env::temp_dir().join(format!("sluice-ports-{user}"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// A port that is ours until drop.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    path: PathBuf,
    // held for its lock
    _lock: File,
}

impl Port {
    pub(crate) fn claim() -> anyhow::Result<Self> {
        let folder = claims()?;
        let span = u64::from(LAST - FIRST);
        let start = RandomState::new().hash_one(std::process::id()) % span;
        for step in 0..span {
            let number = FIRST + u16::try_from((start + step) % span)?;
            let path = folder.join(number.to_string());
            let lock =
                File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
            if lock.try_lock().is_err() {
                continue;
            }
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self {
                    number,
                    path,
                    _lock: lock,
                });
            }
        }
        bail!("every port from {FIRST} to {LAST} on 127.0.0.1 is taken")
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // a claim that slips in between here and the unlock would only cost a retry
        let _ = std::fs::remove_file(&self.path);
    }
}
