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

use crate::traces::{Traces, listening, loopback, ports_of, said_by};

/// What tells that a cluster is over.
struct Ended {
    pids: BTreeSet<u32>,
    /// Its network namespace; `None` where it was ended before it had one.
    network: Option<PathBuf>,
    folder: PathBuf,
    /// Its API server's, on this machine's loopback.
    port: u16,
    before: Traces,
}

impl Ended {
    fn nothing_is_left(&self) -> anyhow::Result<()> {
        self.nothing_runs()?;
        ensure!(
            !self.folder.exists(),
            "{} is still there",
            self.folder.display()
        );
        Ok(())
    }

    fn nothing_runs(&self) -> anyhow::Result<()> {
        let running: Vec<_> = self.pids.iter().filter(|pid| runs(**pid)).collect();
        ensure!(running.is_empty(), "still running: {running:?}");
        let left = named(self.folder.file_name().context("the folder has a name")?);
        ensure!(left.is_empty(), "cgroups: {left:?}");
        if let Some(network) = &self.network {
            ensure!(
                !networks()?.contains(network),
                "somebody is still in {}",
                network.display()
            );
        }
        let listening = listening()?
            .into_iter()
            .any(|(_, local)| local == loopback(self.port));
        ensure!(!listening, "somebody still listens at {}", self.port);
        let after = Traces::read()?;
        ensure!(
            after == self.before,
            "before: {:#?}\nafter: {after:#?}",
            self.before
        );
        Ok(())
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

    // nothing leaves the node: neither for a place that is nowhere nor for this machine's own addresses
    let own = said_by("ip", &["-4", "-o", "address", "show", "scope", "global"])?;
    let own = own
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3)?.split('/').next());
    for address in own.chain(["192.0.2.1"]) {
        let line =
            format!("-n {namespace} exec deployment/web -- /sluice-test-app get http://{address}/");
        let said = cluster
            .kubectl(User::Developer, line.split(' '), None)
            .await?;
        // refused would mean that somebody was there
        let nobody = ["unreachable", "timed out"].map(|text| said.stdout.contains(text));
        ensure!(
            !said.succeeded() && nobody.contains(&true),
            "{address} from a pod: {said:?}"
        );
    }
    let network = format!("--net={}", cluster.network()?.display());
    let routes = said_by(
        "nsenter",
        &[&network, "--", "ip", "route", "show", "table", "all"],
    )?;
    ensure!(
        routes.contains("10.96.0.0/16") && !routes.contains("default"),
        "{routes}"
    );
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
    // nothing of the cluster is on this machine's network, neither an interface nor a route nor a rule, and one port
    let during = Traces::read()?;
    ensure!(during == before, "before: {before:#?}\nduring: {during:#?}");
    let port = cluster.server().port();
    let ports = ports_of(&pids)?;
    ensure!(ports == BTreeSet::from([loopback(port)]), "{ports:?}");
    let folder = cluster.folder().to_owned();
    let name = folder.file_name().context("the folder has a name")?;
    ensure!(named(name).len() == cgroups.len(), "{cgroups:?}");
    drop(cluster);
    let ended = Ended {
        pids,
        network: Some(network),
        folder,
        port,
        before,
    };
    // a process that was ended is there until its new parent, or the last of its namespace, has taken note
    eventually(|| ended.nothing_is_left()).await
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

/// The cluster in this folder, which is about to end.
fn running(folder: PathBuf, before: Traces) -> anyhow::Result<Ended> {
    let cgroups: Vec<PathBuf> = fs::read_to_string(folder.join("cgroups"))?
        .lines()
        .map(PathBuf::from)
        .collect();
    let pids = processes(&cgroups);
    ensure!(pids.len() >= 6, "{pids:?}");
    let one = pids.first().context("no process")?;
    let network = fs::read_link(format!("/proc/{one}/ns/net"))?;
    let port = port_of(&folder)?;
    ensure!(
        listening()?
            .iter()
            .any(|(_, local)| *local == loopback(port)),
        "nobody listens at {port}"
    );
    Ok(Ended {
        pids,
        network: Some(network),
        folder,
        port,
        before,
    })
}

/// The port of the API server of the cluster in this folder.
fn port_of(folder: &Path) -> anyhow::Result<u16> {
    let file = fs::read_to_string(folder.join("kubeconfig/admin"))?;
    let (_, rest) = file
        .split_once("https://127.0.0.1:")
        .context("no address")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// Starts a cluster in a process of its own, whose temporary files are in a folder of their own.
fn held(temporary: &Path) -> anyhow::Result<Child> {
    fs::create_dir_all(temporary.join("sluice-local-cluster"))?;
    Ok(Command::new(env!("CARGO_BIN_EXE_sluice-cluster"))
        .arg("hold")
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?)
}

fn send(signal: &str, holder: &mut Child) -> anyhow::Result<()> {
    let sent = Command::new("kill")
        .args(["-s", signal, &holder.id().to_string()])
        .status()?;
    ensure!(sent.success(), "kill -s {signal}");
    holder.wait()?;
    Ok(())
}

// the program is what dies here: killed, which leaves it no time to clean up, as Ctrl-C does it, and as whoever stops services
#[tokio::test]
async fn nothing_outlives_a_holder_that_is_killed_interrupted_or_told_to_end() -> anyhow::Result<()>
{
    for signal in ["KILL", "INT", "TERM"] {
        let before = Traces::read()?;
        let temporary =
            std::env::temp_dir().join(format!("sluice-holder-{signal}-{}", std::process::id()));
        let mut holder = held(&temporary)?;
        let (folder, _output) = cluster_of(&mut holder)?;
        let ended = running(folder, before)?;
        send(signal, &mut holder)?;
        eventually(|| ended.nothing_is_left())
            .await
            .context(signal)?;
        fs::remove_dir_all(temporary)?;
    }
    Ok(())
}

// each moment of a start: its cgroups are being made, its network is there, its API server serves
#[tokio::test]
async fn nothing_outlives_a_holder_that_is_ended_while_it_starts() -> anyhow::Result<()> {
    for (signal, file) in [
        ("TERM", "cgroups"),
        ("KILL", "cgroups"),
        ("KILL", "network"),
        ("INT", "network"),
        ("TERM", "serving"),
        ("KILL", "serving"),
    ] {
        let before = Traces::read()?;
        let temporary =
            std::env::temp_dir().join(format!("sluice-start-{signal}-{}", std::process::id()));
        let mut holder = held(&temporary)?;
        let folder = wait_for(file, || async {
            let entries = fs::read_dir(&temporary)?.flatten();
            let mut folders = entries.map(|entry| entry.path());
            Ok(folders.find(|folder| folder.join(file).exists()))
        })
        .await?;
        let cgroups = fs::read_to_string(folder.join("cgroups"))?;
        let pids = processes(&cgroups.lines().map(PathBuf::from).collect::<Vec<_>>());
        let one = pids
            .iter()
            .find_map(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).ok());
        let own = fs::read_link("/proc/self/ns/net")?;
        let ended = Ended {
            network: one.filter(|network| *network != own),
            port: port_of(&folder)?,
            pids,
            folder,
            before,
        };
        send(signal, &mut holder)?;
        eventually(|| ended.nothing_is_left())
            .await
            .with_context(|| format!("{signal} at {file}"))?;
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
    let ended = running(folder, before)?;
    drop(child.stdin.take());
    let status = child.wait()?;
    ensure!(!status.success(), "it did not panic");
    let logs_only = || {
        let folder = &ended.folder;
        ensure!(folder.join("dump/objects.yaml").is_file(), "no dump");
        ensure!(folder.join("log/kubelet.log").is_file(), "no log");
        let data = ["containerd", "kubelet", "etcd"].map(|name| folder.join(name));
        let left: Vec<_> = data.iter().filter(|path| path.exists()).collect();
        ensure!(left.is_empty(), "{left:?}");
        // the folder is what is kept: told apart from what must be gone
        ended.nothing_runs()
    };
    eventually(logs_only).await?;
    fs::remove_dir_all(temporary)?;
    Ok(())
}
