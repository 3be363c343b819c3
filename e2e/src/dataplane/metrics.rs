//! The pods' metrics as Prometheus text, one pod's or all of them.

use std::convert::Infallible;
use std::fmt::Write;

use http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::answers;
use crate::node::World;
use crate::node::live::LivePod;

/// The annotation that says how many bytes each container of a pod uses, as cAdvisor would.
const MEMORY: &str = "fake.sluice.test/memory-bytes";

const HEAD: &str =
    "# HELP http_requests_total Requests answered, by code.\n# TYPE http_requests_total counter\n";

pub(super) fn of_pod(pod: &LivePod) -> String {
    let mut page = HEAD.to_owned();
    append(&mut page, pod);
    page
}

// every pod has both of these codes from its start on, so that an error rate is 0 and not "no data"
const ALWAYS: [u16; 2] = [200, 500];

fn append(page: &mut String, pod: &LivePod) {
    let mut counts = pod.counts();
    for code in ALWAYS {
        counts.entry(code).or_default();
    }
    let app = pod
        .labels
        .get("app")
        .or_else(|| pod.labels.get("app.kubernetes.io/name"));
    for (code, count) in counts {
        // label values are names by Kubernetes' rules: nothing to escape
        let _ = writeln!(
            page,
            "http_requests_total{{code=\"{code}\",namespace=\"{}\",pod=\"{}\",pod_template_hash=\"{}\",app=\"{}\"}} {count}",
            pod.namespace,
            pod.name,
            pod.template_hash(),
            app.map(String::as_str).unwrap_or_default(),
        );
    }
}

fn append_memory(page: &mut String, pod: &LivePod) {
    let Some(bytes) = pod.annotations().remove(MEMORY) else {
        return;
    };
    for container in &pod.containers {
        let _ = writeln!(
            page,
            "container_memory_working_set_bytes{{namespace=\"{}\",pod=\"{}\",container=\"{container}\"}} {bytes}",
            pod.namespace, pod.name,
        );
    }
}

/// Answers every request with the metrics of all pods that listen.
pub(super) async fn serve(listener: TcpListener, world: World) {
    while let Ok((stream, _)) = listener.accept().await {
        let world = world.clone();
        tokio::spawn(async move {
            let answer = service_fn(|_: http::Request<Incoming>| {
                let mut page = HEAD.to_owned();
                for pod in world.pods().into_iter().filter(|pod| pod.serving().up) {
                    append(&mut page, &pod);
                }
                page.push_str("# TYPE container_memory_working_set_bytes gauge\n");
                for pod in world.pods().into_iter().filter(|pod| pod.serving().up) {
                    append_memory(&mut page, &pod);
                }
                async { Ok::<_, Infallible>(answers::text(StatusCode::OK, page)) }
            });
            // a scraper that goes away in the middle is its own business
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}
