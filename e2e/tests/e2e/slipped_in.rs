//! Objects that cannot work and came in while the webhook was down: they say so, and what depends on them stays closed.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::Installation,
    plane::{Output, wait_for},
};

use crate::answers;

/// Name, resource, and what the condition must say of it.
const BROKEN: [(&str, &str, &str); 4] = [
    (
        "probe",
        "probes",
        "spec.http.target.url: `http:///ready`: no host; passes: an absolute http or https URL with a host, such as http://checkout.shop.svc/ready",
    ),
    (
        "gate",
        "gates",
        "spec.before.maxAge: 100ms; passes: 1s to 1h",
    ),
    (
        "plan",
        "rolloutplans",
        "spec.batches[1]: 10%; passes: 50% to 100%: batches are cumulative and may not go down",
    ),
    (
        "policy",
        "policies",
        "spec.rules[0].use: unknown rule \"nothing-like-it\"; passes: the name of a rule, see `sluice rules`",
    ),
];

fn objects() -> String {
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "sluice.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let guards = |name: &str| json!({"kinds": ["Deployment"], "names": [name]});
    let items = [
        object(
            "Probe",
            "probe",
            json!({"http": {"target": {"url": "http:///ready"}}}),
        ),
        object(
            "Gate",
            "gate",
            json!({"components": guards("guarded"), "before": {"probes": [], "maxAge": "100ms"}}),
        ),
        object(
            "Gate",
            "asks-the-probe",
            json!({"components": guards("proved"), "before": {"probes": [{"name": "probe"}]}}),
        ),
        object(
            "RolloutPlan",
            "plan",
            json!({"components": guards("stepped"), "batches": ["50%", "10%", "100%"]}),
        ),
        object(
            "Policy",
            "policy",
            json!({"rules": [{"use": "nothing-like-it"}]}),
        ),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn deployment(name: &str, tag: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": format!("registry.test/{name}:{tag}"),
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}}]},
        }},
    })
    .to_string()
}

struct Town {
    plane: Plane,
    sluice: Installation,
    namespace: String,
}

impl Town {
    async fn feed(&self, user: User, line: &str, manifest: &str) -> anyhow::Result<Output> {
        let arguments = ["-n", &self.namespace]
            .into_iter()
            .chain(line.split_whitespace());
        self.plane.kubectl(user, arguments, Some(manifest)).await
    }

    async fn object(&self, what: &str) -> anyhow::Result<Value> {
        let text = self
            .feed(User::Admin, &format!("get {what} -o json"), "")
            .await?
            .ok()?;
        Ok(serde_json::from_str(&text)?)
    }
}

#[tokio::test]
async fn what_slipped_in_says_so_and_closes_what_depends_on_it() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions {
        nodes: 3,
        ..PlaneOptions::default()
    })
    .await?;
    let sluice = Installation::install(&plane, None)
        .await
        .inspect_err(|_| plane.keep())?;
    let namespace = plane
        .namespace_with("slipped", &[("sluice.dev/mode", "enforce")])
        .await?;
    let town = Town {
        plane,
        sluice,
        namespace,
    };
    let outcome = slip_in(&town).await;
    if outcome.is_err() {
        town.plane.keep();
    }
    outcome
}

async fn slip_in(town: &Town) -> anyhow::Result<()> {
    for name in ["guarded", "proved", "stepped"] {
        town.feed(User::Developer, "apply -f -", &deployment(name, "v1"))
            .await?
            .ok()?;
    }
    for name in ["guarded", "proved", "stepped"] {
        let line = format!("rollout status deployment {name} --timeout=30s");
        town.feed(User::Developer, &line, "").await?.ok()?;
    }
    town.sluice.kill_webhook();
    // workloads of this namespace wait for the webhook, objects of ours do not
    town.feed(User::Admin, "create -f -", &objects())
        .await?
        .ok()?;

    for (name, resource, words) in BROKEN {
        let condition = wait_for("the condition Accepted", || async {
            let object = town
                .object(&format!("{resource}.sluice.dev {name}"))
                .await?;
            let conditions = object["status"]["conditions"].as_array();
            let accepted = conditions
                .into_iter()
                .flatten()
                .find(|condition| condition["type"] == "Accepted");
            Ok(accepted.cloned())
        })
        .await
        .with_context(|| name)?;
        ensure!(condition["status"] == "False", "{name}: {condition}");
        ensure!(condition["message"] == words, "{name}: {condition}");
    }

    town.sluice.start_webhook().await?;
    for (name, gate, words) in [
        ("guarded", "gate", "spec.before.maxAge: 100ms"),
        ("proved", "asks-the-probe", "probe"),
    ] {
        let output = town
            .feed(User::Developer, "apply -f -", &deployment(name, "v2"))
            .await?;
        let refusal = answers::refused(&output)?;
        ensure!(
            refusal.contains(&format!(
                "SLU0001 gate-not-open at spec.template: gate {}/{gate} is ",
                town.namespace
            )) && refusal.contains(words),
            "{refusal}"
        );
        let asked = ["gate", "get", gate, "-n", &town.namespace];
        let output = town.sluice.sluice(&town.plane, User::Admin, &asked).await?;
        ensure!(matches!(output.code, Some(1 | 2)), "{output:?}");
    }

    // a plan that cannot work holds the release at zero and says why; it neither lets it go nor loses it
    town.feed(User::Developer, "apply -f -", &deployment("stepped", "v2"))
        .await?
        .ok()?;
    let waiting = wait_for("the release to say what it waits for", || async {
        let releases = town.object("releases.sluice.dev").await?;
        let waiting = releases["items"][0]["status"]["waitingOn"].clone();
        Ok(waiting
            .as_array()
            .is_some_and(|on| !on.is_empty())
            .then_some(waiting))
    })
    .await?;
    ensure!(waiting.to_string().contains("plan"), "{waiting}");
    let sets = town.object("replicasets -l app=stepped").await?;
    ensure!(
        sets["items"].as_array().map(Vec::len) == Some(1),
        "a pod of the new version: {sets}"
    );
    let mend =
        r#"patch rolloutplans.sluice.dev plan --type=merge -p {"spec":{"batches":["50%","100%"]}}"#;
    town.feed(User::Admin, mend, "").await?.ok()?;
    let wait = [
        "release",
        "wait",
        "deployment/stepped",
        "-n",
        &town.namespace,
        "--timeout",
        "60s",
    ];
    let output = town
        .sluice
        .sluice(&town.plane, User::Developer, &wait)
        .await?;
    ensure!(output.code == Some(0), "{output:?}");
    Ok(())
}
