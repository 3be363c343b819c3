//! `make cluster` and `make cluster-down`: a real cluster for a person, which outlives the command that started it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand};
use sluice_e2e::{
    Cluster, ClusterOptions, User,
    bench::{machine, pods, report::Report},
    cluster,
};
use tokio::signal::unix::{SignalKind, signal};

/// A real cluster on this machine: one node with containers, Services and DNS.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Start it, or say where it is
    Up,
    /// End it
    Down,
    /// Measure the installed pods on one of its own
    Measure {
        /// Write the numbers as a page too
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
        /// Seconds for which each state is looked at
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Say why this machine cannot run one, one reason a line
    Check,
    /// Be it: what `up` leaves running
    #[command(hide = true)]
    Hold,
}

/// How long starting may take; building is not in it.
const STARTED: Duration = Duration::from_secs(180);
/// How long ending may take.
const ENDED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Up => up(),
        What::Down => down(),
        What::Check => cluster::preflight::require(None),
        What::Measure { write, seconds } => {
            let length = Duration::from_secs(seconds);
            tokio::select! {
                measured = measure(length, write.as_deref()) => measured,
                // dropped on the way out: the cluster ends with it
                _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            }
        }
        What::Hold => hold().await,
    }
}

/// Where `up`, `down` and `hold` meet.
fn place() -> PathBuf {
    std::env::temp_dir().join("sluice-local-cluster")
}

/// The process that holds the cluster, if it runs.
fn holder() -> Option<u32> {
    let pid = fs::read_to_string(place().join("pid")).ok()?.parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "sluice-cluster").then_some(pid)
}

fn up() -> anyhow::Result<()> {
    let place = place();
    if holder().is_some() {
        println!("It runs already.");
        return say(&place);
    }
    cluster::preflight::require(None)?;
    // what an earlier one left
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let log = fs::File::create(place.join("log"))?;
    println!(
        "Starting etcd, API server, controller manager, scheduler, containerd, kubelet, kube-proxy and cluster DNS ..."
    );
    let own = std::env::current_exe()?;
    // a session of its own: it goes on when the terminal is closed
    let mut child = Command::new("setsid")
        .arg(own)
        .arg("hold")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot run setsid")?;
    let until = Instant::now() + STARTED;
    while !place.join("ready").exists() {
        if let Some(status) = child.try_wait()? {
            let said = fs::read_to_string(place.join("log")).unwrap_or_default();
            bail!("it ended with {status}:\n{said}");
        }
        ensure!(
            Instant::now() < until,
            "not ready after {STARTED:?}: see {}",
            place.join("log").display()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    say(&place)
}

fn say(place: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(place.join("ready")).context("it has not become ready yet")?;
    print!("{text}");
    Ok(())
}

fn down() -> anyhow::Result<()> {
    let Some(pid) = holder() else {
        println!("No cluster runs.");
        return Ok(());
    };
    println!("Ending the cluster (process {pid}) ...");
    let killed = Command::new("kill").arg(pid.to_string()).status()?;
    ensure!(killed.success(), "kill {pid} failed");
    let until = Instant::now() + ENDED;
    while holder().is_some() {
        ensure!(
            Instant::now() < until,
            "process {pid} still runs after {ENDED:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::remove_dir_all(place()).context("cannot remove its folder")?;
    println!("Ended: processes, mounts, networks, cgroups and files are gone.");
    Ok(())
}

async fn hold() -> anyhow::Result<()> {
    let place = place();
    fs::write(place.join("pid"), std::process::id().to_string())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Ctrl-C too, also where whoever started this has it ignored
    let mut interrupt = signal(SignalKind::interrupt())?;
    let start = async {
        let cluster = Cluster::start(ClusterOptions {
            // Sluice's own, when they are built: `sluice install` then finds them
            images: cluster::images("product").unwrap_or_default(),
            ..ClusterOptions::default()
        })
        .await?;
        fs::write(place.join("ready"), instructions(&cluster)?)?;
        Ok::<_, anyhow::Error>(cluster)
    };
    // told to end while it starts: what is there already ends with it
    let cluster = tokio::select! {
        cluster = start => cluster?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(cluster);
    Ok(())
}

/// How the page begins.
const HEAD: &str = "# Numbers on the real cluster\n\nWritten by `make bench-cluster WRITE=1` from one run; `make bench-cluster` measures again.";

async fn measure(length: Duration, write: Option<&Path>) -> anyhow::Result<()> {
    let report = Report {
        machine: machine::description(),
        sections: pods::measure(length).await?,
    };
    println!("{}", report.table());
    if let Some(file) = write {
        fs::write(file, report.page(HEAD))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn instructions(cluster: &Cluster) -> anyhow::Result<String> {
    let kubectl = cluster
        .kubectl_path()
        .parent()
        .context("kubectl lies in a folder")?;
    let own = std::env::current_exe()?;
    let own = own.parent().context("this program lies in a folder")?;
    Ok(format!(
        "Ready after {:.1} s. Logs, and everything else of it: {}\n\n\
         export KUBECONFIG={}\nexport PATH={}:{}:$PATH\n\n\
         Pods are reached through the API server (kubectl port-forward, exec), not from this machine's network.\n\
         Images it has: sluice.dev/{{webhook,controller,cli}} when `make images` was run, registry.test/shop/checkout:{{v1,v2,v2--errors-100}}; nothing is pulled.\n\
         `make cluster-down` ends it.\n",
        cluster.ready_after().as_secs_f32(),
        cluster.folder().display(),
        cluster.kubeconfig(User::Admin).display(),
        kubectl.display(),
        own.display(),
    ))
}
