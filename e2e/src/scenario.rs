//! A shop in a namespace of its own: a workload, probes, a gate and a plan, written as users write them, and what tests ask of it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    discovery::ApiResource,
};
use serde_json::{Value, json};

use crate::{
    User,
    plane::{Access, Output},
    verifier::{Expected, History, Size, judge},
};

/// How long a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A namespace of mode `enforce` with one Deployment named `checkout` in it (once it is applied), watched from the start.
pub struct Shop<'a> {
    access: &'a Access,
    client: Client,
    /// Its namespace.
    pub namespace: String,
    history: History,
    /// What ran everywhere before the release in whose middle the recording began.
    before: Option<String>,
    replicas: u32,
}

impl<'a> Shop<'a> {
    /// A new namespace, mode `enforce`, whose Deployments, ReplicaSets and Pods are recorded from now on.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn new(access: &'a Access, prefix: &str, replicas: u32) -> anyhow::Result<Self> {
        let namespace = access
            .namespace_with(prefix, &[("sluice.dev/mode", "enforce")])
            .await?;
        let client = access.client(User::Admin).await?;
        let history = History::record(&client, &namespace).await?;
        Ok(Self {
            access,
            client,
            namespace,
            history,
            before: None,
            replicas,
        })
    }

    /// Forgets the recording and begins another, with what there is now, in the middle of a release over `tag`: after the API server was away.
    ///
    /// # Errors
    /// When the namespace cannot be listed.
    pub async fn record_anew(&mut self, tag: &str) -> anyhow::Result<()> {
        self.before = Some(format!("registry.test/shop/checkout:{tag}"));
        self.history = History::record(&self.client, &self.namespace).await?;
        Ok(())
    }

    /// A client with every right.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The manifest of `checkout` with this image tag (`v2`, `v3--errors-100`, …).
    #[must_use]
    pub fn checkout(&self, tag: &str) -> Value {
        self.workload("checkout", tag)
    }

    /// The same under another name, with labels of its own.
    #[must_use]
    pub fn workload(&self, name: &str, tag: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"app": name}},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{
                    "name": "checkout", "image": format!("registry.test/shop/checkout:{tag}"),
                    "ports": [{"containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
                }]}},
            },
        })
    }

    /// A probe that asks every canary pod itself, four times a second, three bad samples in a row being a failure.
    #[must_use]
    pub fn canary_probe(&self) -> Value {
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe",
            "metadata": {"name": "canary", "namespace": self.namespace},
            "spec": {
                "http": {"target": {"pods": "Canary", "port": 8080, "path": "/"}, "expect": {"status": [200]}},
                "interval": "250ms", "timeout": "240ms", "triggers": ["Release"],
            },
        })
    }

    /// A plan with these batches and bake, asking the canary probe.
    #[must_use]
    pub fn plan(&self, batches: &[&str], bake: &str) -> Value {
        let batches: Vec<Value> = batches
            .iter()
            .map(|batch| {
                batch
                    .parse::<u32>()
                    .map_or_else(|_| json!(batch), |pods| json!(pods))
            })
            .collect();
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "RolloutPlan",
            "metadata": {"name": "checkout", "namespace": self.namespace},
            "spec": {
                "components": {"kinds": ["Deployment"], "names": ["checkout"]},
                "batches": batches, "bake": bake, "progressDeadline": "30s",
                "during": {"probes": [{"name": "canary"}]},
            },
        })
    }

    /// `kubectl` as a user.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn kubectl(&self, user: User, line: &str) -> anyhow::Result<Output> {
        let arguments = ["-n", &self.namespace]
            .into_iter()
            .chain(line.split_whitespace());
        self.access.kubectl(user, arguments, None).await
    }

    /// `kubectl apply` of an object, as a user.
    ///
    /// # Errors
    /// When it cannot be started; a refusal is an [`Output`].
    pub async fn apply_as(
        &self,
        user: User,
        object: &Value,
        arguments: &[&str],
    ) -> anyhow::Result<Output> {
        let line = ["apply", "-f", "-"]
            .into_iter()
            .chain(arguments.iter().copied());
        self.access
            .kubectl(user, line, Some(&object.to_string()))
            .await
    }

    /// `kubectl apply` of an object as administrator, which must go in.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn apply(&self, object: &Value) -> anyhow::Result<String> {
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or("?")
            .to_owned();
        self.apply_as(User::Admin, object, &[])
            .await?
            .ok()
            .with_context(|| format!("apply of {name}"))
    }

    /// The shop as most tests want it: `checkout` at `tag` running everywhere, then probe and plan.
    ///
    /// # Errors
    /// When something is refused or does not become ready.
    pub async fn open(&self, tag: &str, batches: &[&str], bake: &str) -> anyhow::Result<()> {
        self.apply(&self.checkout(tag)).await?;
        self.runs_everywhere(tag).await?;
        self.apply(&self.canary_probe()).await?;
        self.apply(&self.plan(batches, bake)).await?;
        self.accepted("rolloutplans", "checkout").await?;
        self.accepted("probes", "canary").await
    }

    /// Waits until Sluice has accepted one of its objects.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn accepted(&self, resource: &str, name: &str) -> anyhow::Result<()> {
        let what = format!("{resource}.sluice.dev/{name} is accepted");
        self.wait(&what, || async {
            let object = self.object("sluice.dev/v1alpha1", resource, name).await?;
            let empty = Vec::new();
            let conditions = object["status"]["conditions"]
                .as_array()
                .unwrap_or(&empty)
                .clone();
            let accepted = conditions
                .iter()
                .any(|c| c["type"] == "Accepted" && c["status"] == "True");
            Ok(accepted
                .then_some(())
                .ok_or_else(|| format!("{conditions:?}")))
        })
        .await
    }

    /// Waits until every pod of `checkout` runs `tag`, is ready, and no other pod is left.
    ///
    /// # Errors
    /// When they do not in time.
    pub async fn runs_everywhere(&self, tag: &str) -> anyhow::Result<()> {
        self.wait(&format!("{tag} runs everywhere"), || async {
            let deployment = self.deployment().await?;
            let want = deployment["spec"]["replicas"].as_u64().unwrap_or(0);
            let (mut ready, mut others) = (0, 0);
            for set in self.replica_sets().await? {
                if set["metadata"]["ownerReferences"][0]["name"] != "checkout" {
                    continue;
                }
                let image = set["spec"]["template"]["spec"]["containers"][0]["image"]
                    .as_str()
                    .unwrap_or_default();
                if image.ends_with(&format!(":{tag}")) {
                    ready += set["status"]["readyReplicas"].as_u64().unwrap_or(0);
                } else {
                    others += set["status"]["replicas"].as_u64().unwrap_or(0);
                }
            }
            let done = ready == want && others == 0;
            Ok(done
                .then_some(())
                .ok_or_else(|| format!("{ready} of {want} ready, {others} of other versions")))
        })
        .await
    }

    /// The live Deployment.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn deployment(&self) -> anyhow::Result<Value> {
        self.object("apps/v1", "deployments", "checkout").await
    }

    /// The ReplicaSets of the namespace.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn replica_sets(&self) -> anyhow::Result<Vec<Value>> {
        self.objects("apps/v1", "replicasets").await
    }

    /// The Releases of the namespace, oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn releases(&self) -> anyhow::Result<Vec<Value>> {
        let mut releases = self.objects("sluice.dev/v1alpha1", "releases").await?;
        releases.sort_by_key(|release| {
            // creation times have seconds; the generation at the end of the name orders releases within one
            let name = release["metadata"]["name"].as_str().unwrap_or_default();
            let generation = name
                .rsplit('-')
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
            (
                release["metadata"]["creationTimestamp"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                generation,
            )
        });
        Ok(releases)
    }

    /// Waits until so many Releases are on record: the youngest is then the one just applied.
    ///
    /// # Errors
    /// When there are not in time.
    pub async fn recorded(&self, count: usize) -> anyhow::Result<()> {
        self.wait(&format!("{count} releases are on record"), || async {
            let found = self.releases().await?.len();
            Ok((found >= count)
                .then_some(())
                .ok_or_else(|| found.to_string()))
        })
        .await
    }

    /// Waits until the youngest Release is in `phase`, and returns it.
    ///
    /// # Errors
    /// When it ends in another phase or not in time.
    pub async fn release_in(&self, phase: &str) -> anyhow::Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let releases = self.releases().await?;
            if let Some(release) = releases.last() {
                let now = release["status"]["phase"].as_str().unwrap_or_default();
                if now == phase {
                    return Ok(release.clone());
                }
                let over = [
                    "Succeeded",
                    "RolledBack",
                    "RollbackIneffective",
                    "Superseded",
                    "Failed",
                ];
                if over.contains(&now) && over.contains(&phase) {
                    bail!(
                        "the release ended {now} instead of {phase}: {}",
                        release["status"]
                    );
                }
            }
            if Instant::now() > until {
                let last = releases
                    .last()
                    .map(|release| release["status"].to_string())
                    .unwrap_or_default();
                bail!(
                    "no release is {phase} after {PATIENCE:?}; the youngest of {}: {last}",
                    releases.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// No moment of the recorded history broke the plan.
    ///
    /// # Errors
    /// The moments that did; or that the history has a hole.
    pub fn kept_to(&self, batches: &[&str]) -> anyhow::Result<()> {
        let batches = batches
            .iter()
            .map(|batch| batch.parse())
            .collect::<Result<Vec<Size>, _>>()?;
        let expected = Expected {
            deployment: "checkout".to_owned(),
            batches,
            surge: Size::Percent(25),
            before: self.before.clone(),
        };
        let breaches = judge(&self.history.events()?, &expected);
        ensure!(breaches.is_empty(), "more than planned: {breaches:?}");
        Ok(())
    }

    /// The recording.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Any object, as JSON.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn object(&self, version: &str, resource: &str, name: &str) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(
            self.api(version, resource).get(name).await?,
        )?)
    }

    /// All objects of a resource, as JSON.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn objects(&self, version: &str, resource: &str) -> anyhow::Result<Vec<Value>> {
        let list = self
            .api(version, resource)
            .list(&ListParams::default())
            .await?;
        list.items
            .into_iter()
            .map(|item| Ok(serde_json::to_value(item)?))
            .collect()
    }

    fn api(&self, version: &str, resource: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: if group.is_empty() {
                version.to_owned()
            } else {
                format!("{group}/{version}")
            },
            kind: String::new(),
            plural: resource.to_owned(),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Waits until `ask` answers `Ok`; its `Err` is what was seen last.
    ///
    /// # Errors
    /// When the time is up, or asking fails.
    pub async fn wait<F, Fut>(&self, what: &str, mut ask: F) -> anyhow::Result<()>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = anyhow::Result<Result<(), String>>>,
    {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = match ask().await? {
                Ok(()) => return Ok(()),
                Err(seen) => seen,
            };
            if Instant::now() > until {
                bail!("not within {PATIENCE:?}: {what}; seen last: {seen}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
