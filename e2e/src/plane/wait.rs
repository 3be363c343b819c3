//! Waiting for a value, with a limit.

use std::time::{Duration, Instant};

use anyhow::bail;
use kube::Client;

/// No promise hangs on it: it only ends a wait for what will not come, on a machine that may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again, for at most 90 s, until there is an answer.
///
/// # Errors
/// The last error of `ask`, or that there was no answer in time.
pub async fn wait_for<T, F>(what: &str, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = tokio::time::timeout_at(deadline.into(), ask()).await;
        match answer {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Err(error)) if Instant::now() > deadline => {
                return Err(error.context(format!("waiting for {what}")));
            }
            Err(_) => bail!("{what}: not there after {} s", PATIENCE.as_secs()),
            Ok(_) if Instant::now() > deadline => {
                bail!("{what}: not there after {} s", PATIENCE.as_secs())
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
}

pub(crate) async fn wait_until_ready(client: &Client) -> anyhow::Result<()> {
    wait_for("kube-apiserver", || async {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        Ok(client.request_text(request).await.ok())
    })
    .await
    .map(drop)
}

pub(crate) async fn wait_for_port(name: &str, port: u16) -> anyhow::Result<()> {
    wait_for(name, || async move {
        Ok(tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok())
    })
    .await
    .map(drop)
}
