//! What a Prometheus check makes of every shape of answer. A real Prometheus is asked where a whole control plane runs; here only the shapes count.

use std::{collections::BTreeMap, time::Duration};

use crate::common::{Reply, Running, Server, dead_port, id, options, url_run};
use serde_json::json;
use sluice_api::{Verdict, probe::VerdictRule};
use sluice_probes::{BearerToken, Blindness, Check, EngineOptions, PrometheusSource, Run, Targets};

fn source(url: String) -> EngineOptions {
    EngineOptions {
        prometheus: BTreeMap::from([(
            "main".to_owned(),
            PrometheusSource {
                url,
                timeout: Duration::from_secs(5),
                bearer_token: Some(BearerToken::Given("secret-token".to_owned())),
            },
        )]),
        // proves that sources are asked directly
        http_proxy: Some("http://127.0.0.1:1".to_owned()),
        ..options()
    }
}

fn run(query: &str, condition: &str, canary_hash: Option<&str>) -> Run {
    let check = json!({"query": query, "condition": condition});
    Run {
        check: Check::Prometheus(serde_json::from_value(check).unwrap()),
        targets: Targets::Query {
            canary_hash: canary_hash.map(str::to_owned),
            stable_hash: Some("stable1".to_owned()),
        },
        rule: VerdictRule {
            fail_after: 1,
            pass_after: 1,
        },
        ..url_run("errors", "http://localhost/")
    }
}

fn vector(values: &[&str]) -> String {
    let series: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(i, value)| json!({"metric": {"pod": format!("checkout-{i}")}, "value": [1_700_000_000.5, value]}))
        .collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string()
}

async fn first(options: EngineOptions, run: Run) -> (Verdict, Option<Blindness>, String) {
    let running = Running::start(options);
    running.engine.apply(vec![run].into());
    running
        .when("a sample", || {
            let counts = running.engine.counts();
            counts.good + counts.bad > 0 || !counts.blind.is_empty()
        })
        .await;
    let blind = running.engine.counts().blind.into_keys().next();
    let answer = running.engine.answer(&id("errors"));
    (answer.verdict, blind, answer.message)
}

#[tokio::test]
async fn every_sample_must_satisfy_the_condition_and_what_is_no_number_is_unknown() {
    use Blindness::{NoData, NotANumber, Source};
    let scalar =
        json!({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "0.5"]}});
    let text = json!({"status": "success", "data": {"resultType": "string", "result": [1.0, "0"]}});
    let matrix = json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1.0, "0"]]}]}});
    let histogram = json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1.0, {"count": "1"}]}]}});
    for (body, verdict, blind, says) in [
        (vector(&["0"]), Verdict::Pass, None, "0, as expected < 0.01"),
        (
            vector(&["0", "0.005"]),
            Verdict::Pass,
            None,
            "2 series, all < 0.01",
        ),
        (
            vector(&["0.2"]),
            Verdict::Fail,
            None,
            r#"0.2 of {pod="checkout-0"}, expected < 0.01"#,
        ),
        (
            vector(&["0", "0.2"]),
            Verdict::Fail,
            None,
            r#"0.2 of {pod="checkout-1"}, expected < 0.01 (1 of 2 series)"#,
        ),
        // one proved violation outweighs what is no number
        (vector(&["NaN", "0.2"]), Verdict::Fail, None, "checkout-1"),
        (vector(&[]), Verdict::Unknown, Some(NoData), "no data"),
        (
            vector(&["NaN"]),
            Verdict::Unknown,
            Some(NotANumber),
            "NaN of",
        ),
        (
            vector(&["0", "NaN"]),
            Verdict::Unknown,
            Some(NotANumber),
            "checkout-1",
        ),
        (
            vector(&["+Inf"]),
            Verdict::Unknown,
            Some(NotANumber),
            "inf of",
        ),
        (
            vector(&["-Inf"]),
            Verdict::Unknown,
            Some(NotANumber),
            "-inf of",
        ),
        (
            scalar.to_string(),
            Verdict::Fail,
            None,
            "0.5, expected < 0.01",
        ),
        (
            text.to_string(),
            Verdict::Unknown,
            Some(Source),
            "something else than a vector or a scalar",
        ),
        (
            matrix.to_string(),
            Verdict::Unknown,
            Some(Source),
            "wrap it in a function",
        ),
        (
            histogram.to_string(),
            Verdict::Unknown,
            Some(Source),
            "something else",
        ),
        (
            r#"{"status":"success"}"#.to_owned(),
            Verdict::Unknown,
            Some(Source),
            "without data",
        ),
        (
            "<html>login</html>".to_owned(),
            Verdict::Unknown,
            Some(Source),
            "<html>login",
        ),
        (
            String::new(),
            Verdict::Unknown,
            Some(Source),
            "something else",
        ),
        (
            "x".repeat(5 * 1024 * 1024),
            Verdict::Unknown,
            Some(Source),
            "longer than 4 MiB",
        ),
    ] {
        let server = Server::start(Reply::status("200 OK", &body)).await;
        let seen = first(source(server.url("")), run("errors:ratio", "< 0.01", None)).await;
        let shown: String = body.chars().take(100).collect();
        assert_eq!((seen.0, seen.1), (verdict, blind), "{shown}: {}", seen.2);
        assert!(seen.2.contains(says), "{shown}: {}", seen.2);
        assert!(seen.2.starts_with("prometheus main: "), "{}", seen.2);
    }
}

#[tokio::test]
async fn trouble_with_prometheus_is_never_a_fail() {
    let bad_query =
        r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
    let busy = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let dead = dead_port().await;
    for (reply, says) in [
        (
            Some(Reply::status("400 Bad Request", bad_query)),
            "400: bad_data: parse error: unexpected end",
        ),
        (
            Some(Reply::status("503 Service Unavailable", busy)),
            "503: timeout: query timed out",
        ),
        (Some(Reply::status("401 Unauthorized", "no")), "401"),
        (Some(Reply::status("302 Found", "")), "302"),
        (Some(Reply::Close), "cannot ask it"),
        (Some(Reply::Hang), "no answer within 1000 ms"),
        (None, "cannot ask it"),
    ] {
        let server = match reply {
            Some(reply) => Some(Server::start(reply).await),
            None => None,
        };
        let url = server
            .as_ref()
            .map_or(format!("http://{dead}"), |server| server.url("/prom/"));
        let run = Run {
            timeout: Duration::from_secs(1),
            ..run("up", "== 1", None)
        };
        let (verdict, blind, message) = first(source(url), run).await;
        assert_eq!(
            (verdict, blind),
            (Verdict::Unknown, Some(Blindness::Source)),
            "{message}"
        );
        assert!(message.contains(says), "{message}");
        assert!(!message.contains("secret-token"), "{message}");
    }
}

#[tokio::test]
async fn a_pass_is_taken_back_when_prometheus_goes_silent() {
    let server = Server::start(Reply::status("200 OK", &vector(&["0"]))).await;
    let running = Running::start(source(server.url("")));
    running.engine.apply(vec![run("up", "< 1", None)].into());
    running.verdict(&id("errors"), Verdict::Pass).await;
    server.answers(Reply::status("200 OK", &vector(&[])));
    let answer = running.verdict(&id("errors"), Verdict::Unknown).await;
    assert!(answer.message.contains("no data"), "{}", answer.message);
    assert_eq!(running.engine.counts().bad, 0);
}

#[tokio::test]
async fn sends_the_query_with_the_hashes_and_the_token() {
    let server = Server::start(Reply::status("200 OK", &vector(&["0"]))).await;
    let query = r#"rate(e{hash="{{canaryHash}}"}[1m])/rate(e{hash="{{stableHash}}"}[1m])"#;
    let (verdict, _, message) = first(
        source(server.url("/prom")),
        run(query, "< 1", Some("canary7")),
    )
    .await;
    assert_eq!(verdict, Verdict::Pass, "{message}");
    let requests = server.requests.lock().unwrap();
    assert!(
        requests[0].starts_with("POST /prom/api/v1/query HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    assert!(
        requests[0].contains("authorization: Bearer secret-token"),
        "{}",
        requests[0]
    );
    assert!(
        requests[0].contains("%7Bhash%3D%22canary7%22%7D"),
        "{}",
        requests[0]
    );
    assert!(
        requests[0].contains("%7Bhash%3D%22stable1%22%7D"),
        "{}",
        requests[0]
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_unknown_and_says_why() {
    let server = Server::start(Reply::status("200 OK", &vector(&["0"]))).await;
    let other = json!({"source": "other", "query": "up", "condition": "== 1"});
    let other = Run {
        check: Check::Prometheus(serde_json::from_value(other).unwrap()),
        ..run("up", "== 1", None)
    };
    for (run, blind, says) in [
        (
            run("e{h=\"{{canaryHash}}\"}", "< 1", None),
            Blindness::NoHash,
            "there is no canary version now",
        ),
        (
            run("up", "is 1", None),
            Blindness::Misconfigured,
            "`is 1` is not a condition",
        ),
        (
            run("{{hash}}", "< 1", None),
            Blindness::Misconfigured,
            "unknown placeholder {{hash}}",
        ),
        (
            other,
            Blindness::Misconfigured,
            "names no prometheus `other`",
        ),
    ] {
        let seen = first(source(server.url("")), run).await;
        assert_eq!(
            (seen.0, seen.1),
            (Verdict::Unknown, Some(blind)),
            "{}",
            seen.2
        );
        assert!(seen.2.contains(says), "{}", seen.2);
    }
    assert_eq!(server.count(), 0, "a query without its hash was sent");
}

#[tokio::test]
async fn options_that_cannot_work_are_errors() {
    for (url, token, says) in [
        ("prometheus:9090", None, "must be absolute"),
        ("ftp://prometheus", None, "must be absolute"),
        ("http://prometheus:9090", Some("two\nlines"), "bearer token"),
    ] {
        let mut options = source(url.to_owned());
        if let Some(source) = options.prometheus.get_mut("main") {
            source.bearer_token = token.map(|token| BearerToken::Given(token.to_owned()));
        }
        let error = sluice_probes::Engine::new(options)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(says) && error.contains("`main`"), "{error}");
        assert!(token.is_none_or(|token| !error.contains(token)), "{error}");
    }
}

/// A file below the folder of this test's binary, gone with the test.
struct TokenFile(std::path::PathBuf);

impl TokenFile {
    fn new(name: &str) -> Self {
        Self(
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("{name}-{}", std::process::id())),
        )
    }

    /// As the kubelet does it: the new file takes the place of the old one.
    fn say(&self, token: &str) {
        let beside = self.0.with_extension("new");
        std::fs::write(&beside, format!("{token}\n")).unwrap();
        std::fs::rename(&beside, &self.0).unwrap();
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn with_file(url: String, file: &TokenFile) -> EngineOptions {
    let mut options = source(url);
    if let Some(source) = options.prometheus.get_mut("main") {
        source.bearer_token = Some(BearerToken::File(file.0.clone()));
    }
    options
}

#[tokio::test]
async fn a_token_file_that_is_replaced_is_read_again_and_without_it_nothing_is_asked() {
    let server = Server::start(Reply::status("200 OK", &vector(&["0"]))).await;
    let file = TokenFile::new("rotated-token");
    file.say("monday");
    let running = Running::start(with_file(server.url(""), &file));
    let run = Run {
        interval: Duration::from_millis(50),
        ..run("up", "< 1", None)
    };
    running.engine.apply(vec![run].into());
    let last = |token: &str| {
        let requests = server.requests.lock().unwrap();
        requests
            .last()
            .is_some_and(|request| request.contains(&format!("authorization: Bearer {token}\r\n")))
    };
    running.when("the first token", || last("monday")).await;
    file.say("tuesday");
    running.when("the second token", || last("tuesday")).await;
    std::fs::remove_file(&file.0).unwrap();
    let answer = running.verdict(&id("errors"), Verdict::Unknown).await;
    assert!(
        answer.message.contains("rotated-token"),
        "{}",
        answer.message
    );
    assert!(
        running
            .engine
            .counts()
            .blind
            .contains_key(&Blindness::Source),
        "{:?}",
        running.engine.counts()
    );
    let asked = server.count();
    file.say("wednesday");
    running.verdict(&id("errors"), Verdict::Pass).await;
    assert!(server.count() > asked && last("wednesday"));
}

#[tokio::test]
async fn a_token_that_is_refused_is_looked_up_at_once() {
    let server = Server::start(Reply::status("401 Unauthorized", "no")).await;
    let file = TokenFile::new("refused-token");
    file.say("old");
    let running = Running::start(with_file(server.url(""), &file));
    file.say("new");
    let run = Run {
        interval: Duration::from_millis(20),
        ..run("up", "< 1", None)
    };
    running.engine.apply(vec![run].into());
    running.when("two questions", || server.count() >= 2).await;
    let requests = server.requests.lock().unwrap();
    assert!(requests[0].contains("Bearer old"), "{}", requests[0]);
    assert!(requests[1].contains("Bearer new"), "{}", requests[1]);
}

#[tokio::test]
async fn a_token_file_that_cannot_be_used_is_an_error_at_the_start() {
    let file = TokenFile::new("unusable-token");
    let error = |file: &TokenFile| {
        sluice_probes::Engine::new(with_file("http://127.0.0.1:1".to_owned(), file))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let missing = error(&file);
    assert!(
        missing.contains("unusable-token") && missing.contains("cannot be read"),
        "{missing}"
    );
    for text in ["", "two\nlines"] {
        file.say(text);
        let broken = error(&file);
        assert!(
            broken.contains("one line of visible characters"),
            "{broken}"
        );
        assert!(!broken.contains("two"), "{broken}");
    }
}
