//! Leadership under a paused clock: exclusive, renewed, lost and taken over in time, whatever the network does.

use std::time::Duration;

use crate::lease_api::{LeaseApi, Link, Weather};
use sluice_runtime::lease::{Elector, ElectorOptions, Leadership};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

const NAME: &str = "sluice-controller";

struct Candidate {
    leadership: watch::Receiver<Leadership>,
    link: Link,
    drain: CancellationToken,
    task: JoinHandle<()>,
}

impl Candidate {
    fn start(api: &LeaseApi, identity: &str) -> Self {
        let (client, link) = api.client();
        let options = ElectorOptions::new("sluice-system", NAME, identity);
        let (elector, leadership) = Elector::new(client, options);
        let drain = CancellationToken::new();
        let stop = drain.clone();
        let task = tokio::spawn(async move {
            let Ok(()) = elector.run(stop).await;
        });
        Self {
            leadership,
            link,
            drain,
            task,
        }
    }

    fn held(&self) -> bool {
        self.leadership.borrow().held()
    }

    async fn leads(&mut self) {
        timeout(
            Duration::from_secs(60),
            self.leadership.wait_for(Leadership::held),
        )
        .await
        .expect("leads within a minute")
        .unwrap();
    }

    async fn follows(&mut self) {
        timeout(
            Duration::from_secs(60),
            self.leadership.wait_for(|leadership| !leadership.held()),
        )
        .await
        .expect("stops leading within a minute")
        .unwrap();
    }

    /// As kill -9 does: nothing is released.
    fn kill(&self) {
        self.task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_at_once_and_keeps_leading() {
    let api = LeaseApi::default();
    let begun = Instant::now();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    assert!(begun.elapsed() < Duration::from_millis(100));
    for _ in 0..600 {
        sleep(Duration::from_secs(1)).await;
        assert!(one.held());
    }
    // one request per renewal, jitter included
    assert!((200..=235).contains(&api.requests()), "{}", api.requests());
    assert_eq!(one.leadership.borrow().term(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_waits_for_the_whole_duration_after_a_kill() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    let mut two = Candidate::start(&api, "two");
    sleep(Duration::from_secs(100)).await;
    assert!(!two.held());
    one.kill();
    let killed = Instant::now();
    two.leads().await;
    let gap = killed.elapsed();
    // the last renewal was seen up to one look later than it was written
    assert!(
        gap > Duration::from_secs(6) && gap < Duration::from_secs(14),
        "{gap:?}"
    );
    assert_eq!(api.holder(NAME).as_deref(), Some("two"));
    assert_eq!(
        api.lease(NAME).unwrap().spec.unwrap().lease_transitions,
        Some(1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_drained_leader_gives_way_at_once() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    let mut two = Candidate::start(&api, "two");
    sleep(Duration::from_secs(20)).await;
    one.drain.cancel();
    let drained = Instant::now();
    two.leads().await;
    assert!(
        drained.elapsed() <= Duration::from_secs(4),
        "{:?}",
        drained.elapsed()
    );
    assert!(!one.held());
    one.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_network_stops_before_another_begins_and_comes_back() {
    for weather in [
        Weather {
            refused: true,
            ..Weather::default()
        },
        Weather {
            overloaded: true,
            ..Weather::default()
        },
        Weather {
            delay: Duration::from_secs(3600),
            ..Weather::default()
        },
    ] {
        let api = LeaseApi::default();
        let mut one = Candidate::start(&api, "one");
        one.leads().await;
        let mut two = Candidate::start(&api, "two");
        sleep(Duration::from_secs(30)).await;
        let cut = Instant::now();
        one.link.set(weather);
        one.follows().await;
        let stopped = cut.elapsed();
        assert!(!two.held(), "{weather:?}");
        two.leads().await;
        assert!(
            cut.elapsed() >= stopped + Duration::from_secs(1),
            "{weather:?}: {stopped:?} and {:?}",
            cut.elapsed()
        );
        // an outage of an hour does not end the tries
        sleep(Duration::from_secs(3600)).await;
        two.kill();
        one.link.set(Weather::default());
        one.leads().await;
        assert_eq!(one.leadership.borrow().term(), 2, "{weather:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_do_not_cost_the_leadership() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    for _ in 0..20 {
        // the renewal is stored, its answer is not seen
        one.link.set(Weather {
            answer_lost: true,
            ..Weather::default()
        });
        sleep(Duration::from_millis(3100)).await;
        one.link.set(Weather::default());
        sleep(Duration::from_secs(3)).await;
        assert!(one.held());
    }
    assert_eq!(one.leadership.borrow().term(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_someone_else_does_not_cost_the_leadership() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    for _ in 0..10 {
        api.edit(NAME, |lease| {
            lease
                .metadata
                .annotations
                .get_or_insert_default()
                .insert("touched".into(), "yes".into());
        });
        sleep(Duration::from_secs(5)).await;
        assert!(one.held());
    }
    assert_eq!(one.leadership.borrow().term(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_taken_by_force_is_given_up() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    api.edit(NAME, |lease| {
        lease.spec.as_mut().unwrap().holder_identity = Some("intruder".into());
    });
    let taken = Instant::now();
    one.follows().await;
    assert!(
        taken.elapsed() <= Duration::from_secs(4),
        "{:?}",
        taken.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_does_not_make_two_leaders() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    let two = Candidate::start(&api, "two");
    sleep(Duration::from_secs(20)).await;
    api.delete(NAME);
    for _ in 0..300 {
        sleep(Duration::from_millis(100)).await;
        assert!(!(one.held() && two.held()));
    }
    assert!(one.held(), "the one that held it makes it anew");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_process_does_not_act_when_it_wakes_up() {
    let api = LeaseApi::default();
    let mut one = Candidate::start(&api, "one");
    one.leads().await;
    // SIGSTOP: its tasks do not run, so nobody tells it; only the clock does
    one.kill();
    assert!(one.held());
    sleep(Duration::from_secs(8)).await;
    assert!(!one.held());
}

/// A small generator of our own: the seed is the test's only source of chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test(start_paused = true)]
async fn never_two_leaders_in_any_weather() {
    let seed = std::env::var("SLUICE_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_121);
    println!("SLUICE_TEST_SEED={seed}");
    let mut dice = Dice(seed);
    let api = LeaseApi::default();
    let mut candidates: Vec<_> = (0..4)
        .map(|number| Candidate::start(&api, &format!("start-{number}")))
        .collect();
    let (mut led, mut changes, mut last) = (0u32, 0u32, None);
    for step in 0..40_000u32 {
        sleep(Duration::from_millis(100)).await;
        let leading: Vec<_> = (0..candidates.len())
            .filter(|number| candidates[*number].held())
            .collect();
        assert!(
            leading.len() <= 1,
            "seed {seed} step {step}: {leading:?} lead"
        );
        if let Some(now) = leading.first().copied() {
            led += 1;
            changes += u32::from(last.replace(now) != Some(now));
        }
        let number = usize::try_from(dice.below(4)).unwrap();
        match dice.below(200) {
            0 => {
                candidates[number].kill();
                candidates[number] = Candidate::start(&api, &format!("again-{step}"));
            }
            1 => {
                candidates[number].drain.cancel();
                candidates[number] = Candidate::start(&api, &format!("after-{step}"));
            }
            2 => candidates[number].link.set(Weather {
                delay: Duration::from_millis(dice.below(6000)),
                answer_delay: Duration::from_millis(dice.below(6000)),
                refused: dice.below(4) == 0,
                answer_lost: dice.below(3) == 0,
                overloaded: dice.below(4) == 0,
            }),
            3..=6 => candidates[number].link.set(Weather::default()),
            _ => {}
        }
    }
    // the run is worth nothing if nobody led or nothing ever changed hands
    assert!(led > 8_000, "{led} of 40,000 steps with a leader");
    assert!(changes > 20, "{changes} changes of the leader");
}
