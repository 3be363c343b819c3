//! What of this machine a node could change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use sluice_e2e::programs::NodePrograms;

/// What of this machine a node could change or leave behind, beside its processes, cgroups and ports.
#[derive(Debug, PartialEq)]
pub struct Traces {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    routes: BTreeSet<String>,
    rules: String,
    settings: BTreeMap<PathBuf, String>,
    folders: BTreeSet<PathBuf>,
}

/// Settings of the kernel that parts of a node write: below these folders, and these.
const SETTINGS: [&str; 9] = [
    "net/ipv4",
    "net/ipv6",
    "net/netfilter",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];
/// One that nobody sets: it counts.
const COUNTS: &str = "nf_conntrack_count";

impl Traces {
    pub fn read() -> anyhow::Result<Self> {
        // the number in front and the parent's change with every mount in between
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let mounts = mounts
            .lines()
            .filter_map(|line| line.splitn(3, ' ').nth(2).map(str::to_owned))
            .collect();
        let interfaces = fs::read_dir("/sys/class/net")?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<anyhow::Result<_>>()?;
        let mut routes = BTreeSet::new();
        for family in ["-4", "-6"] {
            let said = said_by("ip", &[family, "route", "show", "table", "all"])?;
            routes.extend(said.lines().map(str::to_owned));
            routes.extend(said_by("ip", &[family, "rule"])?.lines().map(str::to_owned));
        }
        let nft = NodePrograms::ready()?.debian.join("nft");
        let nft = nft.to_str().context("a path in UTF-8")?;
        let mut settings = BTreeMap::new();
        let mut paths: Vec<PathBuf> = SETTINGS
            .map(|name| Path::new("/proc/sys").join(name))
            .to_vec();
        while let Some(path) = paths.pop() {
            if path.is_dir() {
                paths.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
            } else if !path.ends_with(COUNTS)
                // some can only be written to, some are for other owners of the namespace
                && let Ok(value) = fs::read_to_string(&path)
            {
                settings.insert(path, value);
            }
        }
        ensure!(settings.len() > 100, "{} settings", settings.len());
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
            routes,
            rules: said_by(nft, &["list", "ruleset"])?,
            settings,
            folders: folders.collect(),
        })
    }
}

pub fn said_by(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The sockets of this machine's own network that wait for connections: inode, address and port as the kernel writes them.
pub fn listening() -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(file)?.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, _, "0A", _, _, _, _, _, inode, ..] = words[..] {
                found.push((inode.to_owned(), local.to_owned()));
            }
        }
    }
    Ok(found)
}

/// As the kernel writes 127.0.0.1 and this port.
pub fn loopback(port: u16) -> String {
    format!("0100007F:{port:04X}")
}

/// The sockets on this machine's own network at which these processes wait for connections.
pub fn ports_of(pids: &BTreeSet<u32>) -> anyhow::Result<BTreeSet<String>> {
    let mut held = BTreeSet::new();
    for pid in pids {
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(target) = fs::read_link(entry.path()) else {
                continue;
            };
            let target = target.to_string_lossy().into_owned();
            held.extend(
                target
                    .strip_prefix("socket:[")
                    .and_then(|rest| rest.strip_suffix(']'))
                    .map(str::to_owned),
            );
        }
    }
    let ours = listening()?
        .into_iter()
        .filter(|(inode, _)| held.contains(inode));
    Ok(ours.map(|(_, local)| local).collect())
}
