//! Sluice on a plane, installed as a user installs it: `sluice install` out of the manifests, then its own programs as their own ServiceAccounts.
//!
//! The programs run as processes beside the plane (its nodes are fake and run no images), reach the API server with ServiceAccount tokens
//! and exactly the RBAC of the manifests, and the webhook is published by URL, as for any control plane outside the pod network.
//! They learn of the plane what any installation is told: a configuration file with a proxy for probes and a Prometheus.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::{
    fetch,
    plane::{self, Access, Output, Plane, ports::Port, users::User},
    process::{Launch, Process},
};

/// The namespace the manifests install into.
pub const NAMESPACE: &str = "sluice-system";
/// How long a program may take until it is ready.
const READY: Duration = Duration::from_secs(30);

/// How Sluice is put on a plane.
#[derive(Clone, Debug, Default)]
pub struct InstallOptions {
    /// The Prometheus that probes know as `main`.
    pub prometheus: Option<String>,
    /// Where the controller reaches the API server, when not directly.
    pub controller_server: Option<String>,
    /// The controller's `--lease-duration`, when not the shortest: renewals are requests too.
    pub lease: Option<String>,
    /// The folder from which the webhook takes policies beside those of the cluster.
    pub policies: Option<PathBuf>,
    /// The webhook may not list Secrets.
    pub without_secret_names: bool,
    /// The objects are there: only the programs are started.
    pub installed: bool,
    /// Further sections of the configuration file.
    pub more: Option<String>,
}

/// How long a dead leader is waited for: the shortest time the programs take.
const LEASE: &str = "2s";

/// The name of the webhook's first replica, as a pod would have it.
pub const FIRST_REPLICA: &str = "sluice-webhook-a";

/// A further replica of the webhook. Killed on drop, as by `kill -9`.
#[derive(Debug)]
pub struct Replica {
    _process: Mutex<Option<Process>>,
    _ports: [Port; 2],
}

/// Sluice's three programs on a plane. Everything started ends on drop.
#[derive(Debug)]
pub struct Installation {
    programs: PathBuf,
    webhook: Mutex<Option<Process>>,
    controller: Mutex<Option<Process>>,
    launches: [Launch; 2],
    /// The configuration without a policy folder.
    config: String,
    admin_ports: [u16; 2],
    // a program that is killed must find its port again
    _ports: [Port; 3],
}

impl Installation {
    /// Installs Sluice and starts webhook and controller; returns when both are ready and the webhook configurations are published.
    ///
    /// # Errors
    /// With the command's own words, or the end of a program's log.
    pub async fn install(plane: &Plane, prometheus: Option<&str>) -> anyhow::Result<Self> {
        let options = InstallOptions {
            prometheus: prometheus.map(str::to_owned),
            ..InstallOptions::default()
        };
        Self::install_with(plane, &options).await
    }

    /// As [`Installation::install`], with options.
    ///
    /// # Errors
    /// With the command's own words, or the end of a program's log.
    pub async fn install_with(plane: &Plane, options: &InstallOptions) -> anyhow::Result<Self> {
        let programs = own_programs()?;
        let ports = [Port::claim()?, Port::claim()?, Port::claim()?];
        let [webhook_port, webhook_admin, controller_admin] = ports.each_ref().map(Port::number);
        let config = plane.folder().join("sluice.yaml");
        let sources = options
            .prometheus
            .as_ref()
            .map(|url| format!("prometheus:\n  main: {{url: \"{url}\"}}\n"))
            .unwrap_or_default();
        let folder = policies(options.policies.as_deref())?;
        let text = format!(
            "{sources}{}probes:\n  httpProxy: \"{}\"\nwebhook:\n  url: \"https://127.0.0.1:{webhook_port}\"\n",
            options.more.as_deref().unwrap_or_default(),
            plane.proxy_url()
        );
        std::fs::write(&config, format!("{text}{folder}"))
            .context("cannot write the configuration file")?;
        let mut install = vec!["install", "--without-workloads", "--config", path(&config)?];
        if options.without_secret_names {
            install.push("--without-secret-names");
        }
        if !options.installed {
            run(plane, User::Admin, &programs, &install).await?.ok()?;
        }

        let mut launches = Vec::new();
        for (name, account, admin) in [
            ("sluice-webhook", "sluice-webhook", webhook_admin),
            ("sluice-controller", "sluice-controller", controller_admin),
        ] {
            let kubeconfig = match &options.controller_server {
                Some(server) if name == "sluice-controller" => {
                    plane
                        .service_account_kubeconfig_at(NAMESPACE, account, server)
                        .await?
                }
                _ => plane.service_account_kubeconfig(NAMESPACE, account).await?,
            };
            let mut launch = Launch::new(name, &programs.join(name), &plane.log(name))
                .args([
                    "--kubeconfig",
                    path(&kubeconfig)?,
                    "--config",
                    path(&config)?,
                ])
                .args([
                    "--admin-addr",
                    &format!("127.0.0.1:{admin}"),
                    "--log-format",
                    "text",
                ]);
            launch = if name == "sluice-webhook" {
                launch
                    .args(["--listen", &format!("127.0.0.1:{webhook_port}")])
                    .env("POD_NAME", FIRST_REPLICA)
            } else {
                launch.args([
                    "--lease-duration",
                    options.lease.as_deref().unwrap_or(LEASE),
                ])
            };
            launches.push(launch);
        }
        let launches: [Launch; 2] = launches
            .try_into()
            .map_err(|_| anyhow::anyhow!("two programs, two launches"))?;
        let installation = Self {
            programs,
            webhook: Mutex::new(None),
            controller: Mutex::new(None),
            launches,
            config: text,
            admin_ports: [webhook_admin, controller_admin],
            _ports: ports,
        };
        // the controller first: as leader it makes the certificate that the webhook waits for
        installation.start_controller()?;
        installation.start_webhook().await?;
        installation.controller_ready().await?;
        published(plane).await.with_context(|| {
            lock(&installation.controller)
                .as_ref()
                .map(|process| process.log_tail(30))
                .unwrap_or_default()
        })?;
        Ok(installation)
    }

    /// Starts the webhook and waits until it is ready.
    ///
    /// # Errors
    /// With the end of its log.
    pub async fn start_webhook(&self) -> anyhow::Result<()> {
        *lock(&self.webhook) = Some(Process::start(&self.launches[0])?);
        self.ready(&self.webhook, self.admin_ports[0]).await
    }

    /// Starts a further replica of the webhook, which the API server does not know of, with a policy folder of its own.
    ///
    /// # Errors
    /// With the end of its log.
    pub async fn another_webhook(
        &self,
        plane: &Plane,
        name: &str,
        policies: &Path,
    ) -> anyhow::Result<Replica> {
        let ports = [Port::claim()?, Port::claim()?];
        let [listen, admin] = ports.each_ref().map(Port::number);
        let config = plane.folder().join(format!("{name}.yaml"));
        let folder = self::policies(Some(policies))?;
        std::fs::write(&config, format!("{}{folder}", self.config))
            .context("cannot write the configuration file")?;
        let kubeconfig = plane
            .service_account_kubeconfig(NAMESPACE, "sluice-webhook")
            .await?;
        let launch = Launch::new(
            name,
            &self.programs.join("sluice-webhook"),
            &plane.log(name),
        )
        .args([
            "--kubeconfig",
            path(&kubeconfig)?,
            "--config",
            path(&config)?,
        ])
        .args(["--admin-addr", &format!("127.0.0.1:{admin}")])
        .args(["--listen", &format!("127.0.0.1:{listen}")])
        .args(["--log-format", "text"])
        .env("POD_NAME", name);
        let process = Mutex::new(Some(Process::start(&launch)?));
        self.ready(&process, admin).await?;
        Ok(Replica {
            _process: process,
            _ports: ports,
        })
    }

    /// Starts the controller; it is ready when it leads or waits to lead.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_controller(&self) -> anyhow::Result<()> {
        *lock(&self.controller) = Some(Process::start(&self.launches[1])?);
        Ok(())
    }

    /// Waits until the controller is ready.
    ///
    /// # Errors
    /// With the end of its log.
    pub async fn controller_ready(&self) -> anyhow::Result<()> {
        self.ready(&self.controller, self.admin_ports[1]).await
    }

    /// `kill -9` of the webhook.
    pub fn kill_webhook(&self) {
        lock(&self.webhook).take();
    }

    /// `kill -9` of the controller.
    pub fn kill_controller(&self) {
        lock(&self.controller).take();
    }

    /// The controller's process id, while it runs.
    pub fn controller_pid(&self) -> Option<u32> {
        lock(&self.controller).as_ref().map(Process::pid)
    }

    /// The webhook's process id, while it runs.
    pub fn webhook_pid(&self) -> Option<u32> {
        lock(&self.webhook).as_ref().map(Process::pid)
    }

    /// The metrics page of the controller.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn controller_metrics(&self) -> anyhow::Result<String> {
        metrics(self.admin_ports[1]).await
    }

    /// The metrics page of the webhook.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn webhook_metrics(&self) -> anyhow::Result<String> {
        metrics(self.admin_ports[0]).await
    }

    /// What the webhook judges by, as it says itself.
    ///
    /// # Errors
    /// When it does not answer, or not in JSON.
    pub async fn webhook_policies(&self) -> anyhow::Result<serde_json::Value> {
        let address = ([127, 0, 0, 1], self.admin_ports[0]).into();
        let page = fetch::direct(address, "/policies").await?.text();
        serde_json::from_str(&page).with_context(|| page)
    }

    /// Runs the `sluice` command as `user`.
    ///
    /// # Errors
    /// When it cannot be started; a refusal is an [`Output`].
    pub async fn sluice(
        &self,
        plane: &Plane,
        user: User,
        arguments: &[&str],
    ) -> anyhow::Result<Output> {
        run(plane, user, &self.programs, arguments).await
    }

    /// The folder of Sluice's programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The `sluice` program.
    pub fn sluice_path(&self) -> PathBuf {
        self.programs.join("sluice")
    }

    async fn ready(&self, process: &Mutex<Option<Process>>, port: u16) -> anyhow::Result<()> {
        let until = Instant::now() + READY;
        loop {
            if let Ok(answer) = fetch::direct(([127, 0, 0, 1], port).into(), "/readyz").await
                && answer.code == 200
            {
                return Ok(());
            }
            {
                let process = lock(process);
                let process = process.as_ref().context("it was not started")?;
                if let Some(status) = process.status() {
                    bail!(
                        "{} ended with {status}:\n{}",
                        process.name(),
                        process.log_tail(30)
                    );
                }
                if Instant::now() > until {
                    bail!(
                        "{} is not ready after {READY:?}:\n{}",
                        process.name(),
                        process.log_tail(30)
                    );
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits until the leader has put the webhooks into force.
///
/// # Errors
/// When it does not in time.
async fn published(access: &Access) -> anyhow::Result<()> {
    let until = Instant::now() + READY;
    loop {
        let found = access
            .kubectl(
                User::Admin,
                [
                    "get",
                    "mutatingwebhookconfigurations,validatingwebhookconfigurations",
                    "-l",
                    "app.kubernetes.io/part-of=sluice",
                    "-o",
                    "name",
                ],
                None,
            )
            .await?
            .ok()?;
        if found.lines().count() >= 3 {
            return Ok(());
        }
        if Instant::now() > until {
            bail!(
                "the webhook configurations are not published after {READY:?}; there are: {found}"
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The part of the configuration about policies. Peaks are asked for often: nobody waits five minutes here.
fn policies(folder: Option<&Path>) -> anyhow::Result<String> {
    let folder = match folder {
        Some(folder) => format!("\n  folder: \"{}\"", path(folder)?),
        None => String::new(),
    };
    Ok(format!(
        "policies:\n  observedPeaks: {{interval: 1s, window: 10m}}{folder}\n"
    ))
}

async fn metrics(port: u16) -> anyhow::Result<String> {
    Ok(fetch::direct(([127, 0, 0, 1], port).into(), "/metrics")
        .await?
        .text())
}

async fn run(
    plane: &Plane,
    user: User,
    programs: &Path,
    arguments: &[&str],
) -> anyhow::Result<Output> {
    let mut command = Command::new(programs.join("sluice"));
    command
        .args(arguments)
        .env("KUBECONFIG", plane.kubeconfig(user))
        .kill_on_drop(true);
    plane::run(command, None).await
}

/// The folder of Sluice's programs: where the running test or demo was built to.
///
/// # Errors
/// When they are not built.
pub fn own_programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = own
        .ancestors()
        .skip(1)
        .find(|folder| {
            folder.join("sluice-webhook").is_file() && folder.join("sluice-controller").is_file()
        })
        .context("sluice-webhook and sluice-controller are not built: run `make build`")?;
    Ok(folder.to_owned())
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

fn lock(process: &Mutex<Option<Process>>) -> MutexGuard<'_, Option<Process>> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}
