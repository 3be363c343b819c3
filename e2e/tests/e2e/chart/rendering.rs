//! What the chart renders, without a cluster.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use sluice_e2e::{
    helm::{CHART, Helm},
    programs::own,
};
use tokio::process::Command;

use super::documents;

/// Everything that is off by default, and every field that is empty by default.
const EVERYTHING: &str = r#"
images:
  pullPolicy: IfNotPresent
  pullSecrets: [{name: registry}]
  webhook: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
  controller: {repository: registry.example.com/sluice/controller, tag: "1.2"}
logging: {format: text, level: "info,sluice_webhook=debug"}
config:
  prometheus: {main: {url: "http://prometheus.monitoring.svc:9090"}}
  policies: {folder: /etc/policies}
webhook: &program
  replicas: 3
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [infra]}]}]}}}
  nodeSelector: {pool: infra}
  tolerations: [{key: infra, operator: Exists}]
  podLabels: {team: platform}
  podAnnotations: {example.com/scrape: "yes"}
  extraVolumes: [{name: policies, configMap: {name: policies}}]
  extraVolumeMounts: [{name: policies, mountPath: /etc/policies, readOnly: true}]
controller: *program
labels: {cost-centre: "42"}
annotations: {example.com/owner: platform}
networkPolicy:
  enabled: true
  apiServer: [{ipBlock: {cidr: 10.0.0.0/24}}]
  monitoring: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}, thresholds: {certificateDays: 7}}
uninstall: {abandonReleases: true}
"#;

fn values(text: &str) -> anyhow::Result<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!(
        "sluice-values-{}-{number}.yaml",
        std::process::id()
    ));
    std::fs::write(&path, text)?;
    Ok(path.to_str().context("a path in UTF-8")?.to_owned())
}

/// What Helm renders; hooks are left out.
async fn rendered(arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let helm = Helm::ready().await?;
    let mut line = vec!["template", "sluice", CHART, "--no-hooks", "--include-crds"];
    line.extend(arguments);
    documents(&helm.alone(&line).await?.ok()?)
}

/// Objects by who they are; the configuration file as what it says, and without its digest, for a comment is no difference.
fn by_name(objects: Vec<Value>) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut named = BTreeMap::new();
    for mut object in objects {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let name = format!(
            "{} {}/{}",
            text("/kind"),
            text("/metadata/namespace"),
            text("/metadata/name")
        );
        if let Some(file) = object.pointer_mut("/data/config.yaml") {
            *file = serde_saphyr::from_str(file.as_str().unwrap_or_default())?;
        }
        if object["kind"] == "Deployment"
            && let Some(metadata) = object["spec"]["template"]["metadata"].as_object_mut()
            && let Some(annotations) = metadata
                .get_mut("annotations")
                .and_then(Value::as_object_mut)
        {
            annotations.remove("checksum/config");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
        ensure!(named.insert(name.clone(), object).is_none(), "{name} twice");
    }
    Ok(named)
}

fn plain() -> anyhow::Result<BTreeMap<String, Value>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/install.yaml");
    by_name(documents(&std::fs::read_to_string(path)?)?)
}

#[tokio::test]
async fn helm_finds_nothing_to_say_about_the_chart() -> anyhow::Result<()> {
    let helm = Helm::ready().await?;
    for file in ["", EVERYTHING] {
        let values = values(file)?;
        let said = helm
            .alone(&["lint", "--strict", CHART, "--values", &values])
            .await?
            .ok()?;
        ensure!(
            !said.contains("[WARNING]") && !said.contains("[ERROR]"),
            "{said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn with_default_values_the_chart_says_what_the_plain_manifests_say() -> anyhow::Result<()> {
    let chart = by_name(rendered(&[]).await?)?;
    let plain = plain()?;
    let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    ensure!(
        names(&chart) == names(&plain),
        "chart: {:?}\nplain: {:?}",
        names(&chart),
        names(&plain)
    );
    ensure!(plain.len() > 30, "{} objects", plain.len());
    for (name, object) in &plain {
        ensure!(
            chart[name] == *object,
            "{name}\nchart: {}\nplain: {object}",
            chart[name]
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_setting_reaches_its_object() -> anyhow::Result<()> {
    let values = values(EVERYTHING)?;
    let objects = by_name(rendered(&["--values", &values]).await?)?;
    let webhook = &objects["Deployment sluice-system/sluice-webhook"];
    let pod = &webhook["spec"]["template"];
    for (pointer, wanted) in [
        ("/metadata/labels/team", "platform"),
        ("/metadata/annotations/example.com~1scrape", "yes"),
        ("/spec/nodeSelector/pool", "infra"),
        ("/spec/tolerations/0/key", "infra"),
        ("/spec/imagePullSecrets/0/name", "registry"),
        (
            "/spec/containers/0/image",
            "sluice.dev/webhook@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        ("/spec/containers/0/imagePullPolicy", "IfNotPresent"),
        ("/spec/containers/0/args/1", "--log-format=text"),
        (
            "/spec/containers/0/args/2",
            "--log-level=info,sluice_webhook=debug",
        ),
        (
            "/spec/containers/0/volumeMounts/1/mountPath",
            "/etc/policies",
        ),
        ("/spec/volumes/1/name", "policies"),
    ] {
        let found = pod.pointer(pointer).and_then(Value::as_str);
        ensure!(found == Some(wanted), "{pointer}: {found:?}");
    }
    ensure!(webhook["spec"]["replicas"] == 3);
    ensure!(
        !pod["spec"]["affinity"]["nodeAffinity"].is_null(),
        "{}",
        pod["spec"]
    );
    let controller = &objects["Deployment sluice-system/sluice-controller"];
    ensure!(
        controller["spec"]["template"]["spec"]["containers"][0]["image"]
            == "registry.example.com/sluice/controller:1.2"
    );
    let config = &objects["ConfigMap sluice-system/sluice-config"]["data"]["config.yaml"];
    ensure!(
        config["prometheus"]["main"]["url"] == "http://prometheus.monitoring.svc:9090"
            && config["policies"]["folder"] == "/etc/policies"
            // what is not given keeps its default
            && config["namespaces"]["off"][0] == "kube-system",
        "{config}"
    );
    for (name, object) in &objects {
        if object["kind"] == "CustomResourceDefinition" {
            continue;
        }
        ensure!(
            object["metadata"]["labels"]["cost-centre"] == "42"
                && object["metadata"]["annotations"]["example.com/owner"] == "platform",
            "{name}"
        );
    }
    for name in [
        "NetworkPolicy sluice-system/sluice-webhook",
        "NetworkPolicy sluice-system/sluice-controller",
        "ServiceMonitor sluice-system/sluice",
        "Service sluice-system/sluice-metrics",
        "PrometheusRule sluice-system/sluice",
    ] {
        ensure!(objects.contains_key(name), "no {name}");
    }
    let rule = &objects["PrometheusRule sluice-system/sluice"];
    ensure!(rule["metadata"]["labels"]["release"] == "prometheus");
    ensure!(rule.to_string().contains("< 7 * 86400"), "{rule}");
    Ok(())
}

#[tokio::test]
async fn what_is_left_out_is_gone() -> anyhow::Result<()> {
    let line = [
        "--set=access.secretNames=false,policies.shipped=false,webhook.replicas=1,controller.replicas=1",
    ];
    let chart = by_name(rendered(&line).await?)?;
    let gone: Vec<String> = plain()?
        .into_keys()
        .filter(|name| !chart.contains_key(name))
        .collect();
    ensure!(
        gone == [
            "ClusterRole /sluice-webhook-secrets",
            "ClusterRoleBinding /sluice-webhook-secrets",
            "PodDisruptionBudget sluice-system/sluice-controller",
            "PodDisruptionBudget sluice-system/sluice-webhook",
            "Policy sluice-system/reliability",
        ],
        "{gone:?}"
    );
    Ok(())
}

#[tokio::test]
async fn another_configuration_is_another_pod() -> anyhow::Result<()> {
    let digest = async |arguments: &[&str]| {
        let objects = rendered(arguments).await?;
        let deployment = objects
            .iter()
            .find(|object| object["kind"] == "Deployment")
            .context("a Deployment")?;
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        anyhow::Ok(annotations["checksum/config"].to_string())
    };
    let before = digest(&[]).await?;
    ensure!(before.len() == 66, "{before}");
    ensure!(before == digest(&["--set=webhook.replicas=5"]).await?);
    ensure!(before != digest(&["--set=config.probes.concurrency=512"]).await?);
    Ok(())
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_by_name() -> anyhow::Result<()> {
    let helm = Helm::ready().await?;
    for (setting, named) in [
        ("webhook.replica=3", "replica"),
        ("webhook.replicas=0", "minimum"),
        ("logging.format=xml", "format"),
        ("config.probs.concurrency=5", "probs"),
        ("config.probes.concurrency=lots", "concurrency"),
        ("images.webhook.digest=latest", "digest"),
        (
            "labels.app\\.kubernetes\\.io/part-of=shop",
            "app.kubernetes.io/part-of",
        ),
        ("networkPolicies.enabled=true", "networkPolicies"),
        (
            "prometheusRule.thresholds.releaseStuck=later",
            "releaseStuck",
        ),
    ] {
        let said = helm
            .alone(&["template", "sluice", CHART, "--set", setting])
            .await?
            .refused()?;
        ensure!(
            said.contains("don't meet the specifications of the schema") && said.contains(named),
            "{setting}: {said}"
        );
    }
    // and what comes from other charts is not
    let line = ["template", "sluice", CHART, "--set", "global.registry=x"];
    helm.alone(&line).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn a_release_below_sluices_own_namespace_is_refused() -> anyhow::Result<()> {
    let helm = Helm::ready().await?;
    let said = helm
        .alone(&["template", "sluice", CHART, "--namespace", "sluice-system"])
        .await?
        .refused()?;
    ensure!(
        said.contains("cannot lie in namespace sluice-system")
            && said.contains("--namespace default"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn an_old_kubernetes_is_refused() -> anyhow::Result<()> {
    let helm = Helm::ready().await?;
    let said = helm
        .alone(&["template", "sluice", CHART, "--kube-version", "v1.30.0"])
        .await?
        .refused()?;
    ensure!(
        said.contains("1.33") && said.contains("incompatible with Kubernetes v1.30.0"),
        "{said}"
    );
    Ok(())
}

/// Sluice's own rules judge what its chart makes, the Job that runs before an uninstall included.
#[tokio::test]
async fn the_chart_passes_sluices_own_rules() -> anyhow::Result<()> {
    let helm = Helm::ready().await?;
    let values = values(EVERYTHING)?;
    for arguments in [&[][..], &["--values", &values]] {
        let mut line = vec!["template", "sluice", CHART];
        line.extend(arguments);
        let text = helm.alone(&line).await?.ok()?;
        ensure!(text.contains("kind: Job"), "the hook is not among them");
        let mut command = Command::new(own("sluice")?);
        command.args(["check", "-"]);
        let output = sluice_e2e::plane::run(command, Some(&text)).await?;
        if output.code != Some(0) {
            bail!("{}{}", output.stdout, output.stderr);
        }
    }
    Ok(())
}
