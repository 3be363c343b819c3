//! Sluice cannot lock a cluster out, with failurePolicy Fail: what goes on while it is gone, that nothing is let in unchecked meanwhile, and that everything
//! comes back by itself.

use anyhow::{Context, ensure};
use jiff::Timestamp;
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration, coordination::v1::Lease,
    core::v1::Secret,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use sluice_certs::{Material, ServingNames, Terms, inspect, secret};
use sluice_e2e::{
    Cluster, User,
    plane::{Output, wait_for},
    shared::{install_on, on_own_cluster},
};

/// One object of each kind that a cluster needs to come back, created as a trial.
const NEVER_REFUSED: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: newcomer}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: newcomer, namespace: kube-node-lease}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent}]}
---
apiVersion: v1
kind: Pod
metadata: {name: newcomer, namespace: NAMESPACE}
spec: {containers: [{name: main, image: main}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: unlabelled, namespace: default}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: main}]}}}}
"#;

/// What Sluice itself needs to come back.
const OWN_PODS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: another, namespace: sluice-system}
spec:
  selector: {matchLabels: {app: another}}
  template:
    metadata: {labels: {app: another}}
    spec: {containers: [{name: another, image: another}]}
"#;

struct Place<'a> {
    cluster: &'a Cluster,
    namespace: String,
}

impl Place<'_> {
    async fn kubectl(&self, line: &str, input: Option<&str>) -> anyhow::Result<Output> {
        self.cluster
            .kubectl(User::Admin, line.split(' '), input)
            .await
    }

    /// A CronJob of the demo, as a trial.
    async fn try_apply(&self, name: &str) -> anyhow::Result<Output> {
        let path = format!("{}/demo/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path)?
            .replace("namespace: shop", &format!("namespace: {}", self.namespace));
        self.kubectl("apply --dry-run=server -f -", Some(&text))
            .await
    }

    /// Waits until a trial goes as `right` says.
    async fn comes(
        &self,
        what: &str,
        name: &str,
        right: impl Fn(&Output) -> bool,
    ) -> anyhow::Result<()> {
        wait_for(what, || async {
            let output = self.try_apply(name).await?;
            Ok(right(&output).then_some(()))
        })
        .await
    }

    /// Nothing judged is let in, and nothing the cluster lives on is refused.
    async fn nothing_judged_and_all_else_goes_in(&self) -> anyhow::Result<()> {
        self.comes(
            "without a webhook nothing is let in unchecked",
            "cronjob-bounded",
            |output| output.stderr.contains("failed calling webhook"),
        )
        .await?;
        self.nothing_needed_is_refused().await
    }

    async fn nothing_needed_is_refused(&self) -> anyhow::Result<()> {
        let own = OWN_PODS;
        self.nothing_of_these_is_refused(&format!("{NEVER_REFUSED}---{own}"))
            .await
    }

    async fn nothing_of_these_is_refused(&self, needed: &str) -> anyhow::Result<()> {
        let needed = needed.replace("NAMESPACE", &self.namespace);
        self.kubectl("create --dry-run=server -f -", Some(&needed))
            .await?
            .ok()
            .context("refused while Sluice was gone")?;
        Ok(())
    }

    /// By itself: it judges again, in full, and all its pods are ready. Until then what must be refused is never let in.
    async fn it_comes_back(&self) -> anyhow::Result<()> {
        wait_for("it judges again", || async {
            let output = self.try_apply("cronjob-unbounded").await?;
            ensure!(!output.succeeded(), "let in unchecked: {}", output.stdout);
            Ok(output.stderr.contains("SLU1001").then_some(()))
        })
        .await?;
        for program in ["webhook", "controller"] {
            let line = format!(
                "-n sluice-system rollout status deployment/sluice-{program} --timeout=90s"
            );
            self.kubectl(&line, None).await?.ok()?;
        }
        // each replica, not only the one that was asked
        for _ in 0..4 {
            self.try_apply("cronjob-bounded").await?.ok()?;
        }
        Ok(())
    }

    async fn scale(&self, program: &str, to: u32) -> anyhow::Result<()> {
        let line = format!("-n sluice-system scale deployment {program} --replicas={to}");
        self.kubectl(&line, None).await?.ok()?;
        Ok(())
    }
}

/// Every pod of Sluice is gone at one stroke.
async fn all_pods_gone_at_once(place: &Place<'_>) -> anyhow::Result<()> {
    let line = "-n sluice-system delete pods --all --grace-period=0 --force --wait=false";
    place.kubectl(line, None).await?.ok()?;
    place.nothing_needed_is_refused().await?;
    place.it_comes_back().await
}

/// Not a pod is left: the Service has no endpoints until somebody scales it up again.
async fn service_without_endpoints(place: &Place<'_>) -> anyhow::Result<()> {
    place.scale("--all", 0).await?;
    place.nothing_judged_and_all_else_goes_in().await?;
    place.scale("--all", 2).await?;
    place.it_comes_back().await
}

/// The node is rebooted: everything must come up past webhooks that nobody answers.
async fn rebooted(place: &Place<'_>) -> anyhow::Result<()> {
    let leases: Api<Lease> =
        Api::namespaced(place.cluster.client(User::Admin).await?, "kube-node-lease");
    let renewed = async || -> anyhow::Result<_> {
        let lease = leases.get("node").await?;
        Ok(lease
            .spec
            .and_then(|spec| spec.renew_time)
            .map(|time| time.0))
    };
    place.cluster.reboot().await?;
    // the API server is there before any webhook is
    let output = place.try_apply("cronjob-unbounded").await?;
    ensure!(!output.succeeded(), "let in unchecked: {}", output.stdout);
    place.nothing_needed_is_refused().await?;
    let before = renewed().await?;
    place.cluster.node_is_ready().await?;
    wait_for("the node renews its lease", || async {
        Ok((renewed().await? > before).then_some(()))
    })
    .await?;
    place.it_comes_back().await
}

/// Nobody renewed the certificate for years: authority and certificate are over, in the Secret and in what the API server trusts.
async fn expire(place: &Place<'_>) -> anyhow::Result<()> {
    let names = ServingNames::of_service("sluice-webhook", "sluice-system");
    let terms = Terms::default();
    let long_ago = Timestamp::now() - terms.authority * 2;
    let expired = Material::issue(long_ago, &names, &terms)?;
    let client = place.cluster.client(User::Admin).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "sluice-system");
    let found = secrets.get(secret::SECRET_NAME).await?;
    let written = secret::with_material(Some(&found), "sluice-system", &expired);
    secrets
        .replace(secret::SECRET_NAME, &PostParams::default(), &written)
        .await?;
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client);
    let ours = ListParams::default().labels("app.kubernetes.io/part-of=sluice");
    for mut configuration in configurations.list(&ours).await? {
        let name = configuration.metadata.name.clone().unwrap_or_default();
        for webhook in configuration.webhooks.iter_mut().flatten() {
            let bundle = expired.ca_bundle().into_bytes();
            webhook.client_config.ca_bundle = Some(k8s_openapi::ByteString(bundle));
        }
        configurations
            .replace(&name, &PostParams::default(), &configuration)
            .await?;
    }
    Ok(())
}

/// While no controller runs: the webhooks that start then have nothing else to serve.
async fn certificates_expired(place: &Place<'_>) -> anyhow::Result<()> {
    place.scale("sluice-controller", 0).await?;
    wait_for("no controller is left", || async {
        let line = "-n sluice-system get pods -l app.kubernetes.io/name=sluice-controller -o name";
        Ok(place
            .kubectl(line, None)
            .await?
            .ok()?
            .trim()
            .is_empty()
            .then_some(()))
    })
    .await?;
    expire(place).await?;
    let line = "-n sluice-system delete pods -l app.kubernetes.io/name=sluice-webhook --grace-period=0 --force --wait=false";
    place.kubectl(line, None).await?.ok()?;
    place.nothing_judged_and_all_else_goes_in().await?;
    place.scale("sluice-controller", 2).await?;
    place.it_comes_back().await
}

/// Under the eyes of a leader, which looks once a minute while all is well. Nobody is started again.
async fn certificates_expired_under_a_leader(place: &Place<'_>) -> anyhow::Result<()> {
    let pods = async || {
        let line = "-n sluice-system get pods -o custom-columns=:.metadata.uid,:.status.containerStatuses[0].restartCount";
        place.kubectl(line, None).await?.ok()
    };
    let before = pods().await?;
    expire(place).await?;
    place.nothing_needed_is_refused().await?;
    let client = place.cluster.client(User::Admin).await?;
    let secrets: Api<Secret> = Api::namespaced(client, "sluice-system");
    wait_for("the leader issues anew", || async {
        let material = secret::material(&secrets.get(secret::SECRET_NAME).await?)?;
        let until = inspect::facts(&material.ca.cert_pem)?.not_after;
        Ok((until > Timestamp::now()).then_some(()))
    })
    .await?;
    place.it_comes_back().await?;
    let after = pods().await?;
    ensure!(before == after, "before: {before}\nafter: {after}");
    Ok(())
}

/// Its namespace is deleted by hand: the webhook configurations belong to it and go with it. Whoever wants it back installs it again.
async fn namespace_deleted(place: &Place<'_>) -> anyhow::Result<()> {
    place
        .kubectl("delete namespace sluice-system --wait=false", None)
        .await?
        .ok()?;
    place
        .comes(
            "nobody is asked any more",
            "cronjob-unbounded",
            Output::succeeded,
        )
        .await?;
    let line = "get mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice -o name";
    wait_for("the webhook configurations are gone", || async {
        let left = place.kubectl(line, None).await?.ok()?;
        Ok(left.trim().is_empty().then_some(()))
    })
    .await?;
    place.nothing_of_these_is_refused(NEVER_REFUSED).await?;
    let line = "get namespace sluice-system -o name --ignore-not-found";
    wait_for("the namespace is gone", || async {
        let left = place.kubectl(line, None).await?.ok()?;
        Ok(left.trim().is_empty().then_some(()))
    })
    .await?;
    let nodes = place.kubectl("get nodes --no-headers", None).await?.ok()?;
    ensure!(nodes.contains(" Ready "), "{nodes}");
    // the one documented command: `sluice install`
    install_on(place.cluster).await?;
    place.it_comes_back().await
}

#[tokio::test]
async fn the_cluster_lives_without_sluice_and_gets_it_back() -> anyhow::Result<()> {
    on_own_cluster(async |cluster| {
        let namespace = cluster
            .namespace_with("judged", &[("sluice.dev/mode", "enforce")])
            .await?;
        let place = Place { cluster, namespace };
        place.try_apply("cronjob-bounded").await?.ok()?;
        let began = std::time::Instant::now();
        let done = |what: &str| {
            println!(
                "{what}: {:.1} s since the start",
                began.elapsed().as_secs_f32()
            )
        };
        all_pods_gone_at_once(&place)
            .await
            .context("all pods gone at once")?;
        done("all pods gone at once");
        service_without_endpoints(&place)
            .await
            .context("no endpoints")?;
        done("no endpoints");
        certificates_expired(&place)
            .await
            .context("certificates expired")?;
        done("certificates expired");
        certificates_expired_under_a_leader(&place)
            .await
            .context("certificates expired under a leader")?;
        done("certificates expired under a leader");
        rebooted(&place).await.context("rebooted")?;
        done("rebooted");
        namespace_deleted(&place)
            .await
            .context("namespace deleted")?;
        done("namespace deleted");
        Ok(())
    })
    .await
}
