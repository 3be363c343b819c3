//! What Sluice's programs may do, and what they did by the API server's audit log.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{AuditEntry, Plane, User, installation::NAMESPACE};

const ACCOUNTS: [&str; 2] = ["sluice-webhook", "sluice-controller"];

fn user(account: &str) -> String {
    format!("system:serviceaccount:{NAMESPACE}:{account}")
}

fn requests(entries: &[AuditEntry], account: &str) -> Vec<AuditEntry> {
    let user = user(account);
    entries
        .iter()
        .filter(|entry| entry.user == user)
        .cloned()
        .collect()
}

/// No request of Sluice's programs was ever forbidden on this plane.
///
/// # Errors
/// The first that was.
pub fn never_forbidden(plane: &Plane) -> anyhow::Result<()> {
    let entries = plane.audit().entries()?;
    for account in ACCOUNTS {
        if let Some(entry) = requests(&entries, account)
            .iter()
            .find(|entry| entry.code == 403)
        {
            anyhow::bail!("{account} may not {} {}", entry.verb, entry.uri);
        }
    }
    Ok(())
}

/// One right: namespace or `*`, group, resource, verb.
type Right = (String, String, String, String);

/// Holds what was done against what is granted, and prints what is granted and was not used.
///
/// # Errors
/// When something was done that no role of the installation grants.
pub async fn used_within_granted(plane: &Plane) -> anyhow::Result<()> {
    let entries = plane.audit().entries()?;
    for account in ACCOUNTS {
        let granted = granted(plane, account).await?;
        ensure!(!granted.is_empty(), "{account} is granted nothing");
        let mut used = BTreeSet::new();
        for entry in requests(&entries, account) {
            // what every signed-in user may ask, such as /readyz and the list of groups
            if entry.resource.is_empty() {
                continue;
            }
            let resource = match entry.subresource.as_str() {
                "" => entry.resource.clone(),
                sub => format!("{}/{sub}", entry.resource),
            };
            let right = |namespace: &str| {
                (
                    namespace.to_owned(),
                    entry.api_group.clone(),
                    resource.clone(),
                    entry.verb.clone(),
                )
            };
            let found = [right("*"), right(&entry.namespace)]
                .into_iter()
                .find(|right| granted.contains(right));
            // reviews of oneself are open to everybody
            if entry.api_group == "authentication.k8s.io"
                || entry.api_group == "authorization.k8s.io"
            {
                continue;
            }
            let found = found.with_context(|| {
                format!(
                    "{account} did {} {} and no role of ours grants it",
                    entry.verb, entry.uri
                )
            })?;
            used.insert(found);
        }
        ensure!(!used.is_empty(), "{account} did nothing");
        let idle: Vec<String> = granted
            .difference(&used)
            .map(|(namespace, group, resource, verb)| {
                format!("{verb} {resource}.{group} in {namespace}")
            })
            .collect();
        eprintln!(
            "{account}: {} rights used, granted and not used here: {}",
            used.len(),
            idle.join(", ")
        );
    }
    Ok(())
}

/// What the bindings of the installation grant an account.
async fn granted(plane: &Plane, account: &str) -> anyhow::Result<BTreeSet<Right>> {
    let mut rights = BTreeSet::new();
    for (bindings, roles) in [
        ("clusterrolebindings", "clusterroles"),
        ("rolebindings", "roles"),
    ] {
        let bindings = list(plane, bindings).await?;
        let roles = list(plane, roles).await?;
        for binding in &bindings {
            let is_ours = binding["subjects"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|subject| {
                    subject["kind"] == "ServiceAccount"
                        && subject["name"] == account
                        && subject["namespace"] == NAMESPACE
                });
            if !is_ours {
                continue;
            }
            let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("*");
            let role = roles
                .iter()
                .find(|role| {
                    role["metadata"]["name"] == binding["roleRef"]["name"]
                        && role["metadata"]["namespace"] == binding["metadata"]["namespace"]
                })
                .with_context(|| format!("no role for {binding}"))?;
            for rule in role["rules"].as_array().into_iter().flatten() {
                for group in texts(&rule["apiGroups"]) {
                    for resource in texts(&rule["resources"]) {
                        for verb in texts(&rule["verbs"]) {
                            rights.insert((
                                namespace.to_owned(),
                                group.clone(),
                                resource.clone(),
                                verb,
                            ));
                        }
                    }
                }
            }
        }
    }
    Ok(rights)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

async fn list(plane: &Plane, resource: &str) -> anyhow::Result<Vec<Value>> {
    let text = plane
        .kubectl(User::Admin, ["get", resource, "-A", "-o", "json"], None)
        .await?
        .ok()?;
    let list: Value = serde_json::from_str(&text)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}
