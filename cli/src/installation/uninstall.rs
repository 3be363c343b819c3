//! `sluice uninstall`: out of the way first, then every workload back to its owner, then everything that was installed.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    apps::v1::Deployment,
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use serde_json::{Value, json};
use sluice_api::{Release, SYSTEM_NAMESPACE, access, admission_table};

use super::{
    MANAGER,
    apply::{Applier, title},
    confirm, helm,
    install::{objects, refuse_other_namespaces},
    restore::{self, Restoration},
};
use crate::{
    cluster::{Connection, explained, facts, patiently},
    console,
    outcome::Outcome,
    release::progress,
};

/// Remove Sluice from the cluster and give every workload back as it was applied.
#[derive(Args, Debug)]
pub struct Uninstall {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Go on although releases are under way: each workload gets its own rollout settings back, and Kubernetes finishes what it has
    #[arg(long)]
    abandon_releases: bool,
    /// Stop Sluice and give every workload back, and leave the other objects of the installation: what `helm uninstall` runs before it removes them
    #[arg(long)]
    keep_objects: bool,
    /// Wait so long for releases that are under way to end by themselves, before anything is taken away
    #[arg(long, value_name = "DURATION", conflicts_with = "abandon_releases")]
    wait_for_releases: Option<sluice_api::Duration>,
}

/// How often a Deployment is tried again that somebody else changed meanwhile.
const RACES: usize = 10;
const GONE: Duration = Duration::from_secs(60);
const RIGHTS: Duration = Duration::from_secs(10);
const SETTLED: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
/// When something cannot be read or removed. Doing it again goes on where it stopped.
pub async fn run(uninstall: Uninstall, connection: &Connection) -> anyhow::Result<Outcome> {
    refuse_other_namespaces(connection)?;
    let client = connection.client().await?;
    let mut applier = Applier::new(client.clone());
    if !uninstall.keep_objects {
        helm::refuse_uninstall(&mut applier).await?;
    }
    let (releases, under_way) = settled(&client, uninstall.wait_for_releases).await?;
    if !under_way.is_empty() && !uninstall.abandon_releases {
        eprintln!(
            "error: {} under way: {}. Wait for them (--wait-for-releases 30m), abort them (`sluice release abort`), or give --abandon-releases. Nothing was removed",
            if under_way.len() == 1 {
                "a release is".to_owned()
            } else {
                format!("{} releases are", under_way.len())
            },
            under_way.join(", ")
        );
        return Ok(Outcome::No);
    }
    if !uninstall.yes
        && !confirm::agreed(
            "Remove Sluice with all its gates, plans, probes, policies and releases?",
        )?
    {
        eprintln!("error: nothing was removed: say yes, or give --yes");
        return Ok(Outcome::CannotTell);
    }

    // first of all nothing may be refused any more, whatever happens after this
    delete_webhooks(&client).await?;
    for name in [access::CONTROLLER_ACCOUNT, access::WEBHOOK_ACCOUNT] {
        let program = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE}});
        if applier.delete(&program).await? {
            told(&program)?;
            wait_for_pods(&client, name).await?;
        }
    }
    // a controller that runs elsewhere loses its rights before its work is undone: it could do it again
    for (kind, namespace) in [
        ("ClusterRoleBinding", None),
        ("RoleBinding", Some(SYSTEM_NAMESPACE)),
    ] {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": access::CONTROLLER_ACCOUNT, "namespace": namespace},
        });
        if applier.delete(&binding).await? {
            told(&binding)?;
        }
    }
    if !wait_without_rights(&client).await? {
        eprintln!(
            "error: the account {} may still change Deployments, by a binding that is not Sluice's: stop the controller, then run `sluice uninstall` again",
            access::CONTROLLER_ACCOUNT
        );
        return Ok(Outcome::CannotTell);
    }
    // one that was still leading may have written them again
    delete_webhooks(&client).await?;

    // a second time because of writes that were on their way when the rights went: it finds nothing, or the last of them
    let mut left = restore_all(&client, &releases).await?;
    left.extend(restore_all(&client, &releases).await?);
    left.dedup();
    if !left.is_empty() {
        for problem in &left {
            eprintln!("error: {problem}");
        }
        eprintln!(
            "error: the rest of Sluice stays until these workloads are put right; then run `sluice uninstall` again"
        );
        return Ok(Outcome::CannotTell);
    }

    if uninstall.keep_objects {
        console::print(
            "Sluice has stopped, and every workload is as it was applied. Its other objects are left\n",
        )?;
        return Ok(Outcome::Yes);
    }
    let mut all = objects()?;
    all.reverse();
    for (_, object) in &all {
        if applier.delete(object).await? {
            told(object)?;
        }
    }
    for (_, object) in all.iter().filter(|(_, object)| {
        matches!(
            object["kind"].as_str(),
            Some("CustomResourceDefinition" | "Namespace")
        )
    }) {
        if !applier.wait(object, GONE, |live| live.is_none()).await? {
            eprintln!(
                "error: {} is still being deleted; `kubectl get` tells what it waits for",
                title(object)
            );
            return Ok(Outcome::CannotTell);
        }
    }
    console::print("Sluice is removed\n")?;
    Ok(Outcome::Yes)
}

/// Every Release, and the names of those that are under way when they have ended or the patience is over.
async fn settled(
    client: &Client,
    patience: Option<sluice_api::Duration>,
) -> anyhow::Result<(Vec<Release>, Vec<String>)> {
    let began = tokio::time::Instant::now();
    let patience = patience.unwrap_or_default().get();
    let mut last = 0;
    loop {
        let releases = releases(client).await?;
        let under_way: Vec<String> = releases
            .iter()
            .filter(|release| {
                !release
                    .status
                    .as_ref()
                    .is_some_and(|status| status.phase.is_finished())
            })
            .map(|release| {
                format!(
                    "{}/{}",
                    release.namespace().unwrap_or_default(),
                    release.name_any()
                )
            })
            .collect();
        if under_way.is_empty() || began.elapsed() >= patience {
            return Ok((releases, under_way));
        }
        if under_way.len() != last {
            last = under_way.len();
            console::print(&format!("waiting for {}\n", under_way.join(", ")))?;
        }
        tokio::time::sleep(SETTLED).await;
    }
}

fn told(object: &Value) -> std::io::Result<()> {
    console::print(&format!("{} deleted\n", title(object)))
}

/// Every Release; none when the kind is not there any more.
async fn releases(client: &Client) -> anyhow::Result<Vec<Release>> {
    let api: Api<Release> = Api::all(client.clone());
    let everything = ListParams::default();
    match patiently(|| api.list(&everything)).await {
        Ok(found) => Ok(found.items),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => explained(Err(error), "releases cannot be listed"),
    }
}

async fn delete_webhooks(client: &Client) -> anyhow::Result<()> {
    delete_marked::<MutatingWebhookConfiguration>(client, &[admission_table::MUTATING]).await?;
    delete_marked::<ValidatingWebhookConfiguration>(
        client,
        &[admission_table::ADMISSION, admission_table::OBJECTS],
    )
    .await
}

async fn delete_marked<K>(client: &Client, names: &[&str]) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    let kind = K::kind(&());
    let marked = ListParams::default().labels(&format!("{}=sluice", access::PART_OF));
    let found = explained(
        api.list(&marked).await,
        &format!("objects of kind {kind} cannot be listed"),
    )?;
    let mut found: Vec<String> = found.items.iter().map(ResourceExt::name_any).collect();
    // by name too: a label can be lost
    found.extend(names.iter().map(|name| (*name).to_owned()));
    found.sort();
    found.dedup();
    for name in found {
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => console::print(&format!("{}/{name} deleted\n", kind.to_lowercase()))?,
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => explained(Err(error), &format!("{kind} {name} cannot be deleted"))?,
        }
    }
    Ok(())
}

/// Waits until no pod of a program runs any more: one that still leads could still write.
async fn wait_for_pods(client: &Client, name: &str) -> anyhow::Result<()> {
    let api: Api<k8s_openapi::api::core::v1::Pod> =
        Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let of_program = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
    let began = tokio::time::Instant::now();
    while began.elapsed() < GONE {
        if explained(api.list(&of_program).await, "pods cannot be listed")?
            .items
            .is_empty()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    anyhow::bail!("pods of {name} are still there after {} s", GONE.as_secs())
}

/// Waits until the API server no longer lets the controller's account patch Deployments: a deleted binding takes a moment to be seen.
async fn wait_without_rights(client: &Client) -> anyhow::Result<bool> {
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let account = format!(
        "system:serviceaccount:{SYSTEM_NAMESPACE}:{}",
        access::CONTROLLER_ACCOUNT
    );
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(account),
            resource_attributes: Some(ResourceAttributes {
                group: Some("apps".to_owned()),
                resource: Some("deployments".to_owned()),
                verb: Some("patch".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let began = tokio::time::Instant::now();
    loop {
        let answer = explained(
            api.create(&PostParams::default(), &review).await,
            "the rights of the controller cannot be asked for",
        )?;
        if !answer.status.is_some_and(|status| status.allowed) {
            // another API server may be a little behind, and a request that was let in takes a moment
            tokio::time::sleep(SETTLED).await;
            return Ok(true);
        }
        if began.elapsed() > RIGHTS {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Restores every Deployment that carries something of Sluice's. What could not be restored.
async fn restore_all(client: &Client, releases: &[Release]) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    let resource = ApiResource::erase::<Deployment>(&());
    for deployment in facts::all(client, &resource, None).await? {
        let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
        let namespace = deployment["metadata"]["namespace"]
            .as_str()
            .unwrap_or_default();
        let what = format!("deployment/{name} in namespace {namespace}");
        match restore_one(client, namespace, name, releases).await {
            Ok(Some(does)) => console::print(&format!("{what}: {}\n", does.join(", ")))?,
            Ok(None) => {}
            Err(error) => left.push(format!("{what}: {}", console::chain(&error))),
        }
    }
    Ok(left)
}

/// Restores one Deployment, read anew before each try: what stands there must be what really stands there, not a typed reading of it.
async fn restore_one(
    client: &Client,
    namespace: &str,
    name: &str,
    releases: &[Release],
) -> anyhow::Result<Option<Vec<&'static str>>> {
    let api: Api<DynamicObject> = Api::namespaced_with(
        client.clone(),
        namespace,
        &ApiResource::erase::<Deployment>(&()),
    );
    for _ in 0..RACES {
        let Some(live) = explained(api.get_opt(name).await, "it cannot be read")? else {
            return Ok(None);
        };
        let live = serde_json::to_value(live)?;
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        let own: Vec<Release> = releases
            .iter()
            .filter(|release| release.spec.workload.uid == uid)
            .cloned()
            .collect();
        let recorded = progress::youngest(&own).and_then(|release| release.spec.originals().ok());
        let Some(Restoration { patch, does }) = restore::restoration(&live, recorded.as_ref())?
        else {
            return Ok(None);
        };
        let patch: json_patch::Patch =
            serde_json::from_value(Value::Array(patch)).context("the patch is none")?;
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match api.patch(name, &params, &Patch::Json::<()>(patch)).await {
            Ok(_) => return Ok(Some(does)),
            // somebody else wrote meanwhile: look again
            Err(kube::Error::Api(status))
                if matches!(status.code, 409 | 422) && status.message.contains("test") => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return explained(Err(error), "it cannot be patched"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("somebody else changed it {RACES} times in a row")
}
