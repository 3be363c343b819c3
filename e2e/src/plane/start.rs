//! From nothing to a ready plane: first the four processes, then what runs inside this one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use tokio::runtime::Runtime;

use super::access::Nodes;
use super::components::{Component, Layout, Place, Ports};
use super::folder::Folder;
use super::pki::{self, Pki};
use super::ports::Port;
use super::users::User;
use super::wait::{wait_for, wait_for_port, wait_until_ready};
use super::{PlaneOptions, access, client_from, kubeconfig_path};
use crate::dataplane::DataPlane;
use crate::node::{Kubelet, World};
use crate::process::{Launch, Process};
use crate::programs::Programs;

/// The four processes, ready, and what is needed to start one of them again.
pub(super) struct ControlPlane {
    pub(super) processes: BTreeMap<Component, Process>,
    pub(super) launches: BTreeMap<Component, Launch>,
    pub(super) ports: Ports,
    pub(super) claims: Vec<Port>,
}

/// How often a start is tried on other ports.
const TRIES: u32 = 5;

/// Starts the processes; when a stranger has taken one of the ports, again on others.
pub(super) async fn control_plane(
    folder: &Folder,
    pki: &Pki,
    programs: &Programs,
    options: &PlaneOptions,
) -> anyhow::Result<ControlPlane> {
    let mut attempt = 1;
    loop {
        let (ports, claims) = claim_ports()?;
        write_kubeconfigs(folder, pki, ports)?;
        let apiserver_arguments = &options.apiserver_arguments;
        let layout = Layout {
            folder: folder.path(),
            programs,
            pki,
            ports,
            place: &Place::Loopback,
            apiserver_arguments,
        };
        let launches: BTreeMap<_, _> = Component::ALL
            .into_iter()
            .map(|c| (c, layout.launch(c)))
            .collect();
        let error = match start_components(folder, &launches, ports).await {
            Ok(processes) => {
                return Ok(ControlPlane {
                    processes,
                    launches,
                    ports,
                    claims,
                });
            }
            Err(error) => error,
        };
        let says_so = |launch: &Launch| {
            std::fs::read_to_string(launch.log())
                .is_ok_and(|log| log.contains("address already in use"))
        };
        if attempt == TRIES || !launches.values().any(says_so) {
            return Err(error);
        }
        attempt += 1;
        for launch in launches.values() {
            // not every component came as far as having a log
            let _ = std::fs::remove_file(launch.log());
        }
        std::fs::remove_dir_all(folder.path().join("etcd"))?;
        std::fs::create_dir(folder.path().join("etcd"))?;
    }
}

pub(crate) fn claim_ports() -> anyhow::Result<(Ports, Vec<Port>)> {
    let mut claims = Vec::new();
    let mut claim = || -> anyhow::Result<u16> {
        let port = Port::claim()?;
        let number = port.number();
        claims.push(port);
        Ok(number)
    };
    let ports = Ports {
        etcd: claim()?,
        etcd_peer: claim()?,
        apiserver: claim()?,
        controller_manager: claim()?,
        scheduler: claim()?,
    };
    Ok((ports, claims))
}

pub(crate) fn write_kubeconfigs(folder: &Folder, pki: &Pki, ports: Ports) -> anyhow::Result<()> {
    let server = format!("https://127.0.0.1:{}", ports.apiserver);
    for user in User::ALL {
        pki::write(
            &kubeconfig_path(folder.path(), user),
            &pki.kubeconfig(user, &server).to_string(),
        )?;
    }
    Ok(())
}

async fn start_components(
    folder: &Folder,
    launches: &BTreeMap<Component, Launch>,
    ports: Ports,
) -> anyhow::Result<BTreeMap<Component, Process>> {
    let mut processes = BTreeMap::new();
    begin(Component::Etcd, launches, &mut processes)?;
    comes_up(
        &processes[&Component::Etcd],
        wait_for_port("etcd", ports.etcd),
    )
    .await?;
    begin(Component::ApiServer, launches, &mut processes)?;
    let admin = client_from(&kubeconfig_path(folder.path(), User::Admin)).await?;
    comes_up(&processes[&Component::ApiServer], wait_until_ready(&admin)).await?;
    // not earlier: both end themselves when their roles are not there yet
    for component in [Component::ControllerManager, Component::Scheduler] {
        begin(component, launches, &mut processes)?;
    }
    for component in [Component::ControllerManager, Component::Scheduler] {
        comes_up(
            &processes[&component],
            wait_for_port(component.name(), ports.of(component)),
        )
        .await?;
    }
    Ok(processes)
}

pub(crate) fn begin(
    component: Component,
    launches: &BTreeMap<Component, Launch>,
    processes: &mut BTreeMap<Component, Process>,
) -> anyhow::Result<()> {
    let launch = launches
        .get(&component)
        .context("every component has a command line")?;
    processes.insert(component, Process::start(launch)?);
    Ok(())
}

/// Awaits `up`, but not beyond the end of the process; errors carry the end of its log.
pub(crate) async fn comes_up(
    process: &Process,
    up: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let came = tokio::select! {
        status = process.ended() => Err(anyhow::anyhow!("it ended with {status}")),
        came = up => came,
    };
    // somebody else may listen on a port that the process did not get
    let came = match process.status() {
        Some(status) if came.is_ok() => bail!(
            "{} ended with {status}:\n{}",
            process.name(),
            process.log_tail(8)
        ),
        _ => came,
    };
    came.with_context(|| {
        format!(
            "{} does not come up:\n{}",
            process.name(),
            process.log_tail(8)
        )
    })
}

/// What runs inside this process: data plane, kubelet, nodes. Runs on the plane's runtime and leaves its tasks there.
pub(super) async fn populate(
    folder: PathBuf,
    world: World,
    nodes: usize,
) -> anyhow::Result<(DataPlane, Kubelet)> {
    let admin = client_from(&kubeconfig_path(&folder, User::Admin)).await?;
    access::bootstrap(&admin, Nodes::ByRole).await?;
    let kube_proxy = client_from(&kubeconfig_path(&folder, User::KubeProxy)).await?;
    let dataplane = DataPlane::start(kube_proxy, world.clone()).await?;
    let client = client_from(&kubeconfig_path(&folder, User::Kubelet)).await?;
    let pki = folder.join("pki");
    let kubelet = Kubelet::start(
        client,
        world,
        &pki.join("kubelet-server.crt"),
        &pki.join("kubelet-server.key"),
    )
    .await?;
    kubelet.register(nodes).await?;
    let accounts: Api<ServiceAccount> = Api::default_namespaced(admin);
    wait_for("the default ServiceAccount", || async {
        Ok(accounts.get_opt("default").await?)
    })
    .await?;
    Ok((dataplane, kubelet))
}

/// A runtime that may be dropped inside another one: its tasks are let go, not waited for.
#[derive(Debug)]
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn start() -> anyhow::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(2)
            .thread_name("plane")
            .enable_all()
            .build();
        Ok(Self(Some(
            runtime.context("cannot make the plane's runtime")?,
        )))
    }

    /// Runs the future there and awaits it here.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let runtime = self.0.as_ref().context("the plane is ending")?;
        runtime.spawn(future).await?
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
