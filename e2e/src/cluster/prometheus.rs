//! A Prometheus in the node's network, which scrapes the pods of one namespace. Whom it scrapes is written to a file it watches: it is built without
//! the discovery of any platform.

use std::{path::Path, time::Duration};

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Cluster, NETWORK, start::ADDRESS};
use crate::{
    User,
    process::{Launch, Process},
    programs,
};

/// Nothing else is in the node's network: no port needs to be looked for.
const PORT: u16 = 9090;
/// The port on which applications answer, metrics too.
const APPLICATION: i32 = 8080;
/// How soon a new pod is scraped.
const LOOK: Duration = Duration::from_millis(500);

/// A running Prometheus; ends on drop.
#[derive(Debug)]
pub struct NodePrometheus {
    _process: Process,
    task: JoinHandle<()>,
}

impl NodePrometheus {
    /// Starts it for the pods of `namespace`.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub async fn start(cluster: &Cluster, namespace: &str) -> anyhow::Result<Self> {
        let program = tokio::task::spawn_blocking(programs::prometheus).await??;
        let folder = cluster.folder().join("prometheus");
        let targets = folder.join("targets.json");
        let config = folder.join("config.yaml");
        let document = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "pods", "file_sd_configs": [{"files": [targets]}]}],
        });
        write(&targets, &json!([]))?;
        write(&config, &document)?;
        let launch = Launch::new("prometheus", &program, &cluster.log("prometheus"))
            .args([
                format!("--config.file={}", config.display()),
                format!("--storage.tsdb.path={}", folder.join("data").display()),
                format!("--web.listen-address={ADDRESS}:{PORT}"),
                "--storage.tsdb.retention.time=2h".to_owned(),
                "--log.level=warn".to_owned(),
            ])
            .under(
                "nsenter",
                [
                    format!("--net={}", cluster.folder().join(NETWORK).display()),
                    "--".to_owned(),
                ],
            );
        let client = cluster.client(User::Admin).await?;
        let process = Process::start(&launch)?;
        let task = tokio::spawn(follow(client, namespace.to_owned(), targets));
        Ok(Self {
            _process: process,
            task,
        })
    }

    /// Where pods reach it.
    #[must_use]
    pub fn url() -> String {
        format!("http://{ADDRESS}:{PORT}")
    }
}

impl Drop for NodePrometheus {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(client: Client, namespace: String, file: std::path::PathBuf) {
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let mut written = json!([]);
    loop {
        // an API server that is away changes nothing about who runs
        if let Ok(list) = pods.list(&ListParams::default()).await {
            let targets: Value = list.items.iter().filter_map(target).collect();
            if targets != written && write(&file, &targets).is_ok() {
                written = targets;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn target(pod: &Pod) -> Option<Value> {
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let answers = containers.any(|container| {
        let mut ports = container.ports.iter().flatten();
        ports.any(|port| port.container_port == APPLICATION)
    });
    let address = pod.status.as_ref()?.pod_ip.as_deref()?;
    answers.then(|| {
        json!({
            "targets": [format!("{address}:{APPLICATION}")],
            "labels": {"namespace": pod.namespace(), "pod": pod.name_any()},
        })
    })
}

/// In one piece: whoever reads it meets the old or the new content.
fn write(path: &Path, value: &Value) -> anyhow::Result<()> {
    let half = path.with_extension("half");
    std::fs::write(&half, value.to_string())
        .and_then(|()| std::fs::rename(&half, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
