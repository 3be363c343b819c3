//! From nothing to a ready cluster: the node's namespaces, the control plane inside them, then what runs on the node.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::symlink,
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::Context;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, ServiceAccount},
};
use kube::{Api, Client};

use super::{Cluster, ClusterOptions, Launches, NETWORK, Running, images, preflight, settings};
use crate::{
    User,
    plane::{
        self, Access, Component,
        access::{self, Nodes},
        client_from,
        components::{Layout, Place},
        folder::Folder,
        keep::{self, Evidence},
        kubeconfig_path,
        pki::Pki,
        start::{begin, claim_ports, comes_up, write_kubeconfigs},
        wait::wait_until_ready,
        wait_for,
    },
    process::{Launch, Process},
    programs::{NodePrograms, Programs, own},
};

const KEEPER: &str = concat!(
    include_str!("../../cluster/sweep.sh"),
    include_str!("../../cluster/keeper.sh")
);
/// The node's address inside its network namespace; `node.sh` and `kubelet.yaml` know it too.
pub(super) const ADDRESS: &str = "10.99.0.1";

impl Cluster {
    /// Builds the programs if needed, starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When this machine cannot run a node, with the reasons; when something does not start, with the end of its log, and the folder is kept.
    pub async fn start(options: ClusterOptions) -> anyhow::Result<Self> {
        preflight::require(None)?;
        let built = || Ok::<_, anyhow::Error>((Programs::ready()?, NodePrograms::ready()?));
        let (programs, node_programs) = tokio::task::spawn_blocking(built).await??;
        preflight::require(Some(&node_programs.debian.join("nft")))?;

        let began = Instant::now();
        let folder = Folder::create("sluice-cluster", KEEPER)?;
        if std::env::var_os("SLUICE_KEEP").is_some() {
            Folder::keep(folder.path());
        }
        let evidence = Arc::new(Evidence::new(folder.path(), &programs.kubectl));
        let started = started(&folder, &programs, &node_programs, &options).await;
        let (running, launches, claims, pki, port) = started.map_err(|error| {
            evidence.take("it did not become ready");
            error.context(format!("no cluster; logs in {}", folder.path().display()))
        })?;
        crate::rights::keep_log(&folder.path().join("log/audit.json"))?;
        keep::watch(Arc::downgrade(&evidence));
        let ready_after = began.elapsed();
        eprintln!(
            "cluster ready after {:.1} s: {}",
            ready_after.as_secs_f32(),
            folder.path().display()
        );
        Ok(Self {
            running: Mutex::new(Some(running)),
            launches,
            ctr: node_programs.containerd.with_file_name("ctr"),
            _claims: claims,
            ready_after,
            access: Access::new(folder, pki, &programs.kubectl, port, evidence),
        })
    }
}

type Started = (Running, Launches, Vec<plane::ports::Port>, Pki, u16);

async fn started(
    folder: &Folder,
    programs: &Programs,
    node_programs: &NodePrograms,
    options: &ClusterOptions,
) -> anyhow::Result<Started> {
    let path = folder.path();
    let pki = Pki::create(&path.join("pki"), &[ADDRESS])?;
    pki.client(User::Kubelet, "system:node:node")?;
    plane::components::write_audit_policy(path, &options.audit_rules)?;
    let (ports, claims) = claim_ports()?;
    write_kubeconfigs(folder, &pki, ports)?;
    let mut archives = images("test")?;
    archives.extend_from_slice(&options.images);
    settings::write(path, node_programs, &archives)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.apiserver))
        .with_context(|| format!("port {} on loopback", ports.apiserver))?;

    let place = Place::Node {
        network: path.join(NETWORK),
        address: ADDRESS,
    };
    let layout = Layout {
        folder: path,
        programs,
        pki: &pki,
        ports,
        place: &place,
        apiserver_arguments: &options.apiserver_arguments,
    };
    let relay = Launch::new(
        "relay",
        &own("sluice-e2e-relay")?,
        &path.join("log/relay.log"),
    )
    .arg(format!("127.0.0.1:{}", ports.apiserver))
    .listener(Arc::new(listener))
    .under(
        "nsenter",
        [
            format!("--net={}", path.join(NETWORK).display()),
            "--".to_owned(),
        ],
    );
    let launches = Launches {
        node: node_launch(path, programs, node_programs)?,
        relay,
        components: Component::ALL
            .into_iter()
            .map(|component| (component, layout.launch(component)))
            .collect(),
    };
    let running = boot(path, &launches).await?;

    let admin = client_from(&kubeconfig_path(path, User::Admin)).await?;
    access::bootstrap(&admin, Nodes::ByAuthorizer).await?;
    let mut apply =
        plane::kubectl_command(&programs.kubectl, path, &kubeconfig_path(path, User::Admin));
    apply.args(["apply", "-f", "-"]);
    plane::run(apply, Some(settings::DNS)).await?.ok()?;
    comes_up(&running.node, is_ready(&admin)).await?;
    Ok((running, launches, claims, pki, ports.apiserver))
}

/// Starts everything on what the folder holds, until the API server is ready and the node may register.
pub(super) async fn boot(folder: &Path, launches: &Launches) -> anyhow::Result<Running> {
    let node = Process::start(&launches.node)?;
    comes_up(&node, file_exists(&folder.join("network"))).await?;
    // the process that made the namespaces is in its network namespace itself; only the others begin with its child
    symlink(format!("/proc/{}/ns/net", node.pid()), folder.join(NETWORK))
        .context("cannot name the network namespace")?;
    let mut components = BTreeMap::new();
    begin(Component::Etcd, &launches.components, &mut components)?;
    begin(Component::ApiServer, &launches.components, &mut components)?;
    let relay = Process::start(&launches.relay)?;
    let admin = client_from(&kubeconfig_path(folder, User::Admin)).await?;
    comes_up(&components[&Component::ApiServer], wait_until_ready(&admin)).await?;

    std::fs::write(folder.join("serving"), "").context("cannot tell the node to go on")?;
    // not earlier: both end themselves when their roles are not there yet
    for component in [Component::ControllerManager, Component::Scheduler] {
        begin(component, &launches.components, &mut components)?;
    }
    Ok(Running {
        components,
        relay,
        node,
    })
}

fn node_launch(
    folder: &Path,
    programs: &Programs,
    node_programs: &NodePrograms,
) -> anyhow::Result<Launch> {
    let mut search: Vec<_> = node_programs.folders().map(Path::to_owned).collect();
    search.extend(programs.kubectl.parent().map(Path::to_owned));
    let outside: OsString = std::env::var_os("PATH").unwrap_or_default();
    search.extend(std::env::split_paths(&outside));
    let search =
        std::env::join_paths(search).context("a folder of programs has a colon in its name")?;
    let log = folder.join("log/node.log");
    Ok(Launch::new("node", &preflight::recipe("enter.sh"), &log)
        .arg(folder)
        .arg(preflight::recipe("node.sh"))
        .arg(folder)
        .env("PATH", search))
}

async fn file_exists(path: &Path) -> anyhow::Result<()> {
    let what = path.display().to_string();
    wait_for(&what, || async { Ok(path.exists().then_some(())) }).await
}

/// Waits for the node, cluster DNS and the default ServiceAccount.
pub(super) async fn is_ready(admin: &Client) -> anyhow::Result<()> {
    let nodes: Api<Node> = Api::all(admin.clone());
    wait_for("the node is Ready", || async {
        let node = nodes.get_opt("node").await?;
        let conditions = node
            .and_then(|node| node.status?.conditions)
            .unwrap_or_default();
        let ready = |c: &k8s_openapi::api::core::v1::NodeCondition| {
            c.type_ == "Ready" && c.status == "True"
        };
        Ok(conditions.iter().any(ready).then_some(()))
    })
    .await?;
    let deployments: Api<Deployment> = Api::namespaced(admin.clone(), "kube-system");
    wait_for("cluster DNS is available", || async {
        let dns = deployments.get_opt("coredns").await?;
        let available = dns.and_then(|dns| dns.status?.available_replicas);
        Ok(available.filter(|available| *available > 0))
    })
    .await?;
    let accounts: Api<ServiceAccount> = Api::default_namespaced(admin.clone());
    wait_for("the default ServiceAccount", || async {
        Ok(accounts.get_opt("default").await?)
    })
    .await?;
    Ok(())
}
