//! What a test does to a cluster's parts: a component stopped and started, a daemon or a pod's program killed, the node rebooted.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use super::{
    Cluster, NETWORK,
    start::{boot, is_ready},
};
use crate::{
    User,
    plane::{Component, wait::wait_until_ready},
    process::Process,
};

const SWEEP: &str = concat!(include_str!("../../cluster/sweep.sh"), "sweep \"$0\"\n");

/// What a pod uses, as its cgroup accounts it.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Bytes, less file cache that is not in use: the working set that the kubelet goes by.
    pub memory: u64,
    /// Since the pod began.
    pub cpu: Duration,
}

impl Cluster {
    /// Kills a component of the control plane (SIGKILL: the API server would drain for a minute). It stays down until started.
    pub fn stop(&self, component: Component) {
        let ended = self
            .running()
            .as_mut()
            .and_then(|running| running.components.remove(&component));
        drop(ended);
    }

    /// Starts a component that was stopped, with the same command line; does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started, or the node is down.
    pub fn start_component(&self, component: Component) -> anyhow::Result<()> {
        self.stop(component);
        let launch = self.launches.components.get(&component);
        let process = Process::start(launch.context("every component has a command line")?)?;
        let mut running = self.running();
        let running = running.as_mut().context("the node is down")?;
        running.components.insert(component, process);
        Ok(())
    }

    /// Starts the API server after [`Cluster::stop`] and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_api_server(&self) -> anyhow::Result<()> {
        self.start_component(Component::ApiServer)?;
        wait_until_ready(&self.client(User::Admin).await?).await
    }

    /// Starts what has ended for want of an API server, as the node of a control plane would: controller manager and scheduler end when they cannot renew
    /// their leases.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_what_ended(&self) -> anyhow::Result<()> {
        for component in [Component::ControllerManager, Component::Scheduler] {
            let ended = self.running().as_ref().is_none_or(|running| {
                let process = running.components.get(&component);
                process.is_none_or(|process| process.status().is_some())
            });
            if ended {
                self.start_component(component)?;
            }
        }
        Ok(())
    }

    /// The node's power is cut and comes back: every process of the cluster is ended at once and started again on the same data. Returns when the
    /// API server is ready; the node may not be yet ([`Cluster::node_is_ready`]).
    ///
    /// # Errors
    /// When something does not come up again.
    pub async fn reboot(&self) -> anyhow::Result<()> {
        let running = self.running().take();
        drop(running);
        let folder = self.folder();
        let swept = Command::new("/bin/sh")
            .args(["-c", SWEEP])
            .arg(folder)
            .stdin(Stdio::null())
            .status()
            .context("cannot run /bin/sh")?;
        ensure!(swept.success(), "the cgroups cannot be swept: {swept}");
        let left: Vec<PathBuf> = self.cgroups()?;
        let left: Vec<_> = left.iter().filter(|group| group.exists()).collect();
        ensure!(left.is_empty(), "cgroups of before: {left:?}");
        // what tells how far a start has come
        for name in ["cgroups", "network", "serving", NETWORK] {
            fs::remove_file(folder.join(name)).with_context(|| format!("cannot remove {name}"))?;
        }
        let running = boot(folder, &self.launches).await?;
        *self.running() = Some(running);
        Ok(())
    }

    /// Waits until the node is Ready and cluster DNS available.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn node_is_ready(&self) -> anyhow::Result<()> {
        is_ready(&self.client(User::Admin).await?).await
    }

    /// The processes on the node that bear this name, by their numbers on this machine.
    ///
    /// # Errors
    /// When the node has no cgroups.
    pub fn processes(&self, name: &str) -> anyhow::Result<BTreeSet<u32>> {
        let mut found = BTreeSet::new();
        for cgroup in self.cgroups()? {
            visit(&cgroup, &mut |_, pid| {
                found.insert(pid);
            });
        }
        found.retain(|pid| is_named(*pid, name));
        Ok(found)
    }

    /// The processes of one pod that bear this name.
    ///
    /// # Errors
    /// When the node has no cgroups.
    pub fn processes_of(&self, pod_uid: &str, name: &str) -> anyhow::Result<BTreeSet<u32>> {
        let folder = format!("pod{pod_uid}");
        let mut found = BTreeSet::new();
        for cgroup in self.cgroups()? {
            visit(&cgroup, &mut |path, pid| {
                if path.components().any(|part| part.as_os_str() == &*folder) {
                    found.insert(pid);
                }
            });
        }
        found.retain(|pid| is_named(*pid, name));
        Ok(found)
    }

    /// What a pod uses now.
    ///
    /// # Errors
    /// When it has no cgroup, or one of another kind than v1 and v2.
    pub fn usage_of(&self, pod_uid: &str) -> anyhow::Result<Usage> {
        let folder = format!("pod{pod_uid}");
        let mut found = Vec::new();
        for cgroup in self.cgroups()? {
            named(&cgroup, &folder, &mut found);
        }
        let read = |file: &str| {
            found
                .iter()
                .find_map(|cgroup| fs::read_to_string(cgroup.join(file)).ok())
        };
        let (Some(charged), Some(stat)) = (
            read("memory.usage_in_bytes").or_else(|| read("memory.current")),
            read("memory.stat"),
        ) else {
            bail!("no memory is accounted to the pod {pod_uid}: {found:?}");
        };
        let unused = ["total_inactive_file", "inactive_file"]
            .iter()
            .find_map(|name| value(&stat, name))
            .context("memory.stat says nothing of inactive files")?;
        let cpu = match read("cpuacct.usage") {
            Some(nanoseconds) => Duration::from_nanos(nanoseconds.trim().parse()?),
            None => {
                let stat = read("cpu.stat").context("no processor time is accounted")?;
                Duration::from_micros(value(&stat, "usage_usec").context("no usage_usec")?)
            }
        };
        Ok(Usage {
            memory: charged.trim().parse::<u64>()?.saturating_sub(unused),
            cpu,
        })
    }

    /// Kills (SIGKILL) a daemon of the node: `kubelet`, `containerd`, `kube-proxy`. The node starts it again by itself; this returns when another
    /// process bears its name.
    ///
    /// # Errors
    /// When it does not run, or does not come back.
    pub async fn restart_daemon(&self, name: &str) -> anyhow::Result<()> {
        let before = self.processes(name)?;
        kill(&before)?;
        crate::plane::wait_for(name, || async {
            let now = self.processes(name)?;
            Ok((!now.is_empty() && now.is_disjoint(&before)).then_some(()))
        })
        .await
    }

    /// `kill -9` of the program of a pod, as the kernel's own would be.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_program(&self, pod_uid: &str, name: &str) -> anyhow::Result<()> {
        kill(&self.processes_of(pod_uid, name)?)
    }

    /// `kill -9` of every process on the node that bears this name.
    ///
    /// # Errors
    /// When none does.
    pub fn kill_all(&self, name: &str) -> anyhow::Result<()> {
        kill(&self.processes(name)?)
    }

    /// Another name for an image that the node has.
    ///
    /// # Errors
    /// When it has not, or the name is taken.
    pub fn tag_image(&self, image: &str, name: &str) -> anyhow::Result<()> {
        let containerd = self.processes("containerd")?;
        let pid = containerd.first().context("containerd does not run")?;
        let output = Command::new(&self.ctr)
            .arg("--address")
            .arg(format!("/proc/{pid}/root/run/containerd/containerd.sock"))
            .args(["--namespace", "k8s.io", "images", "tag", image, name])
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", self.ctr.display()))?;
        if !output.status.success() {
            bail!(
                "{image} cannot be named {name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }
}

fn kill(pids: &BTreeSet<u32>) -> anyhow::Result<()> {
    ensure!(!pids.is_empty(), "nothing of that name runs");
    let status = Command::new("kill")
        .arg("-9")
        .args(pids.iter().map(u32::to_string))
        .status()
        .context("cannot run kill")?;
    ensure!(status.success(), "kill -9 {pids:?} failed");
    Ok(())
}

/// As much of a program's name as the kernel keeps.
const KEPT: usize = 15;

fn is_named(pid: u32, name: &str) -> bool {
    let name = name.get(..KEPT).unwrap_or(name);
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
}

/// The value of `name` in a file of names and values.
fn value(text: &str, name: &str) -> Option<u64> {
    let mut values = text.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = values.find(|(key, _)| *key == name)?;
    value.trim().parse().ok()
}

/// Every cgroup of this name below.
fn named(cgroup: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name() == name {
                found.push(entry.path());
            }
            named(&entry.path(), name, found);
        }
    }
}

/// Every process in this cgroup and below, with the cgroup it is in.
fn visit(cgroup: &Path, each: &mut impl FnMut(&Path, u32)) {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    for pid in text.lines().filter_map(|pid| pid.parse().ok()) {
        each(cgroup, pid);
    }
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path(), each);
        }
    }
}
