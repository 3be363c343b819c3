//! One control plane: started, used, ended.
//!
//! Ready means: the API server says so, the controller manager has made the default ServiceAccount, the scheduler
//! listens, every fake node is Ready and the data plane has seen all Services. Everything that answers for the plane
//! inside this process (fake kubelet, data plane) runs on a runtime of the plane's own, so that a plane may be shared by
//! tests of which each has a runtime; clients are made for the caller's runtime.

pub(crate) mod access;
pub(crate) mod components;
pub(crate) mod folder;
pub(crate) mod keep;
mod kubectl;
pub(crate) mod pki;
pub(crate) mod ports;
pub(crate) mod start;
pub mod users;
pub(crate) mod wait;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kube::Client;

pub use access::Access;
pub use components::Component;
use components::Ports;
use folder::Folder;
use keep::Evidence;
pub(crate) use kubectl::command as kubectl_command;
pub use kubectl::{Output, run};
use pki::Pki;
use ports::Port;
use start::OwnRuntime;
use users::User;
pub use wait::wait_for;
use wait::{wait_for_port, wait_until_ready};

use crate::dataplane::DataPlane;
use crate::node::{Kubelet, World};
use crate::process::{Launch, Process};
use crate::programs::Programs;
use crate::prometheus::Prometheus;

/// How a plane is made; `PlaneOptions::default()` is 12 nodes and nothing special.
#[derive(Clone, Debug)]
pub struct PlaneOptions {
    pub nodes: usize,
    /// Appended to the API server's command line.
    pub apiserver_arguments: Vec<String>,
    /// Rules of the audit policy that come before the last one, which logs the metadata of everything.
    pub audit_rules: Vec<serde_json::Value>,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        Self {
            nodes: 12,
            apiserver_arguments: Vec::new(),
            audit_rules: Vec::new(),
        }
    }
}

/// A running control plane. Everything of it ends on drop; its folder is kept when a test panicked.
#[derive(Debug)]
pub struct Plane {
    // fields are dropped in this order: our own tasks first, the folder, into which the processes write, last
    runtime: OwnRuntime,
    world: World,
    dataplane: DataPlane,
    kubelet: Kubelet,
    processes: Mutex<BTreeMap<Component, Process>>,
    launches: BTreeMap<Component, Launch>,
    prometheus: tokio::sync::OnceCell<Prometheus>,
    ports: Ports,
    _claims: Vec<Port>,
    ready_after: Duration,
    access: Access,
}

impl Plane {
    /// Builds the programs if needed, starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When something does not start; the message carries the end of the logs, and the folder is kept.
    pub async fn start(options: PlaneOptions) -> anyhow::Result<Self> {
        let programs = tokio::task::spawn_blocking(Programs::ready).await??;
        let began = Instant::now();
        let folder = Folder::create("sluice-plane", folder::KEEPER)?;
        if std::env::var_os("SLUICE_KEEP").is_some() {
            Folder::keep(folder.path());
        }
        let pki = Pki::create(&folder.path().join("pki"), &[])?;
        components::write_audit_policy(folder.path(), &options.audit_rules)?;
        let evidence = Arc::new(Evidence::new(folder.path(), &programs.kubectl));
        let failed = |error: anyhow::Error| {
            evidence.take("it did not become ready");
            error.context(format!(
                "no control plane; logs in {}",
                folder.path().display()
            ))
        };
        let control = start::control_plane(&folder, &pki, &programs, &options)
            .await
            .map_err(failed)?;
        crate::rights::keep_log(&folder.path().join("log/audit.json"))?;
        let runtime = OwnRuntime::start()?;
        let world = World::default();
        let cluster = start::populate(folder.path().to_owned(), world.clone(), options.nodes);
        let (dataplane, kubelet) = runtime.run(cluster).await.map_err(failed)?;
        keep::watch(Arc::downgrade(&evidence));
        let ready_after = began.elapsed();
        eprintln!(
            "plane ready after {:.1} s: {}",
            ready_after.as_secs_f32(),
            folder.path().display()
        );
        Ok(Self {
            runtime,
            world,
            dataplane,
            kubelet,
            processes: Mutex::new(control.processes),
            launches: control.launches,
            prometheus: tokio::sync::OnceCell::new(),
            access: Access::new(
                folder,
                pki,
                &programs.kubectl,
                control.ports.apiserver,
                evidence,
            ),
            ports: control.ports,
            _claims: control.claims,
            ready_after,
        })
    }

    /// From the first process started to ready; building the programs is not in it.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The switches of the fake nodes and pods.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How pods and Services are reached over HTTP.
    pub fn dataplane(&self) -> &DataPlane {
        &self.dataplane
    }

    /// Registers further nodes; returns their names.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn register_nodes(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let kubelet = self.kubelet.clone();
        self.runtime
            .run(async move { kubelet.register(count).await })
            .await
    }

    /// The forward proxy to set in a prober: `http://127.0.0.1:PORT`.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.dataplane.proxy())
    }

    /// The real Prometheus, scraping every pod once a second; started with the first call.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub async fn prometheus(&self) -> anyhow::Result<&Prometheus> {
        let start = || Prometheus::start(self.folder(), self.dataplane.federate());
        self.prometheus.get_or_try_init(start).await
    }

    /// Kills a component (SIGKILL: the API server would drain for a minute). It stays down until started.
    pub fn stop(&self, component: Component) {
        self.processes().remove(&component);
    }

    /// Starts a component that was stopped, or has died, with the same command line; does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_component(&self, component: Component) -> anyhow::Result<()> {
        let mut processes = self.processes();
        processes.remove(&component);
        let launch = self
            .launches
            .get(&component)
            .context("every component has a command line")?;
        processes.insert(component, Process::start(launch)?);
        Ok(())
    }

    /// Kills and starts a component and waits until it listens again; the API server until it is ready.
    ///
    /// # Errors
    /// When it does not come back within 30 s.
    pub async fn restart(&self, component: Component) -> anyhow::Result<()> {
        self.stop(component);
        self.start_component(component)?;
        wait_for_port(component.name(), self.ports.of(component)).await?;
        match component {
            // listening is not enough: until its caches are filled it forbids everything, and the controller manager
            // ends itself on that
            Component::ApiServer => wait_until_ready(&self.client(User::Admin).await?).await,
            _ => self.with_process(component, |process| match process.status() {
                Some(status) => bail!(
                    "{} ended with {status}:\n{}",
                    process.name(),
                    process.log_tail(8)
                ),
                None => Ok(()),
            }),
        }
    }

    /// Kills and starts the controller manager.
    ///
    /// # Errors
    /// As [`Plane::restart`].
    pub async fn restart_controller_manager(&self) -> anyhow::Result<()> {
        self.restart(Component::ControllerManager).await
    }

    /// Stops a component from running without ending it (SIGSTOP): connections hang.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause(&self, component: Component) -> anyhow::Result<()> {
        self.with_process(component, Process::pause)
    }

    /// Lets a paused component run on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self, component: Component) -> anyhow::Result<()> {
        self.with_process(component, Process::resume)
    }

    /// The process ids of everything that runs for this plane.
    pub fn pids(&self) -> Vec<u32> {
        let components = self
            .processes()
            .values()
            .map(Process::pid)
            .collect::<Vec<_>>();
        components
            .into_iter()
            .chain(self.prometheus.get().map(Prometheus::pid))
            .collect()
    }

    fn with_process(
        &self,
        component: Component,
        act: impl Fn(&Process) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self.processes().get(&component) {
            Some(process) => act(process),
            None => bail!("{} is not running", component.name()),
        }
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<Component, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Plane {
    type Target = Access;

    /// A plane is, before all else, an API server and its users.
    fn deref(&self) -> &Access {
        &self.access
    }
}

pub(crate) fn kubeconfig_path(folder: &Path, user: User) -> PathBuf {
    folder.join("kubeconfig").join(user.file())
}

pub(crate) async fn client_from(kubeconfig: &Path) -> anyhow::Result<Client> {
    let file = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config =
        kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
            .await?;
    Ok(Client::try_from(config)?)
}
