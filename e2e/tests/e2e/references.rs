//! A workload that names what is not there: the cluster warns through kubectl, `sluice check --server` says the same, and both fall silent once it is there.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Installed, Plane, PlaneOptions, User,
    installation::{InstallOptions, Installation},
    installed_plane,
    plane::wait_for,
};

use crate::answers::warnings;

/// A Deployment in which nothing is to be found but what it names.
fn deployment(name: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "containers": [{
                    "name": "main", "image": "registry.test/main:1",
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                    "envFrom": [{"secretRef": {"name": "database"}}],
                }],
                "volumes": [
                    {"name": "settings", "configMap": {"name": "settings"}},
                    {"name": "more", "configMap": {"name": "more", "optional": true}},
                ],
            },
        }},
    })
    .to_string()
}

fn service(name: &str, app: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
    .to_string()
}

struct Place<'i> {
    installed: &'i Installed,
    namespace: String,
}

impl Place<'_> {
    /// What kubectl warns of; the object must go in.
    async fn create(&self, manifest: &str, more: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut arguments = vec!["-n", self.namespace.as_str(), "create", "-f", "-"];
        arguments.extend(more);
        let plane = &self.installed.plane;
        let output = plane
            .kubectl(User::Developer, arguments, Some(manifest))
            .await?;
        ensure!(output.succeeded(), "not created: {output:?}");
        Ok(warnings(&output))
    }

    /// Waits until the webhook has heard, by what it says of an object that is not stored.
    async fn heard(&self, manifest: &str, expected: &[String]) -> anyhow::Result<()> {
        wait_for("the webhook to hear of it", || async {
            let said = self.create(manifest, &["--dry-run=server"]).await?;
            Ok((said == expected).then_some(()))
        })
        .await
    }

    fn written(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let plane = &self.installed.plane;
        let file = plane.folder().join(format!("{}-{name}", self.namespace));
        std::fs::write(&file, text)?;
        let file = file.to_str().context("a path that is not UTF-8")?;
        Ok(file.to_owned())
    }

    /// What `sluice check --server` says of the same manifest.
    async fn check(&self, manifest: &str) -> anyhow::Result<Vec<String>> {
        self.check_by(manifest, &["--server"]).await
    }

    /// What `sluice check` says of the same manifest.
    async fn check_by(&self, manifest: &str, more: &[&str]) -> anyhow::Result<Vec<String>> {
        let plane = &self.installed.plane;
        let file = self.written("manifest.yaml", manifest)?;
        let mut arguments = vec!["check", "-n", &self.namespace, "-o", "json", "-f", &file];
        arguments.extend(more);
        let sluice = &self.installed.sluice;
        let output = sluice.sluice(plane, User::Admin, &arguments).await?;
        let verdict: Value =
            serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
        let findings = verdict["objects"][0]["findings"].as_array();
        let findings = findings.with_context(|| format!("no findings: {verdict}"))?;
        Ok(findings
            .iter()
            .filter_map(|finding| finding["text"].as_str().map(str::to_owned))
            .collect())
    }
}

#[tokio::test]
async fn without_the_right_to_names_of_secrets_nobody_can_tell_whether_one_is_there()
-> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let options = InstallOptions {
        without_secret_names: true,
        ..InstallOptions::default()
    };
    let sluice = Installation::install_with(&plane, &options)
        .await
        .inspect_err(|_| plane.keep())?;
    let namespace = plane
        .namespace_with("no-secrets", &[("sluice.dev/mode", "enforce")])
        .await?;
    let installed = Installed { plane, sluice };
    let place = Place {
        installed: &installed,
        namespace,
    };
    let expected = [
        format!(
            "SLU4001 configmap-not-found at spec.template.spec.volumes[0].configMap.name: no ConfigMap settings in namespace {}; passes: a ConfigMap that is there, or `optional: true`",
            place.namespace
        ),
        "SLU4002 secret-not-found at spec.template.spec.containers[0].envFrom[0].secretRef.name: cannot tell: ".to_owned(),
    ];
    let outcome = wait_for("what can be told and what cannot", || async {
        let said = place
            .create(&deployment("a"), &["--dry-run=server"])
            .await?;
        let fits = said.len() == 2
            && said
                .iter()
                .zip(&expected)
                .all(|(said, line)| said.starts_with(line.as_str()));
        Ok(fits.then_some(()))
    })
    .await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

#[tokio::test]
async fn a_key_that_is_not_there_is_warned_of_where_a_policy_asks_for_keys() -> anyhow::Result<()> {
    let installed = installed_plane().await?;
    let plane = &installed.plane;
    let namespace = plane
        .namespace_with("keys", &[("sluice.dev/mode", "enforce")])
        .await?;
    let place = Place {
        installed,
        namespace,
    };
    let outcome = story_of_keys(&place).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn story_of_keys(place: &Place<'_>) -> anyhow::Result<()> {
    let plane = &place.installed.plane;
    let kubectl = async |arguments: &[&str], input: Option<&str>| {
        let mut all = vec!["-n", place.namespace.as_str()];
        all.extend(arguments);
        plane.kubectl(User::Admin, all, input).await?.ok()
    };
    let objects = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": "info"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": {"password": "x"}}),
    ];
    for object in &objects {
        kubectl(&["create", "-f", "-"], Some(&object.to_string())).await?;
    }
    let mut workload: Value = serde_json::from_str(&deployment("asks"))?;
    workload["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "levl"}}},
        {"name": "USER", "valueFrom": {"secretKeyRef": {"name": "database", "key": "user"}}},
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode", "optional": true}}},
    ]);
    let workload = workload.to_string();
    // the policies that ship do not ask
    place.heard(&workload, &[]).await?;
    let policy = format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: keys, namespace: {}}}\nspec:\n  rules:\n  - {{use: configmap-not-found, action: Warn, parameters: {{keys: true}}}}\n  - {{use: secret-not-found, action: Warn, parameters: {{keys: true}}}}\n",
        place.namespace
    );
    let policies = place.written("policies.yaml", &policy)?;
    kubectl(&["create", "-f", &policies], None).await?;
    let missing = [
        "SLU4001 configmap-not-found at spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef.key: no key levl in ConfigMap settings; passes: a key that is in it (did you mean level?), or `optional: true`".to_owned(),
        "SLU4002 secret-not-found at spec.template.spec.containers[0].env[1].valueFrom.secretKeyRef.key: no key user in Secret database; passes: a key that is in it, or `optional: true`".to_owned(),
    ];
    place.heard(&workload, &missing).await?;
    let by_cluster = ["--server", "--policies", &policies];
    let said = place.check_by(&workload, &by_cluster).await?;
    ensure!(said == missing, "check --server says {said:#?}");
    let written: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let facts = place.written("facts.yaml", &written.join("\n---\n"))?;
    let by_file = ["--facts", &facts, "--policies", &policies];
    let said = place.check_by(&workload, &by_file).await?;
    ensure!(said == missing, "check --facts says {said:#?}");
    let data = r#"{"data": {"levl": "info"}}"#;
    kubectl(&["patch", "configmap", "settings", "-p", data], None).await?;
    let data = r#"{"stringData": {"user": "x"}}"#;
    kubectl(&["patch", "secret", "database", "-p", data], None).await?;
    place.heard(&workload, &[]).await?;
    let said = place.check_by(&workload, &by_cluster).await?;
    ensure!(said.is_empty(), "check --server says {said:#?}");
    Ok(())
}

#[tokio::test]
async fn what_is_named_and_not_there_is_warned_of_until_it_is_there() -> anyhow::Result<()> {
    let installed = installed_plane().await?;
    let plane = &installed.plane;
    let namespace = plane
        .namespace_with("references", &[("sluice.dev/mode", "enforce")])
        .await?;
    let place = Place {
        installed,
        namespace,
    };
    let outcome = story(&place).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn story(place: &Place<'_>) -> anyhow::Result<()> {
    let namespace = &place.namespace;
    let missing = [
        format!(
            "SLU4001 configmap-not-found at spec.template.spec.volumes[0].configMap.name: no ConfigMap settings in namespace {namespace}; passes: a ConfigMap that is there, or `optional: true`"
        ),
        format!(
            "SLU4002 secret-not-found at spec.template.spec.containers[0].envFrom[0].secretRef.name: no Secret database in namespace {namespace}; passes: a Secret that is there, or `optional: true`"
        ),
    ];
    place.heard(&deployment("early"), &missing).await?;
    let said = place.create(&deployment("early"), &[]).await?;
    ensure!(said == missing, "the cluster says {said:#?}");
    let said = place.check(&deployment("early")).await?;
    ensure!(said == missing, "check --server says {said:#?}");

    let named = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": {"password": "x"}}),
    ];
    for object in named {
        place.create(&object.to_string(), &[]).await?;
    }
    place.heard(&deployment("late"), &[]).await?;
    let said = place.create(&deployment("late"), &[]).await?;
    ensure!(said.is_empty(), "the cluster says {said:#?}");
    let said = place.check(&deployment("late")).await?;
    ensure!(said.is_empty(), "check --server says {said:#?}");

    // what stands beside workloads is judged too
    place.heard(&service("front", "late"), &[]).await?;
    let nobody = service("nobody", "nobody");
    let said = place.create(&nobody, &[]).await?;
    let expected = format!(
        "SLU4013 service-selects-nothing at spec.selector: selects the pods of no Deployment, StatefulSet or DaemonSet in namespace {namespace}; passes: labels that pods there have"
    );
    ensure!(said == [expected.as_str()], "the cluster says {said:#?}");
    let said = place.check(&nobody).await?;
    ensure!(said == [expected.as_str()], "check --server says {said:#?}");
    let said = place.create(&service("front", "late"), &[]).await?;
    ensure!(said.is_empty(), "the cluster says {said:#?}");
    Ok(())
}
