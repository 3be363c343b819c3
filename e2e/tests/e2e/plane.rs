//! The plane itself: start, side by side, end, audit log, outages.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use sluice_e2e::plane::wait_for;
use sluice_e2e::{Component, Plane, PlaneOptions, User, in_namespace};

use crate::deployment;

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn deployment_becomes_available_through_kubectl() -> anyhow::Result<()> {
    in_namespace("deploy", async |plane, namespace| {
        let manifest = deployment("checkout", 3, "registry.test/shop/checkout:v1");
        plane
            .kubectl(
                User::Developer,
                ["-n", namespace, "apply", "-f", "-"],
                Some(&manifest),
            )
            .await?
            .ok()?;
        let wait = [
            "-n",
            namespace,
            "rollout",
            "status",
            "deployment/checkout",
            "--timeout=20s",
        ];
        let said = plane.kubectl(User::Developer, wait, None).await?.ok()?;
        ensure!(said.contains("successfully rolled out"), "{said}");
        let available = [
            "-n",
            namespace,
            "get",
            "deployment",
            "checkout",
            "-o",
            "jsonpath={.status.availableReplicas}",
        ];
        ensure!(
            plane
                .kubectl(User::Developer, available, None)
                .await?
                .ok()?
                == "3"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn audit_log_has_the_request_of_kubectl() -> anyhow::Result<()> {
    in_namespace("audit", async |plane, namespace| {
        let mark = plane.audit().mark()?;
        let manifest = deployment("checkout", 1, "a:v1");
        plane
            .kubectl(
                User::Developer,
                ["-n", namespace, "apply", "-f", "-"],
                Some(&manifest),
            )
            .await?
            .ok()?;
        let entries = plane.audit().since(mark)?;
        let created: Vec<_> = entries
            .iter()
            .filter(|entry| {
                entry.counts() && entry.verb == "create" && entry.namespace == namespace
            })
            .filter(|entry| entry.resource == "deployments" && entry.user == "developer")
            .collect();
        let [entry] = created.as_slice() else {
            anyhow::bail!("{} entries", created.len())
        };
        ensure!(
            entry.code == 201 && entry.name == "checkout" && entry.api_group == "apps",
            "{entry:?}"
        );
        ensure!(
            entry.user_agent.starts_with("kubectl/v1.36.3"),
            "{}",
            entry.user_agent
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_planes_run_side_by_side_and_leave_nothing_behind() -> anyhow::Result<()> {
    let options = || PlaneOptions {
        nodes: 2,
        ..PlaneOptions::default()
    };
    let (left, right) = tokio::try_join!(Plane::start(options()), Plane::start(options()))?;
    for plane in [&left, &right] {
        let namespace = plane.namespace("own").await?;
        ensure!(
            namespace == "own-1",
            "namespaces are the plane's own: {namespace}"
        );
        let nodes = plane
            .kubectl(User::Admin, ["get", "nodes", "-o", "name"], None)
            .await?
            .ok()?;
        ensure!(nodes.lines().count() == 2, "{nodes}");
    }
    let pids: Vec<u32> = left.pids().into_iter().chain(right.pids()).collect();
    let folders = [left.folder().to_owned(), right.folder().to_owned()];
    ensure!(pids.len() == 8 && pids.iter().all(|pid| runs(*pid)));
    drop((left, right));
    let left_behind: Vec<_> = pids.into_iter().filter(|pid| runs(*pid)).collect();
    ensure!(left_behind.is_empty(), "still running: {left_behind:?}");
    ensure!(
        folders.iter().all(|folder| !folder.exists()),
        "folders are still there"
    );
    Ok(())
}

// the binary is what dies here, in ways that leave it no time to clean up
#[tokio::test]
async fn nothing_outlives_a_killed_harness() -> anyhow::Result<()> {
    for signal in ["KILL", "INT", "TERM"] {
        let mut harness = Command::new(env!("CARGO_BIN_EXE_sluice-e2e-plane"))
            .args(["--nodes", "1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = harness.stdout.take().context("piped")?;
        let mut folder = None;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(path) = line.strip_prefix("export KUBECONFIG=") {
                folder = Path::new(path).ancestors().nth(2).map(Path::to_owned);
            }
            if line.starts_with("# audit log") {
                break;
            }
        }
        let folder = folder.context("the harness names its folder")?;
        let children = children_of(&folder)?;
        ensure!(
            children.len() == 5,
            "four components and the keeper: {children:?}"
        );
        let status = Command::new("kill")
            .args(["-s", signal, &harness.id().to_string()])
            .status()?;
        ensure!(status.success());
        harness.wait()?;
        wait_for("the end of every child", || {
            let (children, folder) = (children.clone(), folder.clone());
            async move { Ok((children.iter().all(|pid| !runs(*pid)) && !folder.exists()).then_some(())) }
        })
        .await
        .with_context(|| format!("after SIG{signal}"))?;
    }
    Ok(())
}

/// The processes that name the plane's folder on their command lines.
fn children_of(folder: &Path) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // a process may end between the listing and the reading
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(&folder.display().to_string()) {
            found.push(pid);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn plane_goes_on_after_outages_of_its_components() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions {
        nodes: 2,
        ..PlaneOptions::default()
    })
    .await?;
    let namespace = plane.namespace("outage").await?;
    plane.restart(Component::ApiServer).await?;
    plane.restart_controller_manager().await?;
    let manifest = deployment("after", 2, "a:v1");
    plane
        .kubectl(
            User::Developer,
            ["-n", &namespace, "apply", "-f", "-"],
            Some(&manifest),
        )
        .await?
        .ok()?;
    let wait = [
        "-n",
        &namespace,
        "rollout",
        "status",
        "deployment/after",
        "--timeout=30s",
    ];
    plane.kubectl(User::Developer, wait, None).await?.ok()?;

    plane.pause(Component::ApiServer)?;
    let hangs = plane
        .kubectl(User::Admin, ["get", "nodes", "--request-timeout=1s"], None)
        .await?;
    ensure!(!hangs.succeeded(), "a paused API server answers nothing");
    plane.resume(Component::ApiServer)?;
    plane
        .kubectl(User::Admin, ["get", "nodes"], None)
        .await?
        .ok()?;

    plane.register_nodes(1).await?;
    let leases = plane
        .kubectl(
            User::Admin,
            ["-n", "kube-node-lease", "get", "leases", "-o", "name"],
            None,
        )
        .await?
        .ok()?;
    ensure!(leases.lines().count() == 3, "{leases}");
    Ok(())
}

#[tokio::test]
async fn evidence_is_kept_when_told() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions {
        nodes: 1,
        ..PlaneOptions::default()
    })
    .await?;
    let folder = plane.folder().to_owned();
    plane.keep();
    drop(plane);
    let objects = std::fs::read_to_string(folder.join("dump/objects.yaml"))?;
    ensure!(objects.contains("name: node-01"), "the dump holds the node");
    ensure!(
        folder.join("log/kube-apiserver.log").exists(),
        "the logs are there"
    );
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
