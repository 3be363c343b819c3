//! The heartbeat's writer against an API server in memory, and its reader on what the writer wrote.

use std::time::{Duration, Instant};

use crate::lease_api::{LeaseApi, Weather};
use sluice_runtime::heartbeat::{Heartbeat, HeartbeatError, HeartbeatReader, INTERVAL, LEASE_NAME};

#[tokio::test]
async fn each_beat_is_one_request_once_it_has_begun() {
    let api = LeaseApi::default();
    let (client, _) = api.client();
    let mut heart = Heartbeat::new(client, "sluice-system", "one");
    heart.beat().await.unwrap();
    assert_eq!(api.requests(), 2, "look, create");
    for _ in 0..10 {
        heart.beat().await.unwrap();
    }
    assert_eq!(api.requests(), 12);
    assert_eq!(api.holder(LEASE_NAME).as_deref(), Some("one"));
}

#[tokio::test]
async fn a_reader_sees_what_the_writer_wrote() {
    let api = LeaseApi::default();
    let (client, _) = api.client();
    let mut heart = Heartbeat::new(client, "sluice-system", "one");
    let start = Instant::now();
    let mut reader = HeartbeatReader::new(start);
    for beat in 0..3 {
        heart.beat().await.unwrap();
        let now = start + INTERVAL * beat;
        reader.observe(&api.lease(LEASE_NAME).unwrap(), now);
        assert_eq!(reader.fresh(now), beat > 0, "beat {beat}");
    }
}

#[tokio::test]
async fn a_new_term_takes_over_and_the_old_writer_is_told() {
    let api = LeaseApi::default();
    let (client, _) = api.client();
    let mut old = Heartbeat::new(client.clone(), "sluice-system", "old");
    old.beat().await.unwrap();
    let mut new = Heartbeat::new(client, "sluice-system", "new");
    new.beat().await.unwrap();
    let error = old.beat().await.unwrap_err();
    assert!(
        matches!(&error, HeartbeatError::TakenOver { holder, .. } if holder == "new"),
        "{error}"
    );
    assert_eq!(api.holder(LEASE_NAME).as_deref(), Some("new"));
    new.beat().await.unwrap();
}

#[tokio::test]
async fn a_beat_after_a_lost_answer_or_an_edit_looks_first() {
    let api = LeaseApi::default();
    let (client, link) = api.client();
    let mut heart = Heartbeat::new(client, "sluice-system", "one");
    heart.beat().await.unwrap();
    link.set(Weather {
        answer_lost: true,
        ..Weather::default()
    });
    heart.beat().await.unwrap_err();
    link.set(Weather::default());
    heart.beat().await.unwrap();
    api.edit(LEASE_NAME, |lease| {
        lease.metadata.labels = Some([("a".into(), "b".into())].into())
    });
    heart.beat().await.unwrap();
    assert!(
        api.lease(LEASE_NAME).unwrap().metadata.labels.is_some(),
        "the edit stays"
    );
    api.delete(LEASE_NAME);
    heart.beat().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_beat_without_an_answer_is_given_up_in_time() {
    let api = LeaseApi::default();
    let (client, link) = api.client();
    link.set(Weather {
        delay: Duration::from_secs(600),
        ..Weather::default()
    });
    let mut heart = Heartbeat::new(client, "sluice-system", "one");
    let begun = tokio::time::Instant::now();
    let error = heart.beat().await.unwrap_err();
    assert!(matches!(error, HeartbeatError::Timeout { .. }), "{error}");
    assert!(begun.elapsed() <= Duration::from_secs(2));
}
