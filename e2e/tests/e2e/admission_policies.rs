//! A `ValidatingAdmissionPolicy` means the same to the API server and to `sluice check`: the same policies, bound to warn, are asked about the same objects
//! on both sides, and every message is compared.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    User,
    plane::{Output, wait_for},
};

use crate::place::{Place, in_place};

const POLICIES: &str = include_str!("../../admission-policies.yaml");

/// What one side says: the policy and the message.
type Said = BTreeSet<(String, String)>;

#[tokio::test]
async fn the_api_server_and_check_say_the_same_of_the_same_policies() -> anyhow::Result<()> {
    in_place("vap", "off", async |place| {
        let outcome = compare(place).await;
        // they are of the cluster, and nothing else takes them away
        let names = format!("{}-", place.namespace);
        for kind in [
            "validatingadmissionpolicybinding",
            "validatingadmissionpolicy",
        ] {
            let listed = place
                .kubectl(User::Admin, &format!("get {kind} -o name"))
                .await?
                .ok()?;
            for name in listed.lines().filter(|line| line.contains(&names)) {
                place
                    .kubectl(User::Admin, &format!("delete {name}"))
                    .await?
                    .ok()?;
            }
        }
        outcome
    })
    .await
}

async fn compare(place: &Place) -> anyhow::Result<()> {
    let namespace = &place.namespace;
    let policies = bound(namespace)?;
    let file = place.written("policies.yaml", &policies)?;
    // check finds them in the cluster
    let limits = place.written("limits.yaml", &limits(namespace))?;
    place
        .kubectl(User::Admin, &format!("apply -f {file} -f {limits}"))
        .await?
        .ok()?;

    let validations: usize = POLICIES.matches("\n  - expression: ").count();
    let (mut pairs, mut told) = (0, 0);
    for (name, object) in objects() {
        let manifest = place.written(&format!("{name}.json"), &object.to_string())?;
        let create = format!("create --dry-run=server -f {manifest}");
        let checked = check(place, &file, &manifest, "").await?;
        agree(place, name, &create, &checked).await?;
        pairs += validations;
        told += checked.len();
    }

    // a change: what is stored beside what replaces it
    let before = deployment(2, "test.example.com/web:1");
    let mut after = deployment(7, "test.example.com/web:2");
    after["metadata"]["labels"]["tier"] = "front".into();
    let (before, after) = (
        place.written("before.json", &before.to_string())?,
        place.written("after.json", &after.to_string())?,
    );
    place
        .kubectl(User::Admin, &format!("create -f {before}"))
        .await?
        .ok()?;
    let checked = check(place, &file, &after, &before).await?;
    ensure!(checked.len() >= 3, "{checked:?}");
    agree(
        place,
        "a change",
        &format!("replace --dry-run=server -f {after}"),
        &checked,
    )
    .await?;
    pairs += validations;
    told += checked.len();

    eprintln!("admission policies: {pairs} expressions and objects, {told} of them told");
    ensure!(pairs >= 100 && told >= 30, "{pairs} pairs, {told} told");
    Ok(())
}

/// Waits until the API server, which takes policies in a moment after they were written, says what check says.
async fn agree(place: &Place, what: &str, line: &str, checked: &Said) -> anyhow::Result<()> {
    let last = std::sync::Mutex::new(Said::new());
    let agreed = wait_for("the API server to say what check says", || async {
        let output = place.kubectl(User::Admin, line).await?;
        let said = warned(&output, &place.namespace);
        let same = said == *checked;
        if let Ok(mut last) = last.lock() {
            *last = said;
        }
        Ok(same.then_some(()))
    })
    .await;
    agreed.with_context(|| {
        let said = last.lock().map(|last| last.clone()).unwrap_or_default();
        format!(
            "{what}: only the API server says {:#?}, only check says {:#?}",
            said.difference(checked).collect::<Vec<_>>(),
            checked.difference(&said).collect::<Vec<_>>()
        )
    })
}

/// The policies of the file, each bound to warn.
fn bound(namespace: &str) -> anyhow::Result<String> {
    let policies = POLICIES.replace("NAMESPACE", namespace);
    let mut documents = vec![policies.clone()];
    for document in policies.split("\n---\n") {
        let policy: Value = serde_saphyr::from_str(document)?;
        let name = policy["metadata"]["name"].as_str().context("a name")?;
        let mut spec = json!({"policyName": name, "validationActions": ["Warn"]});
        if policy["spec"].get("paramKind").is_some() {
            spec["paramRef"] = json!({"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Deny"});
        }
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": format!("{name}-warns")}, "spec": spec,
        });
        documents.push(binding.to_string());
    }
    Ok(documents.join("\n---\n"))
}

/// What they take parameters from.
fn limits(namespace: &str) -> String {
    let config_map = |(name, most)| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": {"limits": "yes"}}, "data": {"maxReplicas": most},
        })
        .to_string()
    };
    [("strict", "2"), ("lax", "6")]
        .map(config_map)
        .join("\n---\n")
}

fn deployment(replicas: u32, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}}})
}

fn objects() -> Vec<(&'static str, Value)> {
    let mut whole = deployment(3, "prod.example.com/web:latest");
    whole["metadata"]["annotations"] = json!({"owner": "b"});
    whole["metadata"]["labels"]["exempt"] = "true".into();
    whole["spec"]["strategy"] = json!({"type": "Recreate"});
    whole["spec"]["template"]["spec"] = json!({
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {"name": "web", "image": "prod.example.com/web:latest", "securityContext": {"runAsNonRoot": true}, "resources": {"limits": {"memory": "512Mi"}}},
            {"name": "side", "image": "envoy", "imagePullPolicy": "Always", "resources": {"limits": {"memory": "4096Mi"}}},
        ],
    });
    let mut unlabelled = deployment(6, "elsewhere/web:1");
    unlabelled["metadata"] = json!({"name": "plain"});
    let mut named_side = deployment(2, "test.example.com/web");
    named_side["metadata"]["name"] = "side".into();
    let mut set = deployment(2, "prod.example.com/web:1");
    set["kind"] = "StatefulSet".into();
    set["spec"]["serviceName"] = "web".into();
    vec![
        ("deployment", deployment(1, "test.example.com/web")),
        ("whole", whole),
        ("unlabelled", unlabelled),
        ("side", named_side),
        ("set", set),
        (
            "map",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"app": "web"}}, "data": {"Upper": "x", "address": "10.0.0.1"}}),
        ),
        (
            "service",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"ports": [{"port": 80}]}}),
        ),
    ]
}

/// What the API server warned of by policies of this namespace.
fn warned(output: &Output, namespace: &str) -> Said {
    let begin = format!("Warning: Validation failed for ValidatingAdmissionPolicy '{namespace}-");
    output
        .stderr
        .lines()
        .filter_map(|line| {
            let (policy, rest) = line.strip_prefix(&begin)?.split_once("' with binding '")?;
            let (_, message) = rest.split_once("': ")?;
            Some((policy.to_owned(), message.to_owned()))
        })
        .collect()
}

/// What `sluice check` says of them; `old` is what the manifest replaces, if anything.
async fn check(place: &Place, policies: &str, manifest: &str, old: &str) -> anyhow::Result<Said> {
    let what = if old.is_empty() {
        manifest.to_owned()
    } else {
        format!("--diff {old} {manifest}")
    };
    let line = format!("check --server -o json {what} --policies {policies}");
    let output = place.sluice(User::Admin, &line).await?;
    ensure!(matches!(output.code, Some(0 | 1)), "{output:?}");
    let verdict: Value =
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    let objects = verdict["objects"].as_array().context("objects")?;
    let mut said = Said::new();
    for finding in objects
        .iter()
        .flat_map(|object| object["findings"].as_array())
        .flatten()
    {
        if finding["code"] != "VAP" || finding["action"] != "Warn" {
            continue;
        }
        // everything that these policies ask is known: an answer that nobody can tell would be a difference
        ensure!(finding["certainty"] == "Sure", "{finding}");
        let text = |field: &str| finding[field].as_str().map(str::to_owned).context("a text");
        let begin = format!("{}-", place.namespace);
        let rule = text("rule")?;
        let policy = rule.strip_prefix(&begin).context("a policy of the test")?;
        said.insert((policy.to_owned(), text("found")?));
    }
    Ok(said)
}
