//! The authority and the serving certificate of installed pods are replaced, again and again, while the API server asks them and a release is in the middle.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret};
use kube::Api;
use sluice_certs::secret;
use sluice_e2e::{
    Cluster, User,
    shared::{Further, on_own_cluster_with},
};

use crate::under_load::Scene;

/// Lives so short that an authority is replaced half a minute after it was made, and a serving certificate after twenty seconds.
const CONFIG: &str = r#"
probes: {allowTargets: ["*.svc"]}
namespaces: {off: [kube-system, kube-node-lease, kube-public]}
certificates: {authority: 200s, serving: 180s, overlap: 10s}
"#;
/// How long everything may take: it is due within 65 s.
const LIMIT: Duration = Duration::from_secs(180);
/// An authority that stays longer than its overlap is seen at this pace.
const LOOK: Duration = Duration::from_millis(250);

/// Until an authority was replaced, with both published before and after, and a serving certificate was renewed under each of the two.
async fn replaced(cluster: &Cluster) -> anyhow::Result<()> {
    let client = cluster.client(User::Admin).await?;
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let secrets: Api<Secret> = Api::namespaced(client, "sluice-system");
    let began = Instant::now();
    let mut served = BTreeSet::new();
    // each once, in the order in which they signed; and how many were published at once, in the order of changes
    let (mut signed, mut published) = (Vec::new(), Vec::new());
    while !(signed.len() >= 2 && served.len() >= 4 && published.windows(3).any(|w| w == [1, 2, 1]))
    {
        ensure!(
            began.elapsed() < LIMIT,
            "not enough after {LIMIT:?}: {} certificates of {} authorities, published at once {published:?}",
            served.len(),
            signed.len()
        );
        let found = configurations.get("zz-sluice").await?;
        let entry = &found.webhooks.as_deref().context("entries")?[0];
        let bundle = entry.client_config.ca_bundle.as_ref().context("a bundle")?;
        let authorities = String::from_utf8_lossy(&bundle.0).matches("BEGIN").count();
        if published.last() != Some(&authorities) {
            published.push(authorities);
        }
        let material = secret::material(&secrets.get(secret::SECRET_NAME).await?)?;
        served.insert(material.leaf.cert_pem);
        if signed.last() != Some(&material.ca.cert_pem) {
            signed.push(material.ca.cert_pem);
        }
        tokio::time::sleep(LOOK).await;
    }
    println!(
        "{} certificates of {} authorities in {:.0} s, published at once {published:?}",
        served.len(),
        signed.len(),
        began.elapsed().as_secs_f32()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_loses_nothing_and_lets_nothing_through() -> anyhow::Result<()> {
    let further = Further {
        config: Some(CONFIG),
        ..Further::default()
    };
    on_own_cluster_with(further, async |cluster| {
        let scene = Scene::open(cluster).await?;
        scene
            .during_a_release("rotated", Box::pin(replaced(cluster)))
            .await?;
        Ok(())
    })
    .await
}
