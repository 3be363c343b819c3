//! What the installed pods cost on the real cluster, idle and under load, as their cgroups account it; and what a webhook costs that is killed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::future::try_join;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};

use super::report::{Row, Section};
use crate::{
    Cluster, User,
    cluster::{
        load::{Load, Outcome, Pace},
        parts::Usage,
    },
    installation::NAMESPACE as SYSTEM,
    plane::wait_for,
    scenario::Shop,
    shared::own_cluster,
};

const PACE: Pace = Pace {
    dry_runs: 200,
    writes: 5,
};
/// After the installation, until it is called idle.
const SETTLE: Duration = Duration::from_secs(10);
/// How long the killed webhook may be asked until its endpoint is gone.
const REFUSING: f64 = 3.0;
/// What is released under load, in turns.
const VERSIONS: [&str; 2] = ["v1", "v2"];
const BATCHES: [&str; 3] = ["1", "50%", "100%"];
/// How often a webhook is killed, in turns: the kubelet waits ever longer before it starts the same one again.
const KILLS: usize = 4;

struct Measured {
    program: &'static str,
    /// The largest working set of its pods.
    memory: u64,
    /// Of all its pods together, in cores.
    cores: f64,
}

/// Measures on a cluster of its own; `length` is how long each state is looked at.
///
/// # Errors
/// When the cluster or Sluice does not start, or an answer under load is not the right one.
pub async fn measure(length: Duration) -> anyhow::Result<Vec<Section>> {
    let cluster = own_cluster().await?;
    let namespace = cluster
        .namespace_with("load", &[("sluice.dev/mode", "enforce")])
        .await?;
    let shop = Shop::new(&cluster, "shop", 4).await?;
    shop.open(VERSIONS[0], &BATCHES, "1s").await?;
    tokio::time::sleep(SETTLE).await;
    let idle = watch(&cluster, length).await?;
    let client = cluster.client(User::Admin).await?;
    let load = Load::start(&client, &namespace, PACE).await?;
    let over = AtomicBool::new(false);
    let watched = async {
        let busy = watch(&cluster, length).await;
        over.store(true, Ordering::Relaxed);
        busy
    };
    let (busy, released) = try_join(watched, releases(&shop, &over)).await?;
    let outcome = load.stop().await;
    outcome.is_right()?;
    let mut kills = Vec::new();
    for turn in 0..KILLS {
        kills.push(kill(&cluster, &namespace, turn).await?);
    }
    Ok(vec![
        costs(&idle, &busy, &outcome, released, length),
        killed(&kills),
    ])
}

/// Releases one version after the other, each in batches that are probed, until told; how many ended well.
async fn releases(shop: &Shop<'_>, over: &AtomicBool) -> anyhow::Result<usize> {
    let mut ended = 0;
    while !over.load(Ordering::Relaxed) {
        let tag = VERSIONS[(ended + 1) % VERSIONS.len()];
        shop.apply(&shop.checkout(tag)).await?;
        // only now the youngest record is surely that of this release
        shop.runs_everywhere(tag).await?;
        shop.release_in("Succeeded").await?;
        ended += 1;
    }
    Ok(ended)
}

fn costs(
    idle: &[Measured],
    busy: &[Measured],
    outcome: &Outcome,
    released: usize,
    length: Duration,
) -> Section {
    let mut rows = vec![
        Row::told(
            "requests a second that were reached, 200 dry-runs and 5 writes asked for",
            format!("{:.0}", outcome.rate()),
        ),
        Row::told("releases that ended meanwhile", released.to_string()),
    ];
    for (state, measured) in [("idle", idle), ("under load", busy)] {
        for one in measured {
            rows.push(Row::told(
                &format!("{}, {state}: memory of the larger pod", one.program),
                format!("{:.1} MB", one.memory as f64 / 1e6),
            ));
            rows.push(Row::told(
                &format!("{}, {state}: CPU of both pods", one.program),
                format!("{:.2} % of a core", one.cores * 100.0),
            ));
        }
    }
    Section {
        title: "The installed pods",
        how: format!(
            "Two webhooks and two controllers as `sluice install` puts them there, in their own images, on one real node that shares the machine with \
             the control plane and the load. Memory is what the kubelet takes into account: charged to the pod's cgroup, less file cache that is not \
             in use; the largest of what was seen in {0} s. Pages of a program's own file are charged to whoever read them first, here the runtime that \
             unpacked the image: [Numbers](numbers.md) has resident memory, which counts them. CPU over the same {0} s. Under load: server-side dry-runs of CronJobs in a namespace of \
             mode `enforce`, half of them refused, real writes, and one release after the other of a Deployment of four pods in three batches, whose new pods \
             are probed four times a second. Idle: that Deployment, its plan and its probe are there.",
            length.as_secs()
        ),
        rows,
    }
}

fn killed(kills: &[Outcome]) -> Section {
    let longest = kills
        .iter()
        .map(|outcome| outcome.failing().as_secs_f64())
        .fold(0.0, f64::max);
    let list = |of: fn(&Outcome) -> String| kills.iter().map(of).collect::<Vec<_>>().join(", ");
    Section {
        title: "A webhook killed with -9 under load",
        how: format!(
            "One of two webhooks is killed while the load above goes on, {KILLS} times. What the API server sends to it until its endpoint is gone \
             or it is back is refused (`failurePolicy: Fail`); nothing is let in unchecked. A webhook that is stopped, replaced or upgraded loses no request."
        ),
        rows: vec![
            Row::at_most("refused for, longest", longest, REFUSING, "s"),
            Row::told(
                "refused requests",
                list(|outcome| outcome.failures.len().to_string()),
            ),
            Row::told(
                "requests a second meanwhile",
                list(|outcome| format!("{:.0}", outcome.rate())),
            ),
            Row::told(
                "let in unchecked",
                list(|outcome| outcome.unchecked.to_string()),
            ),
        ],
    }
}

async fn pods(cluster: &Cluster, program: &str) -> anyhow::Result<Vec<String>> {
    let pods: Api<Pod> = Api::namespaced(cluster.client(User::Admin).await?, SYSTEM);
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/name=sluice-{program}"));
    let list = pods.list(&ours).await?;
    let uids: Vec<String> = list.items.iter().filter_map(ResourceExt::uid).collect();
    ensure!(uids.len() == 2, "{} pods of {program}", uids.len());
    Ok(uids)
}

async fn watch(cluster: &Cluster, length: Duration) -> anyhow::Result<Vec<Measured>> {
    let mut programs = Vec::new();
    for program in ["webhook", "controller"] {
        programs.push((
            program,
            pods(cluster, program).await?,
            0_u64,
            Duration::ZERO,
        ));
    }
    let usage = |uids: &[String]| -> anyhow::Result<Vec<Usage>> {
        uids.iter().map(|uid| cluster.usage_of(uid)).collect()
    };
    let cpu = |usages: &[Usage]| usages.iter().map(|usage| usage.cpu).sum::<Duration>();
    let began = Instant::now();
    for (_, uids, _, before) in &mut programs {
        *before = cpu(&usage(uids)?);
    }
    while began.elapsed() < length {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for (_, uids, most, _) in &mut programs {
            let largest = usage(uids)?.iter().map(|usage| usage.memory).max();
            *most = (*most).max(largest.unwrap_or(0));
        }
    }
    let took = began.elapsed().as_secs_f64();
    programs
        .into_iter()
        .map(|(program, uids, memory, before)| {
            let used = cpu(&usage(&uids)?).saturating_sub(before);
            Ok(Measured {
                program,
                memory,
                cores: used.as_secs_f64() / took,
            })
        })
        .collect()
}

async fn kill(cluster: &Cluster, namespace: &str, turn: usize) -> anyhow::Result<Outcome> {
    let uids = pods(cluster, "webhook").await?;
    let client = cluster.client(User::Admin).await?;
    let load = Load::start(&client, namespace, PACE).await?;
    let asked = async |more: u64| {
        let until = load.answered() + more;
        wait_for("requests are answered", || async {
            Ok((load.answered() >= until).then_some(()))
        })
        .await
    };
    asked(100).await?;
    let before = cluster.processes("sluice-webhook")?;
    cluster.kill_program(&uids[turn % uids.len()], "sluice-webhook")?;
    wait_for("it runs again", || async {
        let now = cluster.processes("sluice-webhook")?;
        Ok((now.len() == 2 && now != before).then_some(()))
    })
    .await?;
    let line = format!("-n {SYSTEM} rollout status deployment/sluice-webhook --timeout=60s");
    cluster
        .kubectl(User::Admin, line.split(' '), None)
        .await?
        .ok()?;
    asked(600).await?;
    let outcome = load.stop().await;
    outcome.is_checked()?;
    Ok(outcome)
}
