//! Real servers on loopback, a small forward proxy, and an engine to ask them with.
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sluice_api::{HttpCheck, Verdict, probe::VerdictRule};
use sluice_probes::{
    Answer, Check, Engine, EngineOptions, PodTarget, Run, RunId, TargetAllowList, Targets,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come; only a broken test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers every connection with fixed bytes after a delay, and counts connections and requests.
pub struct Server {
    pub address: SocketAddr,
    pub connections: Arc<AtomicU64>,
    pub requests: Arc<Mutex<Vec<String>>>,
    reply: Arc<Mutex<Reply>>,
    task: JoinHandle<()>,
}

/// What a server does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes after a while, and closes.
    Slow(Duration, Vec<u8>),
    /// Closes without a byte.
    Close,
    /// Never says anything.
    Hang,
}

impl Reply {
    pub fn status(line: &str, body: &str) -> Self {
        Self::Bytes(answer(line, body))
    }
}

/// An HTTP answer.
pub fn answer(line: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {line}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Server {
    pub async fn start(reply: Reply) -> Self {
        Self::on("127.0.0.1:0", reply).await
    }

    pub async fn on(address: &str, reply: Reply) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicU64::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let reply = Arc::new(Mutex::new(reply));
        let task = tokio::spawn({
            let (connections, requests, reply) =
                (connections.clone(), requests.clone(), reply.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (requests, reply) = (requests.clone(), reply.clone());
                    tokio::spawn(async move {
                        let _ = serve(stream, &requests, &reply).await;
                    });
                }
            }
        });
        Self {
            address,
            connections,
            requests,
            reply,
            task,
        }
    }

    pub fn answers(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request, head and the body that `content-length` announces.
pub async fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let read = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, length)| length.parse().unwrap());
            if body.len() >= length {
                return Ok(text);
            }
        }
        if read == 0 {
            return Ok(text);
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<String>>,
    reply: &Mutex<Reply>,
) -> std::io::Result<()> {
    let request = read_request(&mut stream).await?;
    if request.is_empty() {
        return Ok(());
    }
    requests.lock().unwrap().push(request);
    let reply = reply.lock().unwrap().clone();
    match reply {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await?,
        Reply::Slow(delay, bytes) => {
            tokio::time::sleep(delay).await;
            stream.write_all(&bytes).await?;
        }
        Reply::Close => {}
        Reply::Hang => std::future::pending().await,
    }
    stream.shutdown().await
}

/// A port on which nobody listens.
pub async fn dead_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Options that let tests ask loopback addresses.
pub fn options() -> EngineOptions {
    EngineOptions {
        allow: TargetAllowList::parse(["127.0.0.0/8", "localhost"]).unwrap(),
        prometheus: BTreeMap::new(),
        ..EngineOptions::default()
    }
}

/// An engine whose task runs until this is dropped.
pub struct Running {
    pub engine: Engine,
    pub cancel: CancellationToken,
    pub task: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(options: EngineOptions) -> Self {
        let (engine, task) = Engine::new(options).unwrap();
        let cancel = CancellationToken::new();
        let task = tokio::spawn(task.run(cancel.clone()));
        Self {
            engine,
            cancel,
            task: Some(task),
        }
    }

    /// Stops the engine's task and waits for its end.
    pub async fn stop(&mut self) {
        self.cancel.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }

    /// The first answer about `run` that satisfies `wanted`.
    pub async fn until(&self, run: &RunId, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.engine.answer(run);
            if wanted(&answer) {
                return answer;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "never came: last {answer:?}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The first answer about `run` with this verdict.
    pub async fn verdict(&self, run: &RunId, verdict: Verdict) -> Answer {
        self.until(run, |answer| answer.verdict == verdict).await
    }

    /// Waits until `wanted` holds.
    pub async fn when(&self, what: &str, wanted: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !wanted() {
            assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

pub fn id(name: &str) -> RunId {
    RunId {
        probe: format!("shop/{name}"),
        context: String::new(),
    }
}

/// An http check as YAML's JSON would give it.
pub fn http(check: serde_json::Value) -> HttpCheck {
    serde_json::from_value(check).unwrap()
}

/// A run of a URL: 100 ms interval, generous timeout, three samples fail it, one passes it.
pub fn url_run(name: &str, url: &str) -> Run {
    Run {
        id: id(name),
        check: Check::Http(http(serde_json::json!({"target": {"url": url}}))),
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(5),
        rule: VerdictRule {
            fail_after: 3,
            pass_after: 1,
        },
        targets: Targets::Url(url.to_owned()),
    }
}

/// A run of pods on one port.
pub fn pods_run(name: &str, port: u16, pods: Vec<PodTarget>) -> Run {
    let check =
        http(serde_json::json!({"target": {"pods": "Canary", "port": port, "path": "/ready"}}));
    Run {
        check: Check::Http(check),
        targets: Targets::Pods(pods),
        ..url_run(name, "http://localhost/")
    }
}

/// A ready pod at a loopback address.
pub fn pod(name: &str, ip: &str) -> PodTarget {
    PodTarget {
        name: name.to_owned(),
        ip: Some(ip.parse().unwrap()),
        ready: true,
        started: Some(jiff::Timestamp::UNIX_EPOCH),
    }
}
