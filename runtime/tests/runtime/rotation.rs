//! Certificates swapped under load: no request is lost, old authority or new.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::http_client::tls;
use axum::{Router, routing::get};
use jiff::Timestamp;
use rustls::ClientConfig;
use sluice_certs::{
    CertificateSource, Decision, Loaded, Material, Reloader, ServingNames, Terms, serving,
};
use sluice_runtime::serve::{ServeMetrics, ServeOptions, Transport, serve};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

const NAME: &str = "sluice-webhook.sluice-system.svc";

/// What a mounted Secret looks like to a reader: each file replaced by renaming, one after the other, so that it also meets pairs that
/// do not belong together.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sluice-rotation-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, material: &Material) {
        for (name, text) in [
            ("tls.crt", &material.leaf.cert_pem),
            ("tls.key", &material.leaf.key_pem),
        ] {
            let new: &Path = &self.path("new");
            std::fs::write(new, text).unwrap();
            std::fs::rename(new, self.path(name)).unwrap();
            std::thread::sleep(Duration::from_millis(8));
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What clients are told to trust, and which edition each of them is connecting with: the overlap of a day, in short.
struct Published {
    edition: Mutex<(u64, Arc<ClientConfig>)>,
    connecting: [AtomicU64; CLIENTS.len()],
}

/// Requests per connection of each client: three open one for each request, one keeps it across swaps.
const CLIENTS: [u32; 4] = [1, 1, 1, 500];
const CONNECTED: u64 = u64::MAX;

impl Published {
    fn publish(&self, material: &Material) -> u64 {
        let mut edition = self.edition.lock().unwrap();
        *edition = (edition.0 + 1, trusting(material));
        edition.0
    }

    fn begin(&self, client: usize) -> Arc<ClientConfig> {
        let edition = self.edition.lock().unwrap();
        self.connecting[client].store(edition.0, Ordering::SeqCst);
        edition.1.clone()
    }

    /// Waits until no client is connecting with an older edition.
    async fn reached_all(&self, edition: u64) {
        let late = || {
            self.connecting
                .iter()
                .any(|connecting| connecting.load(Ordering::SeqCst) < edition)
        };
        while late() {
            tokio::task::yield_now().await;
        }
    }
}

/// The server's side: what is published, what is served, and how many certificates were loaded.
struct Leader {
    material: Material,
    names: ServingNames,
    published: Arc<Published>,
    files: Files,
    loaded: watch::Receiver<Option<Loaded>>,
}

impl Leader {
    /// One step as the leader takes it: publish first, serve after.
    async fn take(&mut self, step: Decision) {
        self.material = self
            .material
            .after(step, Timestamp::now(), &self.names, &Terms::default())
            .unwrap();
        let edition = self.published.publish(&self.material);
        self.published.reached_all(edition).await;
        if matches!(step, Decision::RenewLeaf | Decision::SwitchCa) {
            let before = self.loaded.borrow().map_or(0, |loaded| loaded.count);
            self.files.write(&self.material);
            let newer =
                |loaded: &Option<Loaded>| loaded.is_some_and(|loaded| loaded.count > before);
            timeout(Duration::from_secs(10), self.loaded.wait_for(newer))
                .await
                .expect("loaded in time")
                .unwrap();
        }
    }
}

fn trusting(material: &Material) -> Arc<ClientConfig> {
    Arc::new(serving::client_config(material.ca_bundle().as_bytes()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_rotations_under_load_lose_no_request() {
    let names = ServingNames::of_service("sluice-webhook", "sluice-system");
    let material = Material::issue(Timestamp::now(), &names, &Terms::default()).unwrap();
    let files = Files::new();
    files.write(&material);
    let reloader = Reloader::new(CertificateSource::Files {
        cert: files.path("tls.crt"),
        key: files.path("tls.key"),
    })
    .polling_every(Duration::from_millis(5));
    let config = reloader.config();
    let mut loaded = reloader.loaded();
    let stop = CancellationToken::new();
    let reloading = tokio::spawn(reloader.run(stop.clone()));
    loaded.wait_for(Option::is_some).await.unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = ServeMetrics::default();
    let options = ServeOptions {
        lame_duck: Duration::ZERO,
        metrics: metrics.clone(),
        ..ServeOptions::default()
    };
    let app = Router::new().route("/ok", get(|| async { "ok" }));
    let server = tokio::spawn(serve(
        listener,
        Transport::Tls(config),
        app,
        options,
        stop.clone(),
    ));

    let published = Arc::new(Published {
        edition: Mutex::new((0, trusting(&material))),
        connecting: std::array::from_fn(|_| AtomicU64::new(CONNECTED)),
    });
    let over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for (client, requests) in CLIENTS.into_iter().enumerate() {
        let (published, over, asked) = (published.clone(), over.clone(), asked.clone());
        clients.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let trusting = published.begin(client);
                let mut connection = tls(address, trusting, NAME).await.unwrap();
                published.connecting[client].store(CONNECTED, Ordering::SeqCst);
                for _ in 0..requests {
                    assert_eq!(connection.get("/ok").await.unwrap().status, 200);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    let mut leader = Leader {
        material,
        names,
        published,
        files,
        loaded,
    };
    for _ in 0..20 {
        leader.take(Decision::RenewLeaf).await;
        leader.take(Decision::PrepareCa).await;
        leader.take(Decision::SwitchCa).await;
        leader.take(Decision::DropPrevious).await;
    }
    over.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    stop.cancel();
    server.await.unwrap();
    let Ok(()) = reloading.await.unwrap();
    let asked = asked.load(Ordering::Relaxed);
    println!("{asked} requests over 40 certificates of 21 authorities");
    assert!(asked > 100, "{asked} requests");
    assert_eq!(leader.loaded.borrow().unwrap().count, 41);
    assert_eq!(metrics.ended("handshake_failed"), 0);
}
