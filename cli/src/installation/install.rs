//! `sluice install`: applies the manifests of this version in order. Doing it again changes nothing.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sluice_api::{access, admission_table};
use sluice_runtime::{args::the_one_namespace, config};

use super::{
    apply::{Applier, is_available, is_true, title},
    preflight::{self, Found},
};
use crate::{
    cluster::Connection,
    console,
    generate::install::{self, Part},
    manifest::{document, source::Source},
    outcome::Outcome,
};

/// Install Sluice into the cluster, or bring an installation to this version.
#[derive(Args, Debug)]
pub struct Install {
    /// Leave the programs out: definitions, access rights, guards, configuration and policies only
    #[arg(long)]
    without_workloads: bool,
    /// The configuration file; without it that of the cluster is kept, or the shipped one taken where there is none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave the shipped policies out
    #[arg(long)]
    without_policies: bool,
    /// Do not let the webhook list Secrets, of which it asks the names only unless a policy asks for keys: rules about them answer Unknown. Takes the right away where it was given
    #[arg(long)]
    without_secret_names: bool,
    /// How long to wait for the programs to be available
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    timeout: sluice_api::Duration,
}

const ESTABLISHED: Duration = Duration::from_secs(30);

/// Every object of an installation with its part, in the order in which they are applied.
///
/// # Errors
/// When the manifests of this program are broken, which its tests rule out.
pub fn objects() -> anyhow::Result<Vec<(Part, Value)>> {
    let mut objects = Vec::new();
    for manifest in install::manifests()? {
        let read = document::strict_objects(&[Source {
            name: manifest.path,
            text: manifest.text,
        }]);
        if let Some(problem) = read.problems.first() {
            bail!("a shipped manifest is broken: {problem}");
        }
        objects.extend(
            read.objects
                .into_iter()
                .map(|object| (manifest.part, object.value.into())),
        );
    }
    Ok(objects)
}

/// Runs the command.
///
/// # Errors
/// When the configuration file cannot be used or the cluster refuses something.
pub async fn run(install: Install, connection: &Connection) -> anyhow::Result<Outcome> {
    refuse_other_namespaces(connection)?;
    let config = match &install.config {
        Some(path) => {
            config::load_file(path)?;
            Some(
                std::fs::read_to_string(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?,
            )
        }
        None => None,
    };
    let client = connection.client().await?;
    let mut applier = Applier::new(client.clone());
    let mut wanted = objects()?;
    wanted.retain(|(part, _)| match part {
        Part::Workloads => !install.without_workloads,
        Part::Policies => !install.without_policies,
        _ => true,
    });
    let configured = match preflight::examine(&client, &wanted, config.is_some()).await? {
        Found::Ready { change, configured } => {
            console::print(&format!("{change}\n"))?;
            configured
        }
        Found::Refused(problems) => {
            for problem in &problems {
                eprintln!("error: {}", console::one_line(problem));
            }
            eprintln!("error: nothing was changed");
            return Ok(Outcome::No);
        }
    };
    let mut established = false;
    let mut programs = Vec::new();
    let mut digest = String::new();
    for (part, mut object) in wanted {
        if install.without_secret_names && grants_secret_names(&object) {
            if applier.delete(&object).await? {
                console::print(&format!("{} deleted\n", title(&object)))?;
            }
            continue;
        }
        if part > Part::Definitions && !established {
            wait_established(&mut applier).await?;
            established = true;
        }
        if let (Part::Configuration, Some(text)) = (part, config.as_ref().or(configured.as_ref())) {
            object["data"] = json!({ "config.yaml": text });
        }
        if part == Part::Configuration {
            digest = config_digest(&object);
            // what somebody configured is not replaced by what is shipped
            if config.is_none() && configured.is_some() {
                console::print(&format!("{} kept\n", title(&object)))?;
                continue;
            }
        }
        if object["kind"] == "Deployment" {
            object["spec"]["template"]["metadata"]["annotations"][CONFIG_DIGEST] = json!(digest);
        }
        let applied = applier.apply(&object).await?;
        console::print(&format!("{} {applied}\n", title(&object)))?;
        if object["kind"] == "Deployment" {
            programs.push(object);
        }
    }
    for program in &programs {
        console::print(&format!("{} … ", title(program)))?;
        if !applier
            .wait(program, install.timeout.get(), |live| {
                live.is_some_and(is_available)
            })
            .await?
        {
            console::print("not available\n")?;
            eprintln!(
                "error: {} is not available after {}: `kubectl -n {} describe deployment,pods` tells why",
                title(program),
                install.timeout,
                sluice_api::SYSTEM_NAMESPACE
            );
            return Ok(Outcome::CannotTell);
        }
        console::print("available\n")?;
    }
    if !programs.is_empty() && !in_force(&mut applier, install.timeout.get()).await? {
        return Ok(Outcome::CannotTell);
    }
    console::print(
        "Sluice is installed. Every namespace starts in mode audit: nothing is refused, held or stepped.\n\
         `sluice audit` shows what would be refused; `kubectl label namespace NAME sluice.dev/mode=enforce` turns it on.\n",
    )?;
    if install.without_workloads {
        console::print(
            "The programs are left to you: the webhooks come into force when a controller leads and a webhook answers.\n",
        )?;
    }
    Ok(Outcome::Yes)
}

/// On pods: the digest of the configuration file they read when they started, as the Helm chart has it.
const CONFIG_DIGEST: &str = "checksum/config";

/// The digest of a configuration file in its ConfigMap: another file makes other pods.
fn config_digest(object: &Value) -> String {
    let text = object["data"]["config.yaml"].as_str().unwrap_or_default();
    let digest = Sha256::digest(text.trim_end().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for the webhook configurations. The leader writes them last, once a review was answered at the address and under the authority that they name: that
/// they are there says that the API server can reach the webhook.
async fn in_force(applier: &mut Applier, patience: Duration) -> anyhow::Result<bool> {
    console::print("webhooks … ")?;
    for (kind, name) in [
        ("MutatingWebhookConfiguration", admission_table::MUTATING),
        ("ValidatingWebhookConfiguration", admission_table::ADMISSION),
        ("ValidatingWebhookConfiguration", admission_table::OBJECTS),
    ] {
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
        });
        if !applier
            .wait(&configuration, patience, |live| live.is_some())
            .await?
        {
            console::print("not in force\n")?;
            eprintln!(
                "error: {} is not published after {patience:?}: the log of the leading controller tells why (`kubectl -n {} logs -l app.kubernetes.io/name={}`)",
                title(&configuration),
                sluice_api::SYSTEM_NAMESPACE,
                access::CONTROLLER_ACCOUNT,
            );
            return Ok(false);
        }
    }
    console::print("in force: a review was answered at the published address\n")?;
    Ok(true)
}

/// Whether an object is the role for the names of Secrets or its binding.
fn grants_secret_names(object: &Value) -> bool {
    object["kind"]
        .as_str()
        .is_some_and(|kind| kind.starts_with("ClusterRole"))
        && object["metadata"]["name"] == access::SECRET_NAMES_ROLE
}

/// Every manifest names Sluice's namespace, the guards inside the API server among them: another one would be half an installation.
///
/// # Errors
/// When the caller named another namespace.
pub fn refuse_other_namespaces(connection: &Connection) -> anyhow::Result<()> {
    let named = connection.namespace.as_deref();
    named
        .map(the_one_namespace)
        .transpose()
        .map_err(|why| {
            anyhow!(
                "--namespace {}: {why}; leave it out",
                named.unwrap_or_default()
            )
        })
        .map(|_| ())
}

/// Waits until every kind is established and can be read: what is applied or asked for next relies on it.
async fn wait_established(applier: &mut Applier) -> anyhow::Result<()> {
    for crd in sluice_api::crd::all() {
        let kind = crd.spec.names.kind.clone();
        let mut crd = serde_json::to_value(crd)?;
        crd["apiVersion"] = json!("apiextensions.k8s.io/v1");
        crd["kind"] = json!("CustomResourceDefinition");
        let established = applier.wait(&crd, ESTABLISHED, |live| {
            live.is_some_and(|live| is_true(live, "Established"))
        });
        if !established.await? {
            bail!(
                "{} is not established after {} s: the API server does not serve the kind",
                title(&crd),
                ESTABLISHED.as_secs()
            );
        }
        let nobody = json!({
            "apiVersion": format!("{}/{}", sluice_api::GROUP, sluice_api::VERSION),
            "kind": kind,
            "metadata": {"name": "nobody", "namespace": sluice_api::SYSTEM_NAMESPACE},
        });
        applier.live(&nobody).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_namespace_is_refused_before_anything_is_applied() {
        let named = |name: Option<&str>| {
            refuse_other_namespaces(&Connection {
                namespace: name.map(str::to_owned),
                ..Connection::default()
            })
        };
        for fine in [None, Some("sluice-system")] {
            named(fine).unwrap();
        }
        let text = format!("{:#}", named(Some("gates")).unwrap_err());
        assert!(
            text.contains("gates") && text.contains("sluice-system"),
            "{text}"
        );
    }

    #[test]
    fn the_right_to_secrets_is_a_role_and_a_binding_that_can_be_left_out() {
        let objects = objects().unwrap();
        let left_out = objects
            .iter()
            .filter(|(_, object)| grants_secret_names(object));
        let kinds: Vec<&Value> = left_out.map(|(_, object)| &object["kind"]).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding"]);
        // what is left reads no Secret but the certificate
        for (_, object) in objects
            .iter()
            .filter(|(_, object)| !grants_secret_names(object))
        {
            for rule in object["rules"].as_array().into_iter().flatten() {
                let secrets = rule["resources"].to_string().contains("secrets");
                assert!(!secrets || object["kind"] == "Role", "{object}");
            }
        }
    }

    #[test]
    fn another_configuration_file_has_another_digest() {
        let digest = |text: &str| config_digest(&json!({"data": {"config.yaml": text}}));
        assert_eq!(digest("a: 1\n").len(), 64);
        assert_eq!(digest("a: 1\n"), digest("a: 1"));
        assert_ne!(digest("a: 1\n"), digest("a: 2\n"));
    }

    #[test]
    fn what_others_need_comes_first() {
        let objects = objects().unwrap();
        let parts: Vec<Part> = objects.iter().map(|(part, _)| *part).collect();
        assert!(parts.is_sorted(), "{parts:?}");
        assert_eq!(title(&objects[0].1), "namespace/sluice-system");
        // the webhook configurations are the controller's business
        assert!(objects.iter().all(|(_, object)| {
            !object["kind"]
                .as_str()
                .unwrap()
                .ends_with("WebhookConfiguration")
        }));
    }
}
