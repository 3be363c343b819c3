//! The cluster itself: what its pods can do, and that nothing of it is left.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use sluice_e2e::{Cluster, ClusterOptions, User, plane::wait_for, shared_cluster};

/// What of this machine a node could leave behind, beside its processes and cgroups.
#[derive(Debug, PartialEq)]
struct Traces {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    folders: BTreeSet<PathBuf>,
}

impl Traces {
    fn read() -> anyhow::Result<Self> {
        // the number in front and the parent's change with every mount in between
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let mounts = mounts
            .lines()
            .filter_map(|line| line.splitn(3, ' ').nth(2).map(str::to_owned))
            .collect();
        let interfaces = fs::read_dir("/sys/class/net")?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<anyhow::Result<_>>()?;
        let folders = [
            "/var/lib/kubelet",
            "/var/lib/cni",
            "/run/containerd",
            "/run/network",
            "/run/netns",
            "/etc/cni",
        ];
        let folders = folders
            .map(PathBuf::from)
            .into_iter()
            .filter(|folder| folder.exists());
        Ok(Self {
            mounts,
            interfaces,
            folders: folders.collect(),
        })
    }
}

/// Every process in these cgroups and below.
fn processes(cgroups: &[PathBuf]) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut folders = cgroups.to_vec();
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        let inner = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(inner.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    found
}

/// Every cgroup of this name, in whatever hierarchy and however deep.
fn named(name: &std::ffi::OsStr) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // a link leads to a hierarchy that is there under its own name
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name() == name {
                found.push(entry.path());
            } else {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// The network namespaces in which anything on this machine runs.
fn networks() -> anyhow::Result<BTreeSet<PathBuf>> {
    let processes = fs::read_dir("/proc")?.flatten();
    Ok(processes
        .filter_map(|process| fs::read_link(process.path().join("ns/net")).ok())
        .collect())
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn nothing_is_left(
    pids: &BTreeSet<u32>,
    network: &Path,
    folder: &Path,
    before: &Traces,
) -> anyhow::Result<()> {
    let running: Vec<_> = pids.iter().filter(|pid| runs(**pid)).collect();
    ensure!(running.is_empty(), "still running: {running:?}");
    let left = named(folder.file_name().context("the folder has a name")?);
    ensure!(left.is_empty(), "cgroups: {left:?}");
    ensure!(
        !networks()?.contains(network),
        "somebody is still in {}",
        network.display()
    );
    ensure!(!folder.exists(), "{} is still there", folder.display());
    let after = Traces::read()?;
    ensure!(after == *before, "before: {before:#?}\nafter: {after:#?}");
    Ok(())
}

/// `holds`, at the latest after ten seconds.
async fn eventually(holds: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    while holds().is_err() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    holds()
}

#[tokio::test]
async fn pods_serve_through_a_service_found_by_name() -> anyhow::Result<()> {
    let cluster = shared_cluster().await?;
    let outcome = serves(cluster).await;
    if outcome.is_err() {
        cluster.keep();
    }
    outcome
}

async fn serves(cluster: &Cluster) -> anyhow::Result<()> {
    let namespace = cluster.namespace("serves").await?;
    let kubectl = async |line: &str, input: Option<&str>| {
        let arguments = ["-n", namespace.as_str()]
            .into_iter()
            .chain(line.split(' '));
        cluster
            .kubectl(User::Developer, arguments, input)
            .await?
            .ok()
    };
    kubectl(
        "apply -f -",
        Some(&crate::releases::app(&namespace, "web", 2, "v1").to_string()),
    )
    .await?;
    kubectl("expose deployment web --port=80 --target-port=8080", None).await?;
    kubectl("rollout status deployment/web --timeout=60s", None).await?;
    // every request over a connection of its own, from inside a pod, by the Service's name
    let seen = wait_for("both pods answer", || async {
        let said = kubectl(
            "exec deployment/web -- /sluice-test-app get http://web/ 20",
            None,
        )
        .await?;
        let pods: BTreeSet<_> = said.lines().map(str::to_owned).collect();
        ensure!(
            pods.iter().all(|line| line.starts_with("200 v1 web-")),
            "{said}"
        );
        Ok((pods.len() == 2).then_some(pods))
    })
    .await?;
    println!("{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_leaves_nothing_behind() -> anyhow::Result<()> {
    let before = Traces::read()?;
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let cgroups = cluster.cgroups()?;
    let inside = processes(&cgroups);
    // containerd, kubelet, kube-proxy, a shim and two containers at least
    ensure!(inside.len() >= 6, "{} processes", inside.len());
    let pids: BTreeSet<u32> = inside.into_iter().chain(cluster.pids()).collect();
    ensure!(pids.iter().all(|pid| runs(*pid)));
    let network = fs::read_link(cluster.network())?;
    ensure!(networks()?.contains(&network));
    // nothing of the cluster is on this machine's network, neither an interface nor a route
    ensure!(Traces::read()?.interfaces == before.interfaces);
    let route = Command::new("ip")
        .args(["route", "get", "10.96.0.10"])
        .output()?;
    let route = String::from_utf8_lossy(&route.stdout).into_owned();
    ensure!(!route.contains("node0"), "{route}");
    let folder = cluster.folder().to_owned();
    let name = folder.file_name().context("the folder has a name")?;
    ensure!(named(name).len() == cgroups.len(), "{cgroups:?}");
    drop(cluster);
    // a process that was ended is there until its new parent, or the last of its namespace, has taken note
    eventually(|| nothing_is_left(&pids, &network, &folder, &before)).await
}

// the program is what dies here, in a way that leaves it no time to clean up
#[tokio::test]
async fn nothing_outlives_a_killed_holder() -> anyhow::Result<()> {
    let before = Traces::read()?;
    let temporary = std::env::temp_dir().join(format!("sluice-holder-{}", std::process::id()));
    fs::create_dir_all(temporary.join("sluice-local-cluster"))?;
    let mut holder = Command::new(env!("CARGO_BIN_EXE_sluice-cluster"))
        .arg("hold")
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(holder.stderr.take().context("no output")?).lines();
    let mut said = Vec::new();
    let mut folder = None;
    for line in lines {
        let line = line?;
        if let Some((_, path)) = line
            .split_once("cluster ready after")
            .and_then(|(_, rest)| rest.split_once(": "))
        {
            folder = Some(PathBuf::from(path));
            break;
        }
        said.push(line);
    }
    let folder = folder.with_context(|| format!("it did not start:\n{}", said.join("\n")))?;
    let cgroups: Vec<PathBuf> = fs::read_to_string(folder.join("cgroups"))?
        .lines()
        .map(PathBuf::from)
        .collect();
    let pids = processes(&cgroups);
    ensure!(pids.len() >= 6, "{pids:?}");
    let one = pids.first().context("no process")?;
    let network = fs::read_link(format!("/proc/{one}/ns/net"))?;
    holder.kill()?;
    holder.wait()?;
    eventually(|| nothing_is_left(&pids, &network, &folder, &before)).await?;
    fs::remove_dir_all(temporary)?;
    Ok(())
}
