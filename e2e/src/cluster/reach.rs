//! Pods of the test application asked from the node's network, past an API server that may be away, and without any program for it.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

use super::Cluster;

/// ADDRESS METHOD PATH BODY
const ASK: &str = r#"exec 3<> "/dev/tcp/$0/8080" || exit 1
printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$1" "$2" "$0" "${#3}" "$3" >&3
cat <&3"#;

/// What a pod answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// What came after the head.
    pub body: String,
    /// From the first process that asked to the last byte.
    pub took: Duration,
}

impl Cluster {
    /// One request to port 8080 of a pod.
    ///
    /// # Errors
    /// When it is not reached, or its answer is none.
    pub fn ask(
        &self,
        address: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let network = format!("--net={}", self.network()?.display());
        let asked = Instant::now();
        let output = Command::new("nsenter")
            .args([&network, "--", "timeout", "10", "bash", "-c", ASK])
            .args([address, method, path, body])
            .stdin(Stdio::null())
            .output()
            .context("cannot run nsenter")?;
        let took = asked.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!(
                "{address} is not reached ({}): {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let (head, body) = said.split_once("\r\n\r\n").with_context(|| {
            format!("{address} was asked {method} {path}, and answered {said:?}")
        })?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok(Answer {
            code: code.with_context(|| format!("no status code: {head:?}"))?,
            body: body.to_owned(),
            took,
        })
    }

    /// Tells a pod how to behave.
    ///
    /// # Errors
    /// When it is not reached, or does not take it.
    pub fn tell(&self, address: &str, behaviour: &serde_json::Value) -> anyhow::Result<()> {
        let answer = self.ask(address, "PUT", "/behaviour", &behaviour.to_string())?;
        ensure!(
            answer.code == 200,
            "{address} does not take {behaviour}: {answer:?}"
        );
        Ok(())
    }
}
