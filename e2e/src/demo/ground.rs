//! Where the story is played, and what of it depends on that: on a real cluster Sluice runs in its pods and the application is asked over HTTP to
//! misbehave; on the plane with fake nodes its programs run beside the control plane and an annotation changes how a fake pod behaves.

use std::{
    ops::Deref,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::stage::{Expect::Success, Stage};
use crate::{
    Cluster, ClusterOptions, Plane, PlaneOptions, User,
    cluster::{self, prometheus::NodePrometheus},
    dataplane::Traffic,
    installation::Installation,
    plane::Access,
};

/// What kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Place {
    /// A real node: containers, Services, DNS. Root.
    Cluster,
    /// A control plane with fake nodes.
    Plane,
}

/// The place itself.
pub enum Ground {
    /// A real cluster.
    Cluster {
        /// It.
        cluster: Box<Cluster>,
        /// Once Sluice is there.
        prometheus: Option<NodePrometheus>,
    },
    /// The plane with fake nodes.
    Plane {
        /// It.
        plane: Box<Plane>,
        /// Sluice's programs beside it.
        sluice: Option<Box<Installation>>,
        /// Whoever calls Services on it.
        traffic: Vec<Traffic>,
    },
}

/// Who else in the story is the test application.
const OTHERS: [&str; 2] = ["payments:v1", "users:v1"];
/// How long the kubelet may take to start a program again.
const BACK: Duration = Duration::from_secs(30);
/// How long Sluice's programs may take to go.
const GONE: Duration = Duration::from_secs(60);

impl Ground {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(place: Place) -> anyhow::Result<Self> {
        match place {
            Place::Plane => Ok(Self::Plane {
                plane: Box::new(Plane::start(PlaneOptions::default()).await?),
                sluice: None,
                traffic: Vec::new(),
            }),
            Place::Cluster => {
                let cluster = Cluster::start(ClusterOptions {
                    images: cluster::images("product")?,
                    ..ClusterOptions::default()
                })
                .await?;
                let image = |name: &str| format!("registry.test/shop/{name}");
                for name in OTHERS {
                    cluster.tag_image(&image("checkout:v1"), &image(name))?;
                }
                Ok(Self::Cluster {
                    cluster: Box::new(cluster),
                    prometheus: None,
                })
            }
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => {
                "a real cluster: kubelet, containerd, Services and DNS; Sluice runs in pods of its own images"
            }
            Self::Plane { .. } => {
                "a real control plane with 12 fake nodes; Sluice's programs run beside it"
            }
        }
    }
}

impl Deref for Ground {
    type Target = Access;

    fn deref(&self) -> &Access {
        match self {
            Self::Cluster { cluster, .. } => cluster,
            Self::Plane { plane, .. } => plane,
        }
    }
}

impl Stage {
    /// Sluice is installed as a user does it.
    pub(super) async fn install(&mut self) -> anyhow::Result<()> {
        match &mut self.ground {
            Ground::Plane { plane, sluice, .. } => {
                let prometheus = plane.prometheus().await?.url();
                let installed = Installation::install(plane, Some(&prometheus)).await?;
                *sluice = Some(Box::new(installed));
                self.say(
                    "$ sluice install; then its two programs start, and the leader publishes the webhooks last",
                );
                Ok(())
            }
            Ground::Cluster {
                cluster,
                prometheus,
            } => {
                if prometheus.is_none() {
                    *prometheus = Some(NodePrometheus::start(cluster, "shop").await?);
                }
                let config = cluster.folder().join("sluice.yaml");
                let text = format!(
                    "prometheus:\n  main: {{url: \"{}\"}}\n",
                    NodePrometheus::url()
                );
                std::fs::write(&config, text)?;
                let line = format!("install --config {}", config.display());
                self.sluice(&line, Success, &["Sluice is installed"])
                    .await?;
                Ok(())
            }
        }
    }

    /// Users start to call a Service, until the end of the story.
    pub(super) async fn users_call(
        &mut self,
        namespace: &str,
        service: &str,
    ) -> anyhow::Result<()> {
        const PER_SECOND: u32 = 20;
        match &mut self.ground {
            Ground::Plane { plane, traffic, .. } => {
                let calls =
                    plane
                        .dataplane()
                        .traffic(namespace, service, "/", f64::from(PER_SECOND));
                traffic.push(calls);
                Ok(())
            }
            Ground::Cluster { .. } => {
                let line = format!(
                    "-n {namespace} run users --image=registry.test/shop/users:v1 -- get http://{service}/ 1000000 --pause-millis {}",
                    1000 / PER_SECOND
                );
                self.kubectl(&line, Success, &["created"]).await?;
                Ok(())
            }
        }
    }

    /// The pods of an application start to answer errors, or stop to.
    pub(super) async fn answers_errors(
        &self,
        namespace: &str,
        app: &str,
        errors: bool,
    ) -> anyhow::Result<()> {
        if let Ground::Plane { .. } = self.ground {
            let behaviour = if errors {
                "=errors-100 --overwrite"
            } else {
                "-"
            };
            let line = format!(
                "-n {namespace} annotate pods -l app={app} fake.sluice.test/behaviour{behaviour}"
            );
            self.kubectl(&line, Success, &["annotate"]).await?;
            return Ok(());
        }
        let file = if errors {
            "errors.json"
        } else {
            "healthy.json"
        };
        let list =
            format!("-n {namespace} get pods -l app={app} -o jsonpath={{.items[*].metadata.name}}");
        for pod in self.quiet(&list).await?.split_whitespace() {
            let line = format!(
                "replace --raw /api/v1/namespaces/{namespace}/pods/{pod}:8080/proxy/behaviour -f {file}"
            );
            self.kubectl(&line, Success, &["errors"]).await?;
        }
        Ok(())
    }

    /// `kill -9` of every controller.
    pub(super) fn kill_controllers(&self) -> anyhow::Result<()> {
        match &self.ground {
            Ground::Plane { sluice, .. } => {
                let sluice = sluice.as_ref().context("Sluice is not installed yet")?;
                let pid = sluice.controller_pid().unwrap_or_default();
                self.say(&format!("$ kill -9 {pid}"));
                sluice.kill_controller();
                Ok(())
            }
            Ground::Cluster { cluster, .. } => self.kills(cluster, "sluice-controller"),
        }
    }

    /// `kill -9` of every process of a program.
    fn kills(&self, cluster: &Cluster, program: &str) -> anyhow::Result<()> {
        let pids = cluster.processes(program)?;
        let words: Vec<String> = pids.iter().map(u32::to_string).collect();
        self.say(&format!("$ kill -9 {}", words.join(" ")));
        cluster.kill_all(program)
    }

    /// The controllers are back: somebody starts them; on a node the kubelet does.
    pub(super) async fn controllers_return(&self) -> anyhow::Result<()> {
        match &self.ground {
            Ground::Plane { sluice, .. } => {
                let sluice = sluice.as_ref().context("Sluice is not installed yet")?;
                sluice.start_controller()?;
                sluice.controller_ready().await
            }
            Ground::Cluster { cluster, .. } => {
                self.until("the kubelet has started them again", BACK, || async {
                    let pids = cluster.processes("sluice-controller")?;
                    Ok((pids.len() == 2, format!("{} processes", pids.len())))
                })
                .await
            }
        }
    }

    /// Webhook and controller die, all of them, and nobody starts them again.
    pub(super) async fn sluice_dies(&self) -> anyhow::Result<()> {
        let cluster = match &self.ground {
            Ground::Plane { sluice, .. } => {
                let sluice = sluice.as_ref().context("Sluice is not installed yet")?;
                self.say("$ kill -9 both programs");
                sluice.kill_webhook();
                sluice.kill_controller();
                return Ok(());
            }
            Ground::Cluster { cluster, .. } => cluster,
        };
        for program in ["sluice-webhook", "sluice-controller"] {
            self.kills(cluster, program)?;
        }
        self.kubectl(
            "-n sluice-system scale deployment --all --replicas=0",
            Success,
            &["scaled"],
        )
        .await?;
        let until = Instant::now() + GONE;
        while !self
            .quiet("-n sluice-system get pods -o name")
            .await?
            .is_empty()
        {
            if Instant::now() > until {
                bail!("pods of Sluice are still there after {GONE:?}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The administrator's client.
    pub(super) async fn client(&self) -> anyhow::Result<kube::Client> {
        self.access().client(User::Admin).await
    }
}
