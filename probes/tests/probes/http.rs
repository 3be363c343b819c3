//! What one HTTP sample makes of a real server.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use crate::common::{Reply, Running, Server, answer, dead_port, http, id, options, url_run};
use serde_json::json;
use sluice_api::{Verdict, probe::VerdictRule};
use sluice_probes::{Answer, Blindness, Check, EngineOptions, Run, TargetAllowList, Targets};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// The first answer that a single sample makes: a verdict, or the reason why there is none.
async fn first_answer(options: EngineOptions, run: Run) -> (Answer, Vec<Blindness>) {
    let running = Running::start(options);
    let id = run.id.clone();
    let run = Run {
        rule: VerdictRule {
            fail_after: 1,
            pass_after: 1,
        },
        ..run
    };
    running.engine.apply(vec![run].into());
    running
        .when("a sample", || {
            let counts = running.engine.counts();
            // a late prober is the machine's trouble, not the case's
            let blind = counts.blind.keys().any(|why| *why != Blindness::Late);
            counts.good + counts.bad > 0 || blind
        })
        .await;
    let blind = running.engine.counts().blind.into_keys();
    let blind = blind.filter(|why| *why != Blindness::Late).collect();
    (running.engine.answer(&id), blind)
}

#[tokio::test]
async fn judges_the_answer_as_it_is() {
    let long = format!("{}needle", "x".repeat(64 * 1024));
    let just = format!("{}needle", "x".repeat(64 * 1024 - 6));
    for (name, reply, expect, verdict, says) in [
        (
            "200",
            Reply::status("200 OK", "ok"),
            json!({}),
            Verdict::Pass,
            "status 200 in ",
        ),
        (
            "500",
            Reply::status("500 Oops", "boom\n\x1b[31m"),
            json!({}),
            Verdict::Fail,
            "(expected 200): \"boom",
        ),
        (
            "redirect",
            Reply::Bytes(
                b"HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_vec(),
            ),
            json!({}),
            Verdict::Fail,
            "status 302",
        ),
        (
            "redirect wanted",
            Reply::Bytes(
                b"HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_vec(),
            ),
            json!({"status": [301, 302]}),
            Verdict::Pass,
            "status 302",
        ),
        (
            "body",
            Reply::status("200 OK", "all ok"),
            json!({"bodyContains": "ok"}),
            Verdict::Pass,
            "status 200",
        ),
        (
            "other body",
            Reply::status("200 OK", "degraded"),
            json!({"bodyContains": "ok"}),
            Verdict::Fail,
            "body without \"ok\": \"degraded\"",
        ),
        (
            "within 64 KiB",
            Reply::status("200 OK", &just),
            json!({"bodyContains": "needle"}),
            Verdict::Pass,
            "status 200",
        ),
        (
            "beyond 64 KiB",
            Reply::status("200 OK", &long),
            json!({"bodyContains": "needle"}),
            Verdict::Fail,
            "body without",
        ),
        (
            "closed",
            Reply::Close,
            json!({}),
            Verdict::Fail,
            "connection closed without an answer",
        ),
        (
            "broken off",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
            json!({}),
            Verdict::Fail,
            "broke off after 4 bytes",
        ),
        (
            "no http",
            Reply::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
            json!({}),
            Verdict::Fail,
            "not HTTP",
        ),
    ] {
        let server = Server::start(reply).await;
        let run = Run {
            check: Check::Http(http(
                json!({"target": {"url": server.url("/")}, "expect": expect}),
            )),
            ..url_run(name, &server.url("/"))
        };
        let (answer, blind) = first_answer(options(), run).await;
        assert_eq!(answer.verdict, verdict, "{name}: {answer:?}");
        assert!(answer.message.contains(says), "{name}: {}", answer.message);
        assert!(!answer.message.contains(char::is_control), "{name}");
        assert!(answer.message.len() <= 1024, "{name}");
        assert!(blind.is_empty(), "{name}: {blind:?}");
        let requests = server.requests.lock().unwrap().join("");
        assert!(!requests.contains("/other"), "a redirect was followed");
    }
}

#[tokio::test]
async fn time_limits_fail_the_target() {
    let slow = Reply::Slow(Duration::from_millis(400), answer("200 OK", "ok"));
    for (name, reply, expect, timeout, says) in [
        (
            "silent",
            Reply::Hang,
            json!({}),
            300,
            "no complete answer in time (300 ms)",
        ),
        (
            "slow",
            slow,
            json!({"within": "300ms"}),
            5_000,
            "(expected within 300ms)",
        ),
    ] {
        let server = Server::start(reply).await;
        let run = Run {
            check: Check::Http(http(
                json!({"target": {"url": server.url("/")}, "expect": expect}),
            )),
            timeout: Duration::from_millis(timeout),
            ..url_run(name, &server.url("/"))
        };
        let (answer, _) = first_answer(options(), run).await;
        assert_eq!(answer.verdict, Verdict::Fail, "{name}: {answer:?}");
        assert!(answer.message.contains(says), "{name}: {}", answer.message);
    }
}

#[tokio::test]
async fn a_refused_connection_fails_and_what_is_ours_is_unknown() {
    let dead = dead_port().await;
    let server = Server::start(Reply::status("200 OK", "ok")).await;
    let nobody = TargetAllowList::parse(["nowhere.invalid"]).unwrap();
    for (name, url, allow, verdict, blind, says) in [
        (
            "refused",
            format!("http://{dead}/"),
            options().allow,
            Verdict::Fail,
            vec![],
            "connection refused",
        ),
        (
            "forbidden",
            server.url("/"),
            nobody.clone(),
            Verdict::Unknown,
            vec![Blindness::NotAllowed],
            "not an allowed probe target",
        ),
        (
            "unresolvable",
            "http://nowhere.invalid/".to_owned(),
            nobody,
            Verdict::Unknown,
            vec![Blindness::Resolve],
            "cannot resolve nowhere.invalid",
        ),
        (
            "no url",
            "checkout/ready".to_owned(),
            options().allow,
            Verdict::Unknown,
            vec![Blindness::Misconfigured],
            "relative URL",
        ),
    ] {
        let options = EngineOptions { allow, ..options() };
        let (answer, seen) = first_answer(options, url_run(name, &url)).await;
        assert_eq!(
            (answer.verdict, seen),
            (verdict, blind),
            "{name}: {answer:?}"
        );
        assert!(answer.message.contains(says), "{name}: {}", answer.message);
    }
    assert_eq!(server.count(), 0, "a forbidden target was asked");
}

#[tokio::test]
async fn a_matched_name_that_points_at_loopback_is_not_asked() {
    // `localhost` resolves to loopback everywhere; here only a glob allows it
    let server = Server::start(Reply::status("200 OK", "ok")).await;
    let url = format!("http://a.localhost:{}/", server.address.port());
    let options = EngineOptions {
        allow: TargetAllowList::parse(["*.localhost"]).unwrap(),
        ..options()
    };
    let (answer, blind) = first_answer(options, url_run("rebound", &url)).await;
    assert_eq!(answer.verdict, Verdict::Unknown, "{answer:?}");
    // a resolver that does not know the name is as good
    assert!(
        blind == [Blindness::NotAllowed] || blind == [Blindness::Resolve],
        "{blind:?}"
    );
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn every_sample_has_a_connection_of_its_own() {
    // an answer that would let the connection live on
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    let server = Server::start(Reply::Bytes(reply)).await;
    let running = Running::start(options());
    running
        .engine
        .apply(vec![url_run("fresh", &server.url("/ready?deep=1"))].into());
    running.when("five samples", || server.count() >= 5).await;
    let connections = server.connections.load(Ordering::SeqCst);
    assert!(connections >= 5, "{connections} connections");
    let requests = server.requests.lock().unwrap();
    assert!(
        requests[0].starts_with("GET /ready?deep=1 HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    assert!(
        requests[0].contains(&format!("host: {}\r\n", server.address)),
        "{}",
        requests[0]
    );
    assert!(
        requests[0].contains("connection: close\r\n"),
        "{}",
        requests[0]
    );
}

#[tokio::test]
async fn a_url_in_a_message_does_not_show_its_query() {
    let server = Server::start(Reply::status("500 Oops", "")).await;
    let run = url_run("token", &server.url("/ready?token=secret"));
    let (answer, _) = first_answer(options(), run).await;
    assert!(answer.message.contains("/ready"), "{}", answer.message);
    assert!(!answer.message.contains("secret"), "{}", answer.message);
}

/// A server that speaks first, and no TLS.
async fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.write_all(b"220 mail.corp ESMTP\r\n").await;
        }
    });
    address
}

/// A proxy that opens every tunnel it is asked for to `upstream`.
async fn tunnels_to(upstream: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let request = crate::common::read_request(&mut client).await?;
                seen.lock().unwrap().push(request);
                let mut target = TcpStream::connect(upstream).await?;
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                tokio::io::copy_bidirectional(&mut client, &mut target).await
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn asks_through_a_proxy_and_tells_its_trouble_from_the_targets() {
    let good = Server::start(Reply::status("200 OK", "ok")).await;
    let dead = dead_port().await;
    let refusing = Server::start(Reply::status("407 Who are you", "")).await;
    let gateway = Server::start(Reply::status("502 Bad Gateway", "no such pod")).await;
    let closing = Server::start(Reply::Close).await;
    for (name, proxy, verdict, blind, says) in [
        ("working", good.address, Verdict::Pass, vec![], "status 200"),
        (
            "down",
            dead,
            Verdict::Unknown,
            vec![Blindness::Proxy],
            "cannot connect to the proxy",
        ),
        (
            "wants credentials",
            refusing.address,
            Verdict::Unknown,
            vec![Blindness::Proxy],
            "asks for credentials",
        ),
        (
            "speaks for a dead target",
            gateway.address,
            Verdict::Fail,
            vec![],
            "no such pod",
        ),
        (
            "closes for a dead target",
            closing.address,
            Verdict::Fail,
            vec![],
            "closed without an answer",
        ),
    ] {
        let options = EngineOptions {
            allow: TargetAllowList::default(),
            http_proxy: Some(format!("http://{proxy}")),
            ..options()
        };
        let run = url_run(name, "http://checkout.shop.svc:8080/ready");
        let (answer, seen) = first_answer(options, run).await;
        assert_eq!(
            (answer.verdict, seen),
            (verdict, blind),
            "{name}: {answer:?}"
        );
        assert!(answer.message.contains(says), "{name}: {}", answer.message);
    }
    let requests = good.requests.lock().unwrap();
    assert!(
        requests[0].starts_with("GET http://checkout.shop.svc:8080/ready HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
}

#[tokio::test]
async fn https_goes_through_the_proxy_in_a_tunnel() {
    let plain = greeter().await;
    let forbidding = Server::start(Reply::status("403 Forbidden", "")).await;
    let gateway = Server::start(Reply::status("502 Bad Gateway", "")).await;
    let (tunnel, connects) = tunnels_to(plain).await;
    for (name, proxy, verdict, blind, says) in [
        // the tunnel stands, and what is behind it speaks no TLS
        (
            "tunnel",
            tunnel,
            Verdict::Fail,
            vec![],
            "TLS handshake failed",
        ),
        (
            "forbidden",
            forbidding.address,
            Verdict::Unknown,
            vec![Blindness::Proxy],
            "answered 403 to CONNECT",
        ),
        (
            "gateway",
            gateway.address,
            Verdict::Fail,
            vec![],
            "answered 502 to CONNECT",
        ),
    ] {
        let options = EngineOptions {
            allow: TargetAllowList::default(),
            http_proxy: Some(format!("http://{proxy}")),
            ..options()
        };
        let run = url_run(name, "https://checkout.shop.svc/ready");
        let (answer, seen) = first_answer(options, run).await;
        if seen == [Blindness::Local] {
            // a machine without trust anchors cannot judge https at all, and says so
            assert!(answer.message.contains("no trusted"), "{}", answer.message);
            continue;
        }
        assert_eq!(
            (answer.verdict, seen),
            (verdict, blind),
            "{name}: {answer:?}"
        );
        assert!(answer.message.contains(says), "{name}: {}", answer.message);
    }
    let requests = connects.lock().unwrap();
    assert!(
        requests[0].starts_with("CONNECT checkout.shop.svc:443 HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
}

#[tokio::test]
async fn a_check_that_does_not_fit_its_targets_is_unknown() {
    let run = Run {
        targets: Targets::Query {
            canary_hash: None,
            stable_hash: None,
        },
        ..url_run("odd", "http://localhost/")
    };
    let (answer, blind) = first_answer(options(), run).await;
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert_eq!(blind, [Blindness::Misconfigured]);
    let running = Running::start(options());
    let nobody = running.engine.answer(&id("nobody"));
    assert_eq!(nobody.verdict, Verdict::Unknown);
    assert_eq!(nobody.message, "shop/nobody is not being run");
}
