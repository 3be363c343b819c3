//! The admin server: what ready means, and what is shown.

use crate::http_client::plain;
use prometheus_client::metrics::gauge::Gauge;
use sluice_runtime::{
    admin::{Admin, Readiness},
    args::AdminArgs,
    metrics::Metrics,
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn ready_means_every_condition_is_met_and_no_drain_has_begun() {
    let readiness = Readiness::new();
    let caches = readiness.condition("caches");
    let certificate = readiness.condition("certificate");
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let args = AdminArgs {
        admin_addr: "127.0.0.1:0".parse().unwrap(),
    };
    let shown = Metrics::new();
    let gates = Gauge::<i64>::default();
    shown.register("gates", "Gates known", gates.clone());
    gates.set(7);
    let admin = Admin::bind(&args, &shown, &readiness, &drain)
        .await
        .unwrap();
    let address = admin.address().unwrap();
    let task = tokio::spawn(admin.run(stop.clone()));
    let mut connection = plain(address).await.unwrap();

    let mut check = async |status: u16, text: &str| {
        let answer = connection.get("/readyz").await.unwrap();
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!((answer.status, body.as_str()), (status, text));
        assert_eq!(connection.get("/livez").await.unwrap().status, 200);
    };
    check(503, "caches: not yet\ncertificate: not yet\n").await;
    caches.set();
    check(503, "certificate: not yet\n").await;
    certificate.set();
    assert!(readiness.ready());
    check(200, "ok\n").await;
    // asking for the same condition again does not unset it
    let again = readiness.condition("caches");
    check(200, "ok\n").await;
    again.unset("the watch of gates is 40 s behind");
    assert!(!readiness.ready());
    check(503, "caches: the watch of gates is 40 s behind\n").await;
    caches.set();
    drain.cancel();
    check(503, "draining\n").await;

    let metrics = connection.get("/metrics").await.unwrap();
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("\nsluice_gates 7\n"), "{text}");
    assert_eq!(connection.get("/other").await.unwrap().status, 404);
    stop.cancel();
    let Ok(()) = task.await.unwrap();
}
