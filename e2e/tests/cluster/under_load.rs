//! What happens to Sluice's own pods while the API server asks them: nothing that is applied is lost, and nothing goes unchecked.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures::future::try_join;
use k8s_openapi::api::batch::v1::CronJob;
use kube::{Api, Client, api::PostParams};
use sluice_e2e::{Cluster, ClusterOptions, User, cluster, plane::wait_for, shared::install_on};

/// What came of many server-side dry-runs.
#[derive(Debug, Default)]
struct Seen {
    accepted: AtomicU32,
    refused: AtomicU32,
}

/// One manifest that passes and one that breaks a rule, again and again, until told to stop; anything but the right answer is an error.
async fn load(
    client: Client,
    namespace: &str,
    stop: &AtomicBool,
    seen: &Seen,
) -> anyhow::Result<()> {
    let read = |text: &str| -> anyhow::Result<CronJob> {
        let mut job: CronJob = serde_saphyr::from_str(text)?;
        job.metadata.namespace = Some(namespace.to_owned());
        Ok(job)
    };
    let good = read(include_str!("../../demo/cronjob-bounded.yaml"))?;
    let bad = read(include_str!("../../demo/cronjob-unbounded.yaml"))?;
    let jobs: Api<CronJob> = Api::namespaced(client, namespace);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    while !stop.load(Ordering::Relaxed) {
        jobs.create(&dry_run, &good)
            .await
            .context("a good manifest was lost")?;
        seen.accepted.fetch_add(1, Ordering::Relaxed);
        match jobs.create(&dry_run, &bad).await {
            Ok(_) => anyhow::bail!("a bad manifest went in unchecked"),
            Err(error) if error.to_string().contains("SLU1001") => {
                seen.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                return Err(error).context("a bad manifest was refused for another reason");
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::test]
async fn replacing_the_webhooks_loses_nothing_and_lets_nothing_through() -> anyhow::Result<()> {
    // of its own: others count the pods that are replaced here
    let cluster = Cluster::start(ClusterOptions {
        images: cluster::images("product")?,
        ..ClusterOptions::default()
    })
    .await?;
    install_on(&cluster).await?;
    let namespace = cluster
        .namespace_with("load", &[("sluice.dev/mode", "enforce")])
        .await?;
    let (stop, seen) = (AtomicBool::new(false), Seen::default());
    let client = cluster.client(User::Admin).await?;
    let sluice = async |line: &str| {
        let line = ["-n", "sluice-system"].into_iter().chain(line.split(' '));
        cluster.kubectl(User::Admin, line, None).await?.ok()
    };
    let replace = async {
        sluice("rollout restart deployment/sluice-webhook").await?;
        sluice("rollout status deployment/sluice-webhook --timeout=120s").await?;
        // the old pods serve on for a while after the new ones are available
        wait_for("only the new pods are left", || async {
            let pods = sluice("get pods -l app.kubernetes.io/name=sluice-webhook -o name").await?;
            Ok((pods.lines().count() == 2).then_some(()))
        })
        .await?;
        stop.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let loads = async {
        let four = [(); 4].map(|()| load(client.clone(), &namespace, &stop, &seen));
        futures::future::try_join_all(four).await.map(drop)
    };
    let outcome = try_join(loads, replace).await;
    if outcome.is_err() {
        cluster.keep();
    }
    outcome.with_context(|| format!("{seen:?}"))?;
    println!("{seen:?}");
    ensure!(
        seen.accepted.load(Ordering::Relaxed) >= 100,
        "too few to tell: {seen:?}"
    );
    Ok(())
}
