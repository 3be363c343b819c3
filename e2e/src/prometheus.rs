//! The real Prometheus server, scraping all fake pods once a second.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use crate::fetch;
use crate::process::{Launch, Process};
use crate::programs;

/// A running Prometheus; ends on drop.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    process: Process,
}

impl Prometheus {
    /// Starts it with its data in `folder`, scraping `federate`, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be built or does not get ready within 30 s.
    pub(crate) async fn start(folder: &Path, federate: SocketAddr) -> anyhow::Result<Self> {
        let program = tokio::task::spawn_blocking(programs::prometheus).await??;
        let config = folder.join("prometheus/config.yaml");
        let document = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{
                "job_name": "pods",
                // the page carries every pod's own labels
                "honor_labels": true,
                "metrics_path": "/federate",
                "static_configs": [{"targets": [federate.to_string()]}],
            }],
        });
        std::fs::write(&config, document.to_string())
            .with_context(|| format!("cannot write {}", config.display()))?;
        for _ in 0..5 {
            // free a moment ago; when somebody was faster, Prometheus ends and we take the next one
            let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
            let launch = Launch::new("prometheus", &program, &folder.join("log/prometheus.log"))
                .args([
                    format!("--config.file={}", config.display()),
                    format!(
                        "--storage.tsdb.path={}",
                        folder.join("prometheus/data").display()
                    ),
                    format!("--web.listen-address={address}"),
                    "--storage.tsdb.retention.time=2h".to_owned(),
                    "--log.level=warn".to_owned(),
                ]);
            let prometheus = Self {
                address,
                process: Process::start(&launch)?,
            };
            if prometheus.becomes_ready().await? {
                return Ok(prometheus);
            }
        }
        bail!("Prometheus found no free port in five tries")
    }

    /// The base URL, as a Prometheus probe wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// SIGKILL: Prometheus is gone, as a probe would meet it.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// SIGSTOP: connections hang.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.process.pause()
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.process.resume()
    }

    /// The `data.result` of an instant query.
    ///
    /// # Errors
    /// When Prometheus refuses the query or does not answer.
    pub async fn query(&self, query: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let path = format!("/api/v1/query?query={}", fetch::encode(query));
        let answer = fetch::direct(self.address, &path).await?;
        if answer.code != 200 {
            bail!(
                "Prometheus answers {} to {query}: {}",
                answer.code,
                answer.text()
            );
        }
        let mut document: serde_json::Value = serde_json::from_slice(&answer.body)?;
        match document
            .pointer_mut("/data/result")
            .map(serde_json::Value::take)
        {
            Some(serde_json::Value::Array(result)) => Ok(result),
            _ => bail!("Prometheus answers without a vector to {query}: {document}"),
        }
    }

    /// The value of an instant query with exactly one sample; None when there is none.
    ///
    /// # Errors
    /// As [`Prometheus::query`], and when there is more than one sample.
    pub async fn value(&self, query: &str) -> anyhow::Result<Option<f64>> {
        let result = self.query(query).await?;
        match result.as_slice() {
            [] => Ok(None),
            [one] => {
                let text = one
                    .pointer("/value/1")
                    .and_then(serde_json::Value::as_str)
                    .context("a sample without value")?;
                Ok(Some(text.parse()?))
            }
            more => bail!("{query} has {} samples", more.len()),
        }
    }

    // false: it ended because the port was taken
    async fn becomes_ready(&self) -> anyhow::Result<bool> {
        for _ in 0..600 {
            if fetch::direct(self.address, "/-/ready")
                .await
                .is_ok_and(|answer| answer.code == 200)
            {
                return Ok(true);
            }
            if self.process.status().is_some() {
                let tail = self.process.log_tail(5);
                if tail.contains("address already in use") {
                    return Ok(false);
                }
                bail!("Prometheus ended:\n{tail}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!(
            "Prometheus is not ready after 30 s:\n{}",
            self.process.log_tail(5)
        )
    }
}
