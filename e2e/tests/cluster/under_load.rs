//! What happens to Sluice's own pods, and to what they stand on, while the API server asks them: nothing that is applied is lost, nothing goes unchecked,
//! and a release in the middle goes on.

use std::{future::Future, pin::Pin, time::Duration};

use anyhow::{Context, ensure};
use sluice_e2e::{
    Cluster, User,
    cluster::load::{Load, Outcome, Pace},
    plane::wait_for,
    scenario::Shop,
    shared::on_own_cluster,
};

/// What is asked for, and what this machine must reach while it runs everything else too.
const PACE: Pace = Pace {
    dry_runs: 200,
    writes: 5,
};
const AT_LEAST: f64 = 50.0;
const BATCHES: [&str; 3] = ["1", "50%", "100%"];
/// How long a killed webhook may be asked until its endpoint is gone.
const MOST: Duration = Duration::from_secs(3);

type Act<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

async fn sluice(cluster: &Cluster, line: &str) -> anyhow::Result<String> {
    let line = ["-n", "sluice-system"].into_iter().chain(line.split(' '));
    cluster.kubectl(User::Admin, line, None).await?.ok()
}

/// Waits until a program of Sluice has two pods, both ready and none on its way out.
async fn are_two(cluster: &Cluster, program: &str) -> anyhow::Result<()> {
    let line = format!("rollout status deployment/sluice-{program} --timeout=120s");
    sluice(cluster, &line).await?;
    let line = format!("get pods -l app.kubernetes.io/name=sluice-{program} -o name");
    // the old pods serve on for a while after the new ones are available
    wait_for("only the two are left", || async {
        let pods = sluice(cluster, &line).await?;
        Ok((pods.lines().count() == 2).then_some(()))
    })
    .await
}

async fn upgraded(cluster: &Cluster) -> anyhow::Result<()> {
    for program in ["webhook", "controller"] {
        let line = format!(
            "get deployment sluice-{program} -o jsonpath={{.spec.template.spec.containers[0].image}}"
        );
        let image = sluice(cluster, &line).await?;
        let next = format!("sluice.dev/{program}:next");
        cluster.tag_image(&image, &next)?;
        let line = format!("set image deployment/sluice-{program} {program}={next}");
        sluice(cluster, &line).await?;
    }
    are_two(cluster, "webhook").await?;
    are_two(cluster, "controller").await
}

async fn webhook_stopped(cluster: &Cluster) -> anyhow::Result<()> {
    let pods = sluice(
        cluster,
        "get pods -l app.kubernetes.io/name=sluice-webhook -o name",
    )
    .await?;
    let pod = pods.lines().next().context("no webhook pod")?;
    sluice(cluster, &format!("delete {pod}")).await?;
    are_two(cluster, "webhook").await
}

async fn leader(cluster: &Cluster) -> anyhow::Result<String> {
    let line = "get lease sluice-controller -o jsonpath={.spec.holderIdentity}";
    let holder = sluice(cluster, line).await?;
    // the pod's name, and what tells its processes apart
    Ok(holder.split('_').next().unwrap_or_default().to_owned())
}

async fn leader_moved(cluster: &Cluster) -> anyhow::Result<()> {
    let before = leader(cluster).await?;
    sluice(cluster, &format!("delete pod {before}")).await?;
    wait_for("another leads", || async {
        let now = leader(cluster).await?;
        Ok((!now.is_empty() && now != before).then_some(()))
    })
    .await?;
    are_two(cluster, "controller").await
}

async fn dns_killed(cluster: &Cluster) -> anyhow::Result<()> {
    let line =
        "-n kube-system delete pod -l k8s-app=kube-dns --grace-period=0 --force --wait=false";
    cluster
        .kubectl(User::Admin, line.split(' '), None)
        .await?
        .ok()?;
    let line = "-n kube-system rollout status deployment/coredns --timeout=60s";
    cluster
        .kubectl(User::Admin, line.split(' '), None)
        .await?
        .ok()?;
    Ok(())
}

/// Does `act` under load in the middle of a release of `tag`, which must end well.
async fn in_the_middle(
    cluster: &Cluster,
    shop: &Shop<'_>,
    tag: &str,
    namespace: &str,
    act: Act<'_>,
) -> anyhow::Result<Outcome> {
    let image = |tag: &str| format!("registry.test/shop/checkout:{tag}");
    cluster.tag_image(&image("v2"), &image(tag))?;
    let count = shop.releases().await?.len();
    let client = cluster.client(User::Admin).await?;
    let load = Load::start(&client, namespace, PACE).await?;
    shop.apply(&shop.checkout(tag)).await?;
    shop.recorded(count + 1).await?;
    shop.release_in("Baking").await?;
    act.await?;
    shop.release_in("Succeeded").await?;
    shop.runs_everywhere(tag).await?;
    Ok(load.stop().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_to_sluice_loses_nothing_and_lets_nothing_through() -> anyhow::Result<()> {
    // of its own: others count the pods that are replaced here
    on_own_cluster(async |cluster| {
        let namespace = cluster
            .namespace_with("load", &[("sluice.dev/mode", "enforce")])
            .await?;
        let shop = Shop::new(cluster, "middle", 4).await?;
        shop.open("v1", &BATCHES, "2s").await?;
        let acts: [(&str, Act<'_>); 4] = [
            ("stopped", Box::pin(webhook_stopped(cluster))),
            ("moved", Box::pin(leader_moved(cluster))),
            ("no-dns", Box::pin(dns_killed(cluster))),
            ("upgraded", Box::pin(upgraded(cluster))),
        ];
        for (name, act) in acts {
            let tag = format!("v2--{name}");
            let outcome = in_the_middle(cluster, &shop, &tag, &namespace, act)
                .await
                .context(name)?;
            println!("{name}: {}", outcome.text());
            outcome.is_right(AT_LEAST).context(name)?;
        }
        shop.kept_to(&BATCHES)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_webhook_refuses_for_a_moment_and_lets_nothing_through() -> anyhow::Result<()> {
    on_own_cluster(async |cluster| {
        let namespace = cluster
            .namespace_with("load", &[("sluice.dev/mode", "enforce")])
            .await?;
        let client = cluster.client(User::Admin).await?;
        let line = "get pods -l app.kubernetes.io/name=sluice-webhook -o jsonpath={.items[*].metadata.uid}";
        let uids = sluice(cluster, line).await?;
        let uid = uids.split(' ').next().context("no webhook pod")?;
        let load = Load::start(&client, &namespace, PACE).await?;
        // it is asked before, during and after
        wait_for("both are asked", || async { Ok((load.answered() > 100).then_some(())) }).await?;
        cluster.kill_program(uid, "sluice-webhook")?;
        let before = load.answered();
        are_two(cluster, "webhook").await?;
        wait_for("it is asked on", || async { Ok((load.answered() > before + 300).then_some(())) }).await?;
        let outcome = load.stop().await;
        println!("killed: {}", outcome.text());
        outcome.is_checked()?;
        ensure!(outcome.failing() <= MOST, "refused for too long: {}", outcome.text());
        for failure in &outcome.failures {
            ensure!(failure.text.contains("failed calling webhook"), "another reason: {failure:?}");
        }
        Ok(())
    })
    .await
}
