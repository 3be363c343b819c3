//! The webhook and `sluice check` say the same about the same manifest, to the byte.
//!
//! The cluster's side is what kubectl prints, the pipeline's side the JSON of `sluice check`, with facts from a file that kubectl wrote and with facts that
//! it asked the cluster for. Manifests and the objects that make their facts lie in `verdicts/`, a file for each namespace.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use sluice_e2e::{Installed, User, plane::wait_for};

use crate::answers;

/// Documents of these kinds are what is known about the namespace, not what is judged; so are those with this comment.
const FACTS: [&str; 8] = [
    "ResourceQuota",
    "LimitRange",
    "Policy",
    "Pod",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PersistentVolumeClaim",
];
const A_FACT: &str = "# a fact";

/// A file of `verdicts/` in a namespace of its own.
struct Case {
    name: String,
    namespace: String,
    facts: Vec<String>,
    manifests: Vec<(String, String)>,
}

/// What one side says about a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    refusal: Option<String>,
    warnings: Vec<String>,
}

/// The other side, and what the test counts of it.
struct Checked {
    verdict: Verdict,
    /// What is said of it whatever the action, in order.
    texts: Vec<String>,
}

#[tokio::test]
async fn webhook_and_check_say_the_same_to_the_byte() -> anyhow::Result<()> {
    // every policy of the cluster is in the digest that a verdict names: nobody else's may come and go meanwhile
    let installed = &Installed::start().await?;
    let outcome = compare(installed).await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

async fn compare(installed: &Installed) -> anyhow::Result<()> {
    let mut cases = cases(installed).await?;
    for case in &cases {
        prepare(installed, case).await?;
    }
    // the policies as the cluster has them, those of the cases among them
    let policies = installed.plane.folder().join("verdict-policies.yaml");
    let listed = ["get", "policies.sluice.dev", "-A", "-o", "yaml"];
    std::fs::write(&policies, kubectl(installed, &listed).await?)?;

    let (mut judged, mut need_facts, mut on_defaults) = (0, 0, 0);
    for case in &mut cases {
        let facts = installed
            .plane
            .folder()
            .join(format!("{}-facts.yaml", case.namespace));
        std::fs::write(&facts, facts_of(installed, &case.namespace).await?)?;
        let facts = path(&facts)?;
        let offline = check(installed, case, &policies, &["--facts", facts]).await?;
        let online = check(installed, case, &policies, &["--server"]).await?;
        let without = check(installed, case, &policies, &[]).await?;
        ensure!(offline.len() == case.manifests.len(), "{}", case.name);

        heard(installed, case, &offline[0].verdict).await?;
        let live: Vec<Verdict> = stream::iter(&case.manifests)
            .map(|(_, manifest)| create(installed, &case.namespace, manifest))
            .buffered(2)
            .try_collect()
            .await?;
        for (place, (name, _)) in case.manifests.iter().enumerate() {
            let checked = &offline[place];
            ensure!(
                live[place] == checked.verdict,
                "{}/{name}: the cluster says\n{:#?}\ncheck with a file of facts says\n{:#?}",
                case.name,
                live[place],
                checked.verdict
            );
            ensure!(
                live[place] == online[place].verdict,
                "{}/{name}: the cluster says\n{:#?}\ncheck --server says\n{:#?}",
                case.name,
                live[place],
                online[place].verdict
            );
            judged += 1;
            let known_anyway = |text: &&String| !text.contains(": cannot tell: ");
            need_facts += usize::from(
                checked.texts.iter().collect::<Vec<_>>()
                    != without[place]
                        .texts
                        .iter()
                        .filter(known_anyway)
                        .collect::<Vec<_>>(),
            );
            on_defaults += usize::from(
                checked
                    .texts
                    .iter()
                    .any(|text| text.contains("(API default)")),
            );
        }
    }
    eprintln!(
        "one verdict: {judged} manifests, {need_facts} need facts, {on_defaults} rely on API defaults"
    );
    ensure!(judged >= 60, "only {judged} manifests");
    ensure!(need_facts >= 15, "only {need_facts} need facts");
    ensure!(on_defaults >= 10, "only {on_defaults} rely on API defaults");
    Ok(())
}

async fn cases(installed: &Installed) -> anyhow::Result<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("verdicts");
    let mut files: Vec<_> = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("a name")?
            .to_owned();
        let namespace = installed
            .plane
            .namespace_with(&name, &[("sluice.dev/mode", "enforce")])
            .await?;
        let (mut facts, mut manifests) = (Vec::new(), Vec::new());
        for document in std::fs::read_to_string(&file)?.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document)
                .with_context(|| format!("{}: {document}", file.display()))?;
            let of_facts = object["kind"]
                .as_str()
                .is_some_and(|kind| FACTS.contains(&kind));
            if of_facts || document.contains(A_FACT) {
                facts.push(document.to_owned());
            } else {
                let name = format!("{}/{}", object["kind"], object["metadata"]["name"]);
                manifests.push((name, document.to_owned()));
            }
        }
        cases.push(Case {
            name,
            namespace,
            facts,
            manifests,
        });
    }
    ensure!(!cases.is_empty(), "no file in {}", folder.display());
    Ok(cases)
}

/// Puts the facts in and waits until they stand still: the quotas count the pods.
async fn prepare(installed: &Installed, case: &Case) -> anyhow::Result<()> {
    if case.facts.is_empty() {
        return Ok(());
    }
    let namespace = case.namespace.as_str();
    installed
        .plane
        .kubectl(
            User::Admin,
            ["-n", namespace, "apply", "-f", "-"],
            Some(&case.facts.join("\n---\n")),
        )
        .await?
        .ok()?;
    let text = "jsonpath={range .items[*]}{.spec.hard}={.status.hard}={.status.used}{\"\\n\"}{end}";
    let tenant = case
        .facts
        .iter()
        .any(|document| document.contains("kind: Pod\n"));
    wait_for("the quotas to count", || async {
        let quotas = kubectl(
            installed,
            &["-n", namespace, "get", "resourcequotas", "-o", text],
        )
        .await?;
        let counted = quotas.lines().all(|line| {
            let mut parts = line.split('=');
            parts.next() == parts.next()
                && parts
                    .next()
                    .is_some_and(|used| !tenant || used.contains(r#""pods":"1""#))
        });
        Ok(counted.then_some(()))
    })
    .await
}

/// Waits until the webhook has heard of the facts of a case, by what it says about its first manifest.
async fn heard(installed: &Installed, case: &Case, expected: &Verdict) -> anyhow::Result<()> {
    let (name, manifest) = &case.manifests[0];
    let until = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let arguments = [
            "-n",
            &case.namespace,
            "create",
            "--dry-run=server",
            "-f",
            "-",
        ];
        let output = installed
            .plane
            .kubectl(User::Admin, arguments, Some(manifest))
            .await?;
        let said = answers::refusal(&output).map(str::to_owned);
        // what a dry-run says of other objects only warns
        let mut texts: Vec<String> = said
            .iter()
            .flat_map(|said| answers::lines(said))
            .map(str::to_owned)
            .collect();
        texts.extend(answers::warnings(&output));
        let mut wanted: Vec<String> = expected
            .refusal
            .iter()
            .flat_map(|said| answers::lines(said))
            .map(str::to_owned)
            .collect();
        wanted.extend(expected.warnings.iter().cloned());
        texts.sort();
        wanted.sort();
        if texts == wanted {
            return Ok(());
        }
        ensure!(
            std::time::Instant::now() < until,
            "{}/{name}: the webhook says {texts:#?}, not {wanted:#?}",
            case.name
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the cluster says to a real create.
async fn create(installed: &Installed, namespace: &str, manifest: &str) -> anyhow::Result<Verdict> {
    let arguments = ["-n", namespace, "create", "-f", "-"];
    let output = installed
        .plane
        .kubectl(User::Developer, arguments, Some(manifest))
        .await?;
    let refusal = answers::refusal(&output).map(str::to_owned);
    ensure!(
        refusal.is_some() != output.succeeded(),
        "neither created nor refused by Sluice: {output:?}"
    );
    Ok(Verdict {
        refusal,
        warnings: answers::warnings(&output),
    })
}

/// What `sluice check` says to the manifests of a case, in their order.
async fn check(
    installed: &Installed,
    case: &Case,
    policies: &Path,
    more: &[&str],
) -> anyhow::Result<Vec<Checked>> {
    let file = installed
        .plane
        .folder()
        .join(format!("{}.yaml", case.namespace));
    let manifests: Vec<&str> = case
        .manifests
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
    std::fs::write(&file, manifests.join("\n---\n"))?;
    let mut arguments = vec![
        "check",
        "-n",
        &case.namespace,
        "-o",
        "json",
        "-f",
        path(&file)?,
        "--policies",
        path(policies)?,
    ];
    arguments.extend(more);
    let output = installed
        .sluice
        .sluice(&installed.plane, User::Admin, &arguments)
        .await?;
    ensure!(
        matches!(output.code, Some(0 | 1)),
        "{}: {output:?}",
        case.name
    );
    let verdict: Value = serde_json::from_str(&output.stdout)
        .with_context(|| format!("{}: {output:?}", case.name))?;
    let objects = verdict["objects"].as_array().context("objects")?;
    objects
        .iter()
        .map(|object| {
            let findings = object["findings"].as_array().context("findings")?;
            let text = |finding: &Value| finding["text"].as_str().map(str::to_owned);
            let warns = |finding: &&Value| finding["action"] == "Warn";
            Ok(Checked {
                verdict: Verdict {
                    refusal: object["refusal"].as_str().map(str::to_owned),
                    warnings: findings.iter().filter(warns).filter_map(text).collect(),
                },
                texts: findings.iter().filter_map(text).collect(),
            })
        })
        .collect()
}

/// The facts of a namespace, as anybody would write them to a file.
async fn facts_of(installed: &Installed, namespace: &str) -> anyhow::Result<String> {
    let label = kubectl(installed, &["get", "namespace", namespace, "-o", "yaml"]).await?;
    let bounds = [
        "-n",
        namespace,
        "get",
        "resourcequotas,limitranges,configmaps,secrets,serviceaccounts,persistentvolumeclaims,services,deployments,statefulsets,daemonsets",
        "-o",
        "yaml",
    ];
    Ok(format!(
        "{label}---\n{}",
        kubectl(installed, &bounds).await?
    ))
}

async fn kubectl(installed: &Installed, arguments: &[&str]) -> anyhow::Result<String> {
    installed
        .plane
        .kubectl(User::Admin, arguments, None)
        .await?
        .ok()
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

#[test]
fn every_file_says_something_of_its_own() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("verdicts");
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        let mut names = BTreeSet::new();
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document)?;
            let name = format!("{}/{}", object["kind"], object["metadata"]["name"]);
            ensure!(names.insert(name.clone()), "{name} twice");
        }
    }
    Ok(())
}
