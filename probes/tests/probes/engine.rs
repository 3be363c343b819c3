//! The engine with real servers: schedules, changes of the desired runs, overload, standstill.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::common::{Reply, Running, Server, answer, id, options, pod, pods_run, url_run};
use sluice_api::{Verdict, probe::VerdictRule};
use sluice_probes::{
    Blindness, DesiredRuns, Engine, EngineOptions, PodTarget, Run, RunId, Targets, moment::Moment,
};
use tokio::sync::broadcast::error::TryRecvError;

fn ok() -> Reply {
    Reply::status("200 OK", "ok")
}

fn broken() -> Reply {
    Reply::status("500 Oops", "boom")
}

#[tokio::test]
async fn a_hard_failure_flips_in_exactly_three_samples() {
    let server = Server::start(ok()).await;
    let running = Running::start(options());
    let run = id("hard");
    running.engine.apply(
        vec![Run {
            interval: Duration::from_secs(3600),
            ..url_run("hard", &server.url("/"))
        }]
        .into(),
    );
    running.verdict(&run, Verdict::Pass).await;
    server.answers(broken());
    let mut first_bad = None;
    for (sample, verdict) in [(1, Verdict::Pass), (2, Verdict::Pass), (3, Verdict::Fail)] {
        running.engine.trigger(&run);
        running
            .when("the sample", || running.engine.counts().bad == sample)
            .await;
        let answer = running.engine.answer(&run);
        assert_eq!(answer.verdict, verdict, "after {sample}: {answer:?}");
        assert_eq!(
            *first_bad.get_or_insert(answer.first_bad),
            answer.first_bad,
            "the first bad sample is the first"
        );
        assert_eq!(answer.detected.is_some(), sample == 3);
    }
    let message = running.engine.answer(&run).message;
    assert!(
        message.contains("status 500") && message.contains("boom"),
        "{message}"
    );
    server.answers(ok());
    running.engine.trigger(&run);
    let passing = running.verdict(&run, Verdict::Pass).await;
    assert_eq!((passing.first_bad, passing.detected), (None, None));
}

#[tokio::test]
async fn a_changed_verdict_is_announced_within_ten_milliseconds() {
    let server = Server::start(broken()).await;
    let running = Running::start(options());
    let mut changes = running.engine.changes();
    let run = Run {
        interval: Duration::from_secs(3600),
        rule: VerdictRule {
            fail_after: 1,
            pass_after: 1,
        },
        ..url_run("told", &server.url("/"))
    };
    let mut fastest = Duration::MAX;
    running.engine.apply(vec![run].into());
    // the best of a few: the machine may be busy, the engine may not be slow
    for round in 0..10 {
        let change = tokio::time::timeout(crate::common::PATIENCE, changes.recv());
        assert_eq!(change.await.unwrap().unwrap(), id("told"));
        let heard = jiff::Timestamp::now();
        let answer = running.engine.answer(&id("told"));
        assert_eq!(answer.verdict == Verdict::Fail, round % 2 == 0);
        let latency: Duration = heard.duration_since(answer.at.unwrap()).try_into().unwrap();
        fastest = fastest.min(latency);
        server.answers(if round % 2 == 0 { ok() } else { broken() });
        running.engine.trigger(&id("told"));
    }
    assert!(fastest < Duration::from_millis(10), "{fastest:?}");
}

#[tokio::test]
async fn a_trigger_samples_at_once_and_again_after_a_sample_on_its_way() {
    let server = Server::start(ok()).await;
    let running = Running::start(options());
    let run = Run {
        interval: Duration::from_secs(3600),
        timeout: Duration::from_secs(30),
        ..url_run("rare", &server.url("/"))
    };
    running.engine.apply(vec![run].into());
    running.verdict(&id("rare"), Verdict::Pass).await;
    assert_eq!(server.count(), 1);
    let first = running.engine.answer(&id("rare")).at;
    running.engine.trigger(&id("rare"));
    running.until(&id("rare"), |answer| answer.at > first).await;
    assert_eq!(server.count(), 2);
    // while one is on its way
    server.answers(Reply::Slow(
        Duration::from_millis(100),
        answer("200 OK", "ok"),
    ));
    running.engine.trigger(&id("rare"));
    running
        .when("the third request", || server.count() == 3)
        .await;
    running.engine.trigger(&id("rare"));
    running
        .when("the fourth request", || server.count() == 4)
        .await;
    // nobody knows this one
    running.engine.trigger(&id("nobody"));
}

#[tokio::test]
async fn unchanged_runs_go_on_changed_ones_start_again_and_undesired_ones_end() {
    let server = Server::start(ok()).await;
    let other = Server::start(ok()).await;
    let running = Running::start(options());
    let run = |name: &str| Run {
        interval: Duration::from_secs(3600),
        ..url_run(name, &server.url("/"))
    };
    let desired = || -> DesiredRuns { ["a", "b"].into_iter().map(run).collect() };
    running.engine.apply(desired());
    running.verdict(&id("a"), Verdict::Pass).await;
    running.verdict(&id("b"), Verdict::Pass).await;
    let mut changes = running.engine.changes();
    running.engine.apply(desired());
    assert_eq!(running.engine.answer(&id("a")).verdict, Verdict::Pass);
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));

    // b asks someone who never answers: what it proved of another target is worth nothing
    other.answers(Reply::Hang);
    let changed = Run {
        targets: Targets::Url(other.url("/")),
        ..run("b")
    };
    running.engine.apply(vec![run("a"), changed.clone()].into());
    assert_eq!(running.engine.answer(&id("a")).verdict, Verdict::Pass);
    assert_eq!(running.engine.answer(&id("b")).verdict, Verdict::Unknown);
    assert_eq!(changes.try_recv(), Ok(id("b")));

    running.engine.apply(vec![changed].into());
    let gone = running.engine.answer(&id("a"));
    assert_eq!(
        (gone.verdict, gone.message.as_str()),
        (Verdict::Unknown, "shop/a is not being run")
    );
    assert_eq!(running.engine.counts().runs, 1);
    assert_eq!(running.engine.counts().targets, 1);
    assert_eq!(server.count(), 2, "an unchanged run was disturbed");
}

#[tokio::test]
async fn of_two_runs_with_one_id_the_last_counts_and_nothing_thrashes() {
    let first = Server::start(broken()).await;
    let last = Server::start(ok()).await;
    let running = Running::start(options());
    let desired = || -> DesiredRuns {
        let run = |server: &Server| Run {
            interval: Duration::from_secs(3600),
            ..url_run("twice", &server.url("/"))
        };
        vec![run(&first), run(&last)].into()
    };
    running.engine.apply(desired());
    running.verdict(&id("twice"), Verdict::Pass).await;
    running.engine.apply(desired());
    assert_eq!(running.engine.answer(&id("twice")).verdict, Verdict::Pass);
    assert_eq!((first.count(), last.count()), (0, 1));
}

#[tokio::test]
async fn any_failing_pod_fails_and_a_new_pod_must_pass_itself() {
    let good = Server::on("127.0.0.2:0", ok()).await;
    let port = good.address.port();
    let bad = Server::on(&format!("127.0.0.3:{port}"), ok()).await;
    let running = Running::start(options());
    let run = id("pods");
    let apply = |pods: Vec<PodTarget>| {
        running
            .engine
            .apply(vec![pods_run("pods", port, pods)].into())
    };

    apply(vec![]);
    assert_eq!(running.engine.answer(&run).verdict, Verdict::Unknown);
    assert_eq!(running.engine.answer(&run).message, "no pods to ask");

    apply(vec![pod("good", "127.0.0.2")]);
    running.verdict(&run, Verdict::Pass).await;
    let before = good.count();

    // a pod that has no address, then one that is not ready: nothing is proved of them
    let unborn = PodTarget {
        ip: None,
        ready: false,
        started: None,
        ..pod("bad", "127.0.0.3")
    };
    apply(vec![pod("good", "127.0.0.2"), unborn]);
    let answer = running.engine.answer(&run);
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert_eq!(
        answer.message,
        "bad: has no address yet (1 of 2 pods unknown)"
    );
    let starting = PodTarget {
        ready: false,
        ..pod("bad", "127.0.0.3")
    };
    apply(vec![pod("good", "127.0.0.2"), starting.clone()]);
    assert_eq!(
        running.engine.answer(&run).message,
        "bad: is not ready yet (1 of 2 pods unknown)"
    );
    let meanwhile = good.count() + 2;
    running
        .when("samples of the other pod", || good.count() >= meanwhile)
        .await;
    assert_eq!(bad.count(), 0, "a pod that is still starting was asked");

    // it becomes ready and passes: so does the run, and the first pod was never disturbed
    apply(vec![pod("good", "127.0.0.2"), pod("bad", "127.0.0.3")]);
    let answer = running.verdict(&run, Verdict::Pass).await;
    assert_eq!(answer.targets, 2);
    assert!(good.count() >= before);

    // it fails, and goes on being asked although it is no longer ready
    bad.answers(broken());
    apply(vec![pod("good", "127.0.0.2"), starting]);
    let answer = running.verdict(&run, Verdict::Fail).await;
    assert!(
        answer.message.starts_with("bad: status 500"),
        "{}",
        answer.message
    );
    assert!(
        answer.message.ends_with("(1 of 2 pods fail)"),
        "{}",
        answer.message
    );
    assert_eq!(answer.evidence[0].target, "bad");

    // it is deleted
    apply(vec![pod("good", "127.0.0.2")]);
    assert_eq!(running.engine.answer(&run).verdict, Verdict::Pass);
}

#[tokio::test]
async fn an_overloaded_prober_is_unknown_and_never_fails_anyone() {
    let hanging = Server::start(Reply::Hang).await;
    let server = Server::start(ok()).await;
    // one sample at a time, and one target that keeps it busy for as long as it may
    let running = Running::start(EngineOptions {
        max_in_flight: 1,
        ..options()
    });
    let hog = Run {
        interval: Duration::from_secs(3600),
        timeout: Duration::from_secs(3600),
        ..url_run("hog", &hanging.url("/"))
    };
    running.engine.apply(vec![hog.clone()].into());
    running
        .when("the hog's request", || hanging.count() == 1)
        .await;
    running
        .engine
        .apply(vec![hog, url_run("starved", &server.url("/"))].into());
    let answer = running
        .until(&id("starved"), |answer| {
            answer.message.contains("overloaded")
        })
        .await;
    assert_eq!(answer.verdict, Verdict::Unknown);
    let counts = running.engine.counts();
    assert_eq!((counts.bad, counts.good), (0, 0));
    assert!(counts.blind[&Blindness::Late] > 0);
    assert_eq!(server.count(), 0);
}

/// The engine's process stands still (as after SIGSTOP) again and again; the target is fine all the time and answers within its limits.
#[test]
fn a_standstill_of_the_prober_blames_nobody() {
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let (tell, told) = std::sync::mpsc::channel();
    let serving = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::start(Reply::Slow(
                    Duration::from_millis(20),
                    answer("200 OK", "ok"),
                ))
                .await;
                tell.send(server.url("/")).unwrap();
                while !stop.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
    });
    let url = told.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let running = Running::start(options());
        let expect = serde_json::json!({"target": {"url": url}, "expect": {"within": "900ms"}});
        let run = Run {
            check: sluice_probes::Check::Http(crate::common::http(expect)),
            timeout: Duration::from_secs(1),
            interval: Duration::from_secs(1),
            rule: VerdictRule {
                fail_after: 1,
                pass_after: 1,
            },
            ..url_run("still", &url)
        };
        running.engine.apply(vec![run].into());
        running.verdict(&id("still"), Verdict::Pass).await;
        for round in 0..3u32 {
            // at another point of a sample each time
            tokio::time::sleep(Duration::from_millis(9 * u64::from(round))).await;
            running.engine.trigger(&id("still"));
            tokio::time::sleep(Duration::from_millis(3)).await;
            // longer than proof keeps: two intervals and a timeout
            std::thread::sleep(Duration::from_millis(3_200));
            let answer = running.engine.answer(&id("still"));
            assert_eq!(
                answer.verdict,
                Verdict::Unknown,
                "stale proof after a standstill: {answer:?}"
            );
            running
                .until(&id("still"), |answer| {
                    assert_ne!(answer.verdict, Verdict::Fail, "{}", answer.message);
                    answer.verdict == Verdict::Pass
                })
                .await;
        }
        assert_eq!(running.engine.counts().bad, 0);
    });
    stop.store(true, Ordering::SeqCst);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_pass_closes_by_itself_when_nobody_probes_any_more() {
    let server = Server::start(ok()).await;
    let mut running = Running::start(options());
    let run = Run {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        ..url_run("alone", &server.url("/"))
    };
    running.engine.apply(vec![run].into());
    running.verdict(&id("alone"), Verdict::Pass).await;
    running
        .when("a pulse", || {
            running.engine.pulse().is_healthy(Moment::now())
        })
        .await;
    running.stop().await;
    tokio::time::pause();
    // its own schedule allows two intervals and a timeout; real time that passed counts as well
    tokio::time::advance(Duration::from_secs(10)).await;
    let answer = running.engine.answer(&id("alone"));
    assert_eq!(answer.verdict, Verdict::Pass, "{answer:?}");
    assert!(answer.age.unwrap() >= Duration::from_secs(10));
    assert!(!running.engine.pulse().is_healthy(Moment::now()));
    tokio::time::advance(Duration::from_secs(5)).await;
    let answer = running.engine.answer(&id("alone"));
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert!(
        answer.message.contains("stale: last proved 15 s ago"),
        "{}",
        answer.message
    );
}

#[tokio::test]
async fn nothing_is_proved_before_the_task_runs() {
    let (engine, _task) = Engine::new(options()).unwrap();
    engine.apply(vec![url_run("idle", "http://localhost/")].into());
    let answer = engine.answer(&id("idle"));
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert!(
        answer.message.ends_with("not asked yet"),
        "{}",
        answer.message
    );
    assert!(!engine.pulse().is_healthy(Moment::now()));
}

#[tokio::test]
async fn applying_ten_thousand_unchanged_runs_is_cheap() {
    let (engine, _task) = Engine::new(options()).unwrap();
    let desired = || -> DesiredRuns {
        (0..10_000)
            .map(|i| Run {
                id: RunId {
                    probe: format!("team-{}/probe-{i}", i % 100),
                    context: format!("release-{i}"),
                },
                interval: Duration::from_secs(10),
                ..url_run("x", "http://localhost:8080/ready")
            })
            .collect()
    };
    engine.apply(desired());
    let fastest = (0..5)
        .map(|_| {
            let again = desired();
            let start = Instant::now();
            engine.apply(again);
            start.elapsed()
        })
        .min()
        .unwrap();
    assert_eq!(engine.counts().runs, 10_000);
    // without optimisation, on a busy machine
    assert!(fastest < Duration::from_millis(250), "{fastest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_samples_a_second_blame_nobody() {
    let server = Server::start(ok()).await;
    let running = Running::start(options());
    let runs = (0..2_000).map(|i| Run {
        interval: Duration::from_secs(1),
        ..url_run(&format!("probe-{i}"), &server.url("/ready"))
    });
    running.engine.apply(runs.collect());
    running
        .when("three rounds", || running.engine.counts().good >= 6_000)
        .await;
    // late samples are allowed on a busy machine, failing ones would be made by the prober itself
    let counts = running.engine.counts();
    assert_eq!(counts.bad, 0, "{counts:?}");
    assert!(
        counts.blind.keys().all(|why| *why == Blindness::Late),
        "{counts:?}"
    );
}
