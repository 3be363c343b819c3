//! Reloading from files: whatever is written, what works goes on being served.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its own helpers too"
)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use sluice_certs::{
    CertificateSource, Loaded, Reloader, ServingNames, Terms,
    issue::{self, Keyed},
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sluice-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, leaf: &Keyed) {
        std::fs::write(self.0.join("tls.crt"), &leaf.cert_pem).unwrap();
        std::fs::write(self.0.join("tls.key"), &leaf.key_pem).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn leaf() -> Keyed {
    let names = ServingNames::of_service("sluice-webhook", "sluice-system");
    issue::issue(Timestamp::now(), &names, &Terms::default())
        .unwrap()
        .leaf
}

async fn count(loaded: &mut watch::Receiver<Option<Loaded>>, count: u64) {
    let there = |loaded: &Option<Loaded>| loaded.is_some_and(|loaded| loaded.count == count);
    timeout(Duration::from_secs(5), loaded.wait_for(there))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn loads_what_appears_and_keeps_what_works() {
    let folder = Folder::new("reload");
    let reloader = Reloader::new(CertificateSource::Files {
        cert: folder.0.join("tls.crt"),
        key: folder.0.join("tls.key"),
    })
    .polling_every(Duration::from_millis(5));
    let (config, mut loaded) = (reloader.config(), reloader.loaded());
    let stop = CancellationToken::new();
    let task = tokio::spawn(reloader.run(stop.clone()));

    // nothing there yet, then a file that is half written
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(config.load().is_none());
    std::fs::write(folder.0.join("tls.crt"), "-----BEGIN CERT").unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(config.load().is_none() && loaded.borrow().is_none());

    let first = leaf();
    folder.write(&first);
    count(&mut loaded, 1).await;
    let served = config.load_full().unwrap();

    // a key of another certificate, rubbish, and no files at all: the first goes on being served
    std::fs::write(folder.0.join("tls.key"), leaf().key_pem).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    std::fs::write(folder.0.join("tls.key"), "rubbish").unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    std::fs::remove_file(folder.0.join("tls.crt")).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(Arc::ptr_eq(&served, &config.load_full().unwrap()));

    folder.write(&leaf());
    count(&mut loaded, 2).await;
    assert!(!Arc::ptr_eq(&served, &config.load_full().unwrap()));
    stop.cancel();
    let Ok(()) = task.await.unwrap();
}
