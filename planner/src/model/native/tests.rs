use super::*;

const PIN: i64 = 2_147_483_646;

fn spec(replicas: u32, surge: Share, unavailable: Share, min_ready_seconds: i64) -> Spec {
    Spec {
        replicas,
        paused: false,
        strategy: Strategy::RollingUpdate { surge, unavailable },
        min_ready_seconds,
        history: 10,
        version: "v2".into(),
    }
}

fn running(replicas: u32) -> Sets {
    let mut sets = Sets::default();
    let mut old = spec(replicas, Share::Percent(25), Share::Percent(25), 0);
    old.version = "v1".into();
    settle(&mut sets, &old, &[]);
    sets
}

fn settle(sets: &mut Sets, spec: &Spec, broken: &[&str]) {
    for now in 1..200 {
        sets.sync(spec, now * 1000);
        sets.sync_pods();
        for set in &mut sets.all {
            let broken = broken.contains(&set.version.as_str());
            for pod in &mut set.pods {
                if !broken {
                    pod.ready.get_or_insert(now * 1000);
                }
            }
        }
    }
}

fn sizes(sets: &Sets) -> Vec<u32> {
    sets.all.iter().map(|set| set.replicas).collect()
}

#[test]
fn rests_at_the_fixed_point_under_the_pin() {
    let pods = Share::Pods;
    for (surge, unavailable, rest) in [
        (1, 0, [10, 1]),
        (0, 1, [9, 1]),
        (2, 1, [9, 3]),
        (0, 3, [7, 3]),
    ] {
        let mut sets = running(10);
        settle(
            &mut sets,
            &spec(10, pods(surge), pods(unavailable), PIN),
            &[],
        );
        assert_eq!(sizes(&sets), rest, "{surge} {unavailable}");
    }
}

/// Values recorded from the real controllers, after new pods were let in beside the old ones and old ones were retired.
#[test]
fn scales_as_recorded() {
    let pods = Share::Pods;
    let fifth = Share::Percent(20);
    for (unavailable, replicas, rest) in [
        (pods(2), 20, [17, 3]),
        (pods(2), 5, [3, 2]),
        (fifth, 20, [16, 4]),
        (fifth, 5, [4, 1]),
        (fifth, 30, [24, 6]),
    ] {
        let mut sets = running(10);
        settle(&mut sets, &spec(10, pods(2), pods(0), PIN), &[]);
        settle(&mut sets, &spec(10, pods(0), unavailable, PIN), &[]);
        assert_eq!(sizes(&sets), [8, 2]);
        settle(&mut sets, &spec(replicas, pods(0), unavailable, PIN), &[]);
        assert_eq!(sizes(&sets), rest, "{unavailable:?} at {replicas}");
    }
}

#[test]
fn paused_scales_every_active_version_and_makes_no_new_one() {
    let mut sets = running(10);
    let mut held = spec(10, Share::Percent(25), Share::Percent(25), 0);
    held.paused = true;
    settle(&mut sets, &held, &[]);
    assert_eq!(sizes(&sets), [10], "held at zero");
    held.replicas = 14;
    settle(&mut sets, &held, &[]);
    assert_eq!(sizes(&sets), [14], "scaled while held");
    // two versions under pause: the total becomes replicas + maxSurge
    let mut sets = running(10);
    settle(
        &mut sets,
        &spec(10, Share::Pods(0), Share::Pods(2), PIN),
        &[],
    );
    held.replicas = 10;
    held.min_ready_seconds = PIN;
    settle(&mut sets, &held, &[]);
    assert_eq!(sizes(&sets), [10, 3]);
}

#[test]
fn a_third_template_retires_the_unavailable_one_first() {
    let mut sets = running(10);
    settle(
        &mut sets,
        &spec(10, Share::Pods(0), Share::Pods(2), PIN),
        &[],
    );
    let mut third = spec(10, Share::Pods(0), Share::Pods(2), PIN);
    third.version = "v3".into();
    settle(&mut sets, &third, &[]);
    assert_eq!(sizes(&sets), [8, 0, 2]);
}

#[test]
fn finishes_and_undoes_within_the_users_limits() {
    let quarter = Share::Percent(25);
    let mut sets = running(10);
    settle(
        &mut sets,
        &spec(10, Share::Pods(1), Share::Pods(0), PIN),
        &["v2"],
    );
    assert_eq!(sizes(&sets), [10, 1]);
    let mut back = spec(10, quarter, quarter, 0);
    back.version = "v1".into();
    settle(&mut sets, &back, &["v2"]);
    assert_eq!(sizes(&sets), [10, 0]);
    settle(&mut sets, &spec(10, quarter, quarter, 0), &[]);
    assert_eq!(sizes(&sets), [0, 10]);
}
