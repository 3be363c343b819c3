//! The cluster itself: what its pods can do, and that nothing of it is left.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
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
    nothing_runs(pids, network, folder, before)?;
    ensure!(!folder.exists(), "{} is still there", folder.display());
    Ok(())
}

fn nothing_runs(
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
    let network = fs::read_link(cluster.network()?)?;
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

/// Waits until a process that starts a cluster has said so; the cluster's folder, and what must stay open for the process to say more.
fn cluster_of(holder: &mut Child) -> anyhow::Result<(PathBuf, BufReader<ChildStderr>)> {
    let mut output = BufReader::new(holder.stderr.take().context("no output")?);
    let mut said = Vec::new();
    loop {
        let mut line = String::new();
        if output.read_line(&mut line)? == 0 {
            anyhow::bail!("it did not start:\n{}", said.concat());
        }
        if let Some((_, path)) = line
            .split_once("cluster ready after")
            .and_then(|(_, rest)| rest.split_once(": "))
        {
            return Ok((PathBuf::from(path.trim_end()), output));
        }
        said.push(line);
    }
}

/// What runs for the cluster in this folder, and its network namespace.
fn inside(folder: &Path) -> anyhow::Result<(BTreeSet<u32>, PathBuf)> {
    let cgroups: Vec<PathBuf> = fs::read_to_string(folder.join("cgroups"))?
        .lines()
        .map(PathBuf::from)
        .collect();
    let pids = processes(&cgroups);
    ensure!(pids.len() >= 6, "{pids:?}");
    let one = pids.first().context("no process")?;
    let network = fs::read_link(format!("/proc/{one}/ns/net"))?;
    Ok((pids, network))
}

// the program is what dies here: killed, which leaves it no time to clean up, and as Ctrl-C does it
#[tokio::test]
async fn nothing_outlives_a_holder_that_is_killed_or_interrupted() -> anyhow::Result<()> {
    for signal in ["KILL", "INT"] {
        let before = Traces::read()?;
        let temporary =
            std::env::temp_dir().join(format!("sluice-holder-{signal}-{}", std::process::id()));
        fs::create_dir_all(temporary.join("sluice-local-cluster"))?;
        let mut holder = Command::new(env!("CARGO_BIN_EXE_sluice-cluster"))
            .arg("hold")
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let (folder, _output) = cluster_of(&mut holder)?;
        let (pids, network) = inside(&folder)?;
        let sent = Command::new("kill")
            .args(["-s", signal, &holder.id().to_string()])
            .status()?;
        ensure!(sent.success(), "kill -s {signal}");
        holder.wait()?;
        eventually(|| nothing_is_left(&pids, &network, &folder, &before))
            .await
            .context(signal)?;
        fs::remove_dir_all(temporary)?;
    }
    Ok(())
}

/// Set in the process that is to panic.
const PANICS: &str = "SLUICE_TEST_PANICS";

// this test runs itself once more, with a folder of temporary files of its own, and panics there
#[tokio::test]
async fn a_panic_keeps_the_logs_and_nothing_else() -> anyhow::Result<()> {
    if std::env::var_os(PANICS).is_some() {
        let _cluster = Cluster::start(ClusterOptions::default()).await?;
        // until it is told to
        let _ = std::io::stdin().read_line(&mut String::new());
        panic!("as told");
    }
    let before = Traces::read()?;
    let temporary = std::env::temp_dir().join(format!("sluice-panic-{}", std::process::id()));
    fs::create_dir_all(&temporary)?;
    let own = "node::a_panic_keeps_the_logs_and_nothing_else";
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", own, "--nocapture"])
        .env(PANICS, "1")
        .env("TMPDIR", &temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let (folder, _output) = cluster_of(&mut child)?;
    let (pids, network) = inside(&folder)?;
    drop(child.stdin.take());
    let status = child.wait()?;
    ensure!(!status.success(), "it did not panic");
    let logs_only = || {
        ensure!(folder.join("dump/objects.yaml").is_file(), "no dump");
        ensure!(folder.join("log/kubelet.log").is_file(), "no log");
        let data = ["containerd", "kubelet", "etcd"].map(|name| folder.join(name));
        let left: Vec<_> = data.iter().filter(|path| path.exists()).collect();
        ensure!(left.is_empty(), "{left:?}");
        // the folder is what is kept: told apart from what must be gone
        nothing_runs(&pids, &network, &folder, &before)
    };
    eventually(logs_only).await?;
    fs::remove_dir_all(temporary)?;
    Ok(())
}
