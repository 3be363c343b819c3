//! Reloading from files: whatever is written, what works goes on being served.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use sluice_certs::{
    CertificateSource, Loaded, Reloader, ServingNames, Terms,
    issue::{self, Keyed},
};
use tokio::{
    sync::{Mutex, mpsc, watch},
    time::timeout,
};
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

/// An API server that lists nothing and then tells what it is told to, on one watch at a time.
fn watched() -> (kube::Client, mpsc::UnboundedSender<serde_json::Value>) {
    let (tell, told) = mpsc::unbounded_channel::<serde_json::Value>();
    let told = Arc::new(Mutex::new(told));
    let service = tower::service_fn(move |request: Request<Body>| {
        let told = told.clone();
        async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            assert!(
                query.contains("fieldSelector=metadata.name%3Dsluice-webhook-certs"),
                "the permission is for one name: {query}"
            );
            if !query.contains("watch=true") {
                let list = serde_json::json!({
                    "kind": "SecretList", "apiVersion": "v1",
                    "metadata": {"resourceVersion": "1"}, "items": [],
                });
                let list = Full::new(Bytes::from(serde_json::to_vec(&list).unwrap()));
                return Ok(Response::new(
                    list.map_err(|never| match never {}).boxed_unsync(),
                ));
            }
            // one line per event; null ends the connection
            let lines = stream::unfold(told, |told| async move {
                let event = told.lock().await.recv().await?;
                if event.is_null() {
                    return None;
                }
                let line = format!("{event}\n").into_bytes();
                Some((Ok::<_, std::io::Error>(Frame::data(line.into())), told))
            });
            let body = StreamBody::new(Box::pin(lines));
            Ok::<_, tower::BoxError>(Response::new(body.boxed_unsync()))
        }
    });
    (kube::Client::new(service, "sluice-system"), tell)
}

fn event(kind: &str, version: u32, leaf: &Keyed) -> serde_json::Value {
    let material = sluice_certs::Material {
        ca: leaf.clone(),
        next: None,
        previous: None,
        leaf: leaf.clone(),
    };
    let mut secret: Secret = sluice_certs::secret::with_material(None, "sluice-system", &material);
    secret.metadata.resource_version = Some(version.to_string());
    let mut object = serde_json::to_value(&secret).unwrap();
    object["kind"] = "Secret".into();
    object["apiVersion"] = "v1".into();
    serde_json::json!({"type": kind, "object": object})
}

#[tokio::test]
async fn follows_the_secret_and_outlives_its_deletion_and_a_broken_watch() {
    let (client, tell) = watched();
    let reloader = Reloader::new(CertificateSource::Secret {
        client,
        namespace: "sluice-system".into(),
    });
    let (config, mut loaded) = (reloader.config(), reloader.loaded());
    let stop = CancellationToken::new();
    let task = tokio::spawn(reloader.run(stop.clone()));

    let first = leaf();
    tell.send(event("ADDED", 2, &first)).unwrap();
    count(&mut loaded, 1).await;
    let served = config.load_full().unwrap();
    // the same again, one that cannot be served, and none: the first goes on being served
    tell.send(event("MODIFIED", 3, &first)).unwrap();
    let mut broken = leaf();
    broken.key_pem.clone_from(&first.key_pem);
    tell.send(event("MODIFIED", 4, &broken)).unwrap();
    tell.send(event("DELETED", 5, &broken)).unwrap();
    // the connection ends; the next watch brings the next one
    tell.send(serde_json::Value::Null).unwrap();
    let second = event("ADDED", 6, &leaf());
    assert!(Arc::ptr_eq(&served, &config.load_full().unwrap()));
    tell.send(second).unwrap();
    count(&mut loaded, 2).await;
    assert!(!Arc::ptr_eq(&served, &config.load_full().unwrap()));
    stop.cancel();
    let Ok(()) = task.await.unwrap();
}
