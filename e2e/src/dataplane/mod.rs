//! How pods and Services are reached over HTTP without a network: a forward proxy on a loopback port.
//!
//! A prober sets `http://127.0.0.1:PORT` as its ordinary HTTP proxy and asks for `http://10.244.x.y:8080/ready` (that
//! pod), `http://NAME.NAMESPACE.svc/` or `http://CLUSTER-IP:PORT/` (one ready pod behind the Service, another draw for
//! each request, by the live EndpointSlices). Where on a network nobody would answer, the connection is closed without
//! an answer: a prober sees a transport error, never an HTTP code.
//!
//! Every pod answers (first container, declared ports, 8080 when none is declared):
//!
//! | path | answer |
//! |---|---|
//! | `/ready` | 200 `ok`, 503 while not ready |
//! | `/version` | JSON: image, version, pod, namespace, template hash, behaviour; never an error |
//! | `/metrics` | Prometheus text; never an error |
//! | any other | 200 `ok` with pod and version |
//!
//! Latency, error share and failing apply to all but `/version` and `/metrics`, and only those requests are counted in
//! `http_requests_total`. `/federate` on a second loopback port carries the metrics of all pods, for Prometheus.

mod answers;
mod chance;
mod metrics;
mod proxy;
mod services;
mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use kube::Client;
use tokio::net::TcpListener;

use crate::fetch::{self, Answer};
use crate::node::World;
use chance::Chance;
use services::Services;
pub use traffic::Traffic;

/// A handle to the running data plane; its tasks live on the runtime that started it.
#[derive(Clone, Debug)]
pub struct DataPlane {
    proxy: SocketAddr,
    federate: SocketAddr,
    network: Arc<Network>,
    runtime: tokio::runtime::Handle,
}

/// Everything a request may meet.
#[derive(Debug)]
struct Network {
    world: World,
    services: Services,
    chance: Chance,
}

impl DataPlane {
    /// Starts both ports and waits until Services and EndpointSlices have been read once.
    ///
    /// # Errors
    /// When no port is free or the API server does not let us watch.
    pub(crate) async fn start(client: Client, world: World) -> anyhow::Result<Self> {
        let services = Services::watch(client).await?;
        let network = Arc::new(Network {
            world,
            services,
            chance: Chance::seeded(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no port for the proxy")?;
        let proxy = listener.local_addr()?;
        tokio::spawn(proxy::serve(listener, Arc::clone(&network)));
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no port for the metrics")?;
        let federate = listener.local_addr()?;
        tokio::spawn(metrics::serve(listener, network.world.clone()));
        Ok(Self {
            proxy,
            federate,
            network,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    /// The forward proxy's address.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Where all pods' metrics are: `GET /federate`.
    pub fn federate(&self) -> SocketAddr {
        self.federate
    }

    /// GET an absolute URL through the proxy, over a new connection.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, url: &str) -> anyhow::Result<Answer> {
        fetch::through_proxy(self.proxy, url).await
    }

    /// Sends requests to `path` of a Service, this many a second, until the returned handle is dropped. The Service need
    /// not exist yet. Requests take the same way as those of a prober, without the connection to the proxy.
    pub fn traffic(&self, namespace: &str, service: &str, path: &str, per_second: f64) -> Traffic {
        let _guard = self.runtime.enter();
        Traffic::start(
            Arc::clone(&self.network),
            namespace,
            service,
            path,
            per_second,
        )
    }
}
