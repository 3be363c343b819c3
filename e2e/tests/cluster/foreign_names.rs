//! prometheus-operator calls its probes `probes` too, and Kyverno its policies `policies`. What our documents say to type still means ours.

use std::{collections::BTreeSet, fs, io, path::Path};

use anyhow::{Context, ensure};
use sluice_e2e::{
    Cluster, User,
    plane::{run, wait_for},
    programs::own,
    scenario::Shop,
    shared::on_installed_cluster,
};

const FOREIGN: [(&str, &str, &str, &str); 2] = [
    ("monitoring.coreos.com", "probes", "Probe", "prb"),
    ("kyverno.io", "policies", "Policy", "pol"),
];

fn definition(group: &str, plural: &str, kind: &str, short: &str) -> String {
    let singular = kind.to_lowercase();
    serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": singular, "listKind": format!("{kind}List"), "shortNames": [short]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
    .to_string()
}

/// What kubectl's commands take a resource for.
const VERBS: [&str; 8] = [
    "get", "describe", "delete", "patch", "edit", "annotate", "label", "wait",
];

/// The resources that a text tells its readers to type after `kubectl`.
fn typed(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // in prose and shells after its name; in our own code a command line is a text of its own
    let after_name = text.match_indices("kubectl ");
    for (at, before) in after_name.chain(text.match_indices('"')) {
        let command = &text[at + before.len()..];
        let end = command
            .find(['\n', '`', '"', '|', ';', '<'])
            .unwrap_or(command.len());
        let mut words = command[..end].split_whitespace();
        let mut plain = Vec::new();
        while let Some(word) = words.next() {
            match word {
                // options that take their value after a blank
                "-n" | "-l" | "-o" | "-p" | "-f" => {
                    words.next();
                }
                word if word.starts_with('-') => {}
                word => plain.push(word),
            }
        }
        if let [verb, resources, ..] = plain[..]
            && VERBS.contains(&verb)
        {
            for resource in resources.split(',') {
                let resource = resource.split('/').next().unwrap_or(resource);
                if !resource.is_empty()
                    && resource.chars().all(|c| c.is_ascii_lowercase() || c == '.')
                {
                    found.insert(resource.to_owned());
                }
            }
        }
    }
    found
}

fn documented(folder: &Path, found: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            documented(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "md" || e == "rs") {
            found.extend(typed(&fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Apart from the other tests' own: kubectl goes by what it saw of the cluster before.
const CACHE: &str = "home/foreign-names";

/// The API group that a word means to kubectl; `None` when it means nothing.
async fn group(cluster: &Cluster, word: &str) -> anyhow::Result<Option<String>> {
    let mut command = cluster.kubectl_command(User::Developer);
    command
        .args(["explain", word])
        .env("KUBECACHEDIR", cluster.folder().join(CACHE));
    let output = run(command, None).await?;
    if !output.succeeded() {
        return Ok(None);
    }
    let group = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("GROUP:"));
    Ok(Some(group.unwrap_or_default().trim().to_owned()))
}

#[tokio::test]
async fn what_is_documented_means_ours_beside_the_names_of_others() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        for (group, plural, kind, short) in FOREIGN {
            let text = definition(group, plural, kind, short);
            cluster
                .kubectl(User::Admin, ["apply", "-f", "-"], Some(&text))
                .await?
                .ok()?;
        }
        let outcome = mean_ours(cluster).await;
        for (group, plural, ..) in FOREIGN {
            let line = format!("delete crd {plural}.{group}");
            cluster
                .kubectl(User::Admin, line.split(' '), None)
                .await?
                .ok()?;
        }
        outcome
    })
    .await
}

async fn mean_ours(cluster: &Cluster) -> anyhow::Result<()> {
    // the words alone are no longer ours: that is what makes this a test
    for (foreign, plural, ..) in FOREIGN {
        wait_for(&format!("`{plural}` means {foreign}"), || async {
            if let Err(error) = fs::remove_dir_all(cluster.folder().join(CACHE))
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error.into());
            }
            let means = group(cluster, plural).await?;
            Ok((means.as_deref() == Some(foreign)).then_some(()))
        })
        .await?;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut words = typed(&fs::read_to_string(root.join("README.md"))?);
    for folder in [
        "docs",
        "policies/src/rules",
        "cli/src",
        "api/src",
        "e2e/src/demo",
    ] {
        documented(&root.join(folder), &mut words)?;
    }
    let mut ours = 0;
    for word in &words {
        // a category, which only `get` knows, is looked at below
        let Some(group) = group(cluster, word).await? else {
            continue;
        };
        ensure!(
            FOREIGN.iter().all(|(foreign, ..)| group != *foreign),
            "`kubectl get {word}` is documented and means {group}"
        );
        ours += u32::from(group == "sluice.dev");
    }
    println!("{ours} documented words mean ours, of {words:?}");
    ensure!(
        ours >= 3 && words.contains("policies.sluice.dev"),
        "no documented word means ours: {words:?}"
    );

    // short names are nobody else's, and the category holds ours only
    for (short, plural) in [
        ("slprobe", "probes"),
        ("slpolicy", "policies"),
        ("slexception", "policyexceptions"),
        ("slgate", "gates"),
        ("slrel", "releases"),
        ("slplan", "rolloutplans"),
    ] {
        ensure!(
            group(cluster, short).await?.as_deref() == Some("sluice.dev"),
            "{short}"
        );
        let full = format!("{plural}.sluice.dev");
        ensure!(
            group(cluster, &full).await?.as_deref() == Some("sluice.dev"),
            "{full}"
        );
    }
    let namespace = cluster.namespace("foreign").await?;
    for (group, _, kind, _) in FOREIGN {
        let object = serde_json::json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "theirs", "namespace": namespace}});
        cluster
            .kubectl(User::Admin, ["apply", "-f", "-"], Some(&object.to_string()))
            .await?
            .ok()?;
    }
    let all = cluster
        .kubectl(User::Admin, ["get", "sluice", "-A", "-o", "name"], None)
        .await?
        .ok()?;
    ensure!(
        all.contains("policy.sluice.dev/") && !all.contains("theirs"),
        "{all}"
    );
    what_is_documented_works(cluster, &root).await
}

/// The commands that ask, of a page for people: in code, on one line.
fn questions(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
            continue;
        }
        // in prose every second piece between the marks is code
        let pieces: Vec<&str> = if block {
            vec![line.trim().trim_start_matches("$ ")]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for piece in pieces {
            let command = piece.split(" #").next().unwrap_or(piece).trim();
            let mut words = command.split_whitespace();
            let asks = words.next() == Some("kubectl")
                && words.any(|word| ["get", "describe"].contains(&word))
                && words.next().is_some()
                && !command.contains(['…', '<']);
            if asks {
                found.insert(command.to_owned());
            }
        }
    }
    found
}

fn asked(folder: &Path, found: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            asked(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "md") {
            found.extend(questions(&fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Every question that the documents say to type is answered, and so are those of the command line, with the exit codes that are written down.
async fn what_is_documented_works(cluster: &Cluster, root: &Path) -> anyhow::Result<()> {
    let shop = Shop::new(cluster, "documented", 1).await?;
    shop.open("v1", &["100%"], "0s").await?;
    shop.apply(&serde_json::json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
        "metadata": {"name": "checkout", "namespace": shop.namespace},
        "spec": {"components": {"names": ["checkout"]}},
    }))
    .await?;
    shop.apply(&shop.checkout("v2")).await?;
    shop.recorded(1).await?;
    let release = shop.release_in("Succeeded").await?;
    let release = release["metadata"]["name"].as_str().context("a name")?;
    let mut commands = questions(&fs::read_to_string(root.join("README.md"))?);
    for folder in ["docs", "policies/src/rules"] {
        asked(&root.join(folder), &mut commands)?;
    }
    println!("{commands:#?}");
    ensure!(commands.len() >= 6, "too few to tell: {commands:?}");
    let folder = cluster.folder().join(CACHE);
    let kubectl = cluster.kubectl_path().parent().context("a folder")?;
    let path = format!("{}:{}", kubectl.display(), std::env::var("PATH")?);
    let shell = async |line: &str| {
        let mut command = tokio::process::Command::new("bash");
        command
            .args(["-c", line])
            .current_dir(&folder)
            .env("PATH", &path)
            .env("HOME", &folder)
            .env("KUBECACHEDIR", &folder)
            .env("KUBECONFIG", cluster.kubeconfig(User::Admin))
            .kill_on_drop(true);
        run(command, None).await
    };
    for command in &commands {
        let line = command
            .replace("NAMESPACE", &shop.namespace)
            .replace("RELEASE", release)
            .replace("deployment-checkout-0123456789-3", release)
            .replace("-n shop", &format!("-n {}", shop.namespace));
        let output = shell(&line).await?;
        ensure!(
            output.succeeded() && !output.stdout.contains("theirs"),
            "{line}: {output:?}"
        );
    }
    let sluice = own("sluice")?;
    for (line, code) in [
        ("gate list -A", 0),
        ("gate list -n NAMESPACE", 0),
        ("gate get checkout -n NAMESPACE", 0),
        ("gate get deployment/checkout -n NAMESPACE", 0),
        ("gate get nowhere -n NAMESPACE", 2),
        ("release list -A", 0),
        ("release get deployment/checkout -n NAMESPACE", 0),
        (
            "release wait deployment/checkout -n NAMESPACE --timeout 10s",
            0,
        ),
        ("audit -n NAMESPACE", 0),
        ("policy digest --server", 0),
    ] {
        let line = line.replace("NAMESPACE", &shop.namespace);
        let output = shell(&format!("{} {line}", sluice.display())).await?;
        ensure!(
            output.code == Some(code) && !output.stdout.contains("theirs"),
            "sluice {line}: {output:?}"
        );
    }
    Ok(())
}
