//! The authority and the serving certificate are replaced while the API server asks the webhook hundreds of times a second: no request is lost, and none
//! goes through unchecked.
//!
//! Beside that load an observer connects to the webhook again and again as an API server would that is slow to learn of a new bundle: it trusts what was
//! published some seconds ago, and nothing else. The API server's own connections live long and would hide a gap that is short.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::{try_join_all, try_join3};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration, batch::v1::CronJob, core::v1::Secret,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use rustls::pki_types::ServerName;
use serde_json::json;
use sluice_certs::{secret, serving};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::{InstallOptions, Installation, NAMESPACE},
};
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::TlsConnector;

/// Lives so short that an authority is replaced half a minute after it was made, and a serving certificate after twenty seconds.
const LIVES: &str = "certificates: {authority: 200s, serving: 180s, overlap: 10s}\n";
/// How slow an API server may be to learn of a bundle; below the overlap.
const LAG: Duration = Duration::from_secs(7);
/// How long everything may take: it is due within 65 s.
const LIMIT: Duration = Duration::from_secs(180);
/// Writers of dry-runs; each sends a good and a bad manifest every 80 ms, if the machine is fast enough: 200 a second.
const WRITERS: usize = 8;
const PACE: Duration = Duration::from_millis(80);

#[derive(Debug, Default)]
struct Seen {
    accepted: AtomicU32,
    refused: AtomicU32,
    written: AtomicU32,
    connected: AtomicU32,
}

fn count(counter: &AtomicU32) -> u32 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

fn read(text: &str, namespace: &str) -> anyhow::Result<CronJob> {
    let mut job: CronJob = serde_saphyr::from_str(text)?;
    job.metadata.namespace = Some(namespace.to_owned());
    Ok(job)
}

#[tokio::test]
async fn rotation_loses_no_request_and_lets_none_through_unchecked() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = rotate(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn rotate(plane: &Plane) -> anyhow::Result<()> {
    let options = InstallOptions {
        more: Some(LIVES.to_owned()),
        ..InstallOptions::default()
    };
    let _sluice = Installation::install_with(plane, &options).await?;
    let enforced = [("sluice.dev/mode", "enforce")];
    let namespace = plane.namespace_with("load", &enforced).await?;
    let client = plane.client(User::Admin).await?;
    let (stop, seen) = (AtomicBool::new(false), Seen::default());
    let began = Instant::now();
    let loads = async {
        let dry = (0..WRITERS).map(|_| dry_runs(&client, &namespace, &stop, &seen));
        try_join_all(dry).await.map(drop)
    };
    let watched = async {
        let observed = observe(&client, &stop, &seen).await;
        // whatever came of it, the others end too
        stop.store(true, Ordering::Relaxed);
        observed
    };
    let outcome = try_join3(loads, writes(&client, &namespace, &stop, &seen), watched).await;
    let ((), (), rotations) =
        outcome.with_context(|| format!("after {:?}: {seen:?}", began.elapsed()))?;
    println!("{rotations} in {:?}: {seen:?}", began.elapsed());
    for (what, counter) in [
        ("dry-runs accepted", &seen.accepted),
        ("dry-runs refused", &seen.refused),
        ("connections", &seen.connected),
    ] {
        ensure!(
            counter.load(Ordering::Relaxed) >= 300,
            "too few {what}: {seen:?}"
        );
    }
    ensure!(
        seen.written.load(Ordering::Relaxed) >= 100,
        "too few writes: {seen:?}"
    );
    Ok(())
}

/// A manifest that passes and one that breaks a rule, again and again; anything but the right answer is an error.
async fn dry_runs(
    client: &Client,
    namespace: &str,
    stop: &AtomicBool,
    seen: &Seen,
) -> anyhow::Result<()> {
    let good = read(include_str!("../../demo/cronjob-bounded.yaml"), namespace)?;
    let bad = read(include_str!("../../demo/cronjob-unbounded.yaml"), namespace)?;
    let jobs: Api<CronJob> = Api::namespaced(client.clone(), namespace);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    while !stop.load(Ordering::Relaxed) {
        let next = tokio::time::Instant::now() + PACE;
        jobs.create(&dry_run, &good)
            .await
            .context("a good manifest was lost")?;
        count(&seen.accepted);
        refused(jobs.create(&dry_run, &bad).await)?;
        count(&seen.refused);
        tokio::time::sleep_until(next).await;
    }
    Ok(())
}

fn refused(answer: Result<CronJob, kube::Error>) -> anyhow::Result<()> {
    match answer {
        Ok(_) => anyhow::bail!("a bad manifest went in unchecked"),
        Err(error) if error.to_string().contains("SLU1001") => Ok(()),
        Err(error) => Err(error).context("a bad manifest was refused for another reason"),
    }
}

/// Five real writes a second: updates that are judged, and now and then a new object that must not come to be.
async fn writes(
    client: &Client,
    namespace: &str,
    stop: &AtomicBool,
    seen: &Seen,
) -> anyhow::Result<()> {
    let mut good = read(include_str!("../../demo/cronjob-bounded.yaml"), namespace)?;
    good.metadata.name = Some("written".to_owned());
    let bad = read(include_str!("../../demo/cronjob-unbounded.yaml"), namespace)?;
    let jobs: Api<CronJob> = Api::namespaced(client.clone(), namespace);
    let real = PostParams::default();
    jobs.create(&real, &good).await.context("the first write")?;
    while !stop.load(Ordering::Relaxed) {
        let next = tokio::time::Instant::now() + Duration::from_millis(200);
        let number = count(&seen.written);
        if number % 5 == 0 {
            refused(jobs.create(&real, &bad).await)?;
        } else {
            // what the rules read, so that it is judged
            let schedule = format!("{} * * * *", number % 60);
            let patch = Patch::Merge(json!({"spec": {"schedule": schedule}}));
            let params = PatchParams::default();
            jobs.patch("written", &params, &patch)
                .await
                .context("a write was lost")?;
        }
        tokio::time::sleep_until(next).await;
    }
    Ok(())
}

/// What was replaced while we looked.
#[derive(Default)]
struct Rotations {
    /// Serving certificates.
    served: BTreeSet<String>,
    /// Authorities that signed.
    authorities: Vec<String>,
    /// How many authorities were published at once, in the order of changes.
    published: Vec<usize>,
}

impl Rotations {
    /// An authority was replaced, with both published before and after, and taken out; a serving certificate was renewed under each of the two.
    fn are_enough(&self) -> bool {
        self.authorities.len() >= 2
            && self.served.len() >= 4
            && self.published.starts_with(&[1, 2, 1])
    }
}

impl std::fmt::Display for Rotations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (served, signed) = (self.served.len(), self.authorities.len());
        let published = &self.published;
        write!(
            f,
            "{served} certificates of {signed} authorities, published at once {published:?}"
        )
    }
}

/// Connects until enough was replaced: as one that knows the bundle of this moment, and as one that is [`LAG`] behind.
async fn observe(client: &Client, stop: &AtomicBool, seen: &Seen) -> anyhow::Result<Rotations> {
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let mut history: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut rotations = Rotations::default();
    let began = Instant::now();
    loop {
        ensure!(
            !stop.load(Ordering::Relaxed),
            "the load ended before the rotation"
        );
        ensure!(
            began.elapsed() < LIMIT,
            "not enough after {LIMIT:?}: {rotations}"
        );
        let found = configurations.get("zz-sluice").await?;
        let entry = &found.webhooks.as_deref().context("entries")?[0].client_config;
        let url = entry.url.clone().context("an address")?;
        let bundle = entry.ca_bundle.clone().context("a bundle")?.0;
        let authorities = String::from_utf8_lossy(&bundle).matches("BEGIN").count();
        if rotations.published.last() != Some(&authorities) {
            rotations.published.push(authorities);
        }
        if history.back().is_none_or(|(_, last)| *last != bundle) {
            history.push_back((Instant::now(), bundle.clone()));
        }
        // the newest that is old enough, or the oldest there is
        while history.len() > 1 && history[1].0.elapsed() >= LAG {
            history.pop_front();
        }
        let stale = history.front().context("a bundle")?.1.clone();
        for (who, bundle) in [
            ("one that knows the bundle", &bundle),
            ("one that is behind", &stale),
        ] {
            connect(&url, bundle).await.with_context(|| {
                format!(
                    "{who} was not served as it trusts, {:?} in: {rotations}",
                    began.elapsed()
                )
            })?;
            count(&seen.connected);
        }
        let material = secret::material(&secrets.get(secret::SECRET_NAME).await?)?;
        rotations.served.insert(material.leaf.cert_pem);
        if rotations.authorities.last() != Some(&material.ca.cert_pem) {
            rotations.authorities.push(material.ca.cert_pem);
        }
        if rotations.are_enough() {
            return Ok(rotations);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// A new connection to the webhook that trusts this bundle and nothing else.
async fn connect(url: &str, bundle: &[u8]) -> anyhow::Result<()> {
    let uri: http::Uri = url.parse()?;
    let host = uri.host().context("a host")?.to_owned();
    let port = uri.port_u16().context("a port")?;
    let connector = TlsConnector::from(Arc::new(serving::client_config(bundle)?));
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    connector
        .connect(ServerName::try_from(host)?, stream)
        .await?;
    Ok(())
}
