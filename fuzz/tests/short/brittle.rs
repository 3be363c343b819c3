//! That the machinery finds what it is there to find.

use std::time::{Duration, Instant};

use sluice_fuzz::{
    measure::{self, Bounds, begin},
    run::run,
    target::{Fingerprint, Form, Seen, TIME, Target},
};

use crate::alone;

#[test]
fn work_and_memory_of_every_thread_are_seen() {
    let _alone = alone();
    let before = begin();
    let worker = std::thread::spawn(|| {
        let bytes = vec![1_u8; 8 << 20];
        bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>()
    });
    assert_eq!(worker.join().unwrap(), 8 << 20);
    let cost = before.cost();
    // a little less than the worker took: what the process gives back meanwhile is counted against it
    assert!(cost.memory >= 7 << 20, "{cost:?}");
    assert!(cost.time > Duration::ZERO, "{cost:?}");
    let none = Bounds {
        time: Duration::from_secs(60),
        memory: 1 << 20,
    };
    assert!(cost.above(none).is_some_and(|text| text.contains("bytes")));
    let none = Bounds {
        time: Duration::ZERO,
        memory: usize::MAX,
    };
    assert!(cost.above(none).is_some_and(|text| text.contains("time")));
}

/// Breaks its promise at one word, panics at another and dawdles at a third.
struct Brittle(&'static str);

impl Target for Brittle {
    fn name(&self) -> &'static str {
        "brittle"
    }

    fn form(&self) -> Form {
        Form::Line
    }

    fn longest(&self) -> usize {
        40
    }

    fn memory(&self) -> usize {
        1 << 20
    }

    fn seeds(&self) -> Vec<String> {
        vec!["a b c".to_owned(), "one two".to_owned()]
    }

    fn words(&self) -> Vec<String> {
        ["lie", "panic", "dawdle", "hoard", "fine"]
            .map(str::to_owned)
            .to_vec()
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let text = String::from_utf8_lossy(case);
        if text.contains(self.0) {
            match self.0 {
                "lie" => return Err("a lie".to_owned()),
                "panic" => panic!("at {}", text.len()),
                "dawdle" => {
                    let began = Instant::now();
                    let before = measure::processor_time();
                    while measure::processor_time() < before + TIME + Duration::from_millis(50)
                        && began.elapsed().as_secs() < 60
                    {
                        std::hint::spin_loop();
                    }
                }
                _ => drop(std::hint::black_box(vec![1_u8; 2 << 20])),
            }
        }
        Ok(Fingerprint::default().add(text.len()).seen("read"))
    }
}

fn cases(seed: u64) -> Vec<Vec<u8>> {
    let mut seen = Vec::new();
    run(
        &mut Brittle("nothing"),
        Vec::new(),
        seed,
        500,
        |case| seen.push(case.to_vec()),
        |_, _, _| {},
    )
    .unwrap();
    seen
}

#[test]
fn the_same_seed_makes_the_same_cases_and_another_one_others() {
    let _alone = alone();
    assert_eq!(cases(3), cases(3));
    assert_ne!(cases(3), cases(4));
    assert!(cases(3).iter().all(|case| case.len() <= 40));
}

#[test]
fn whatever_breaks_is_found_with_its_case() {
    let _alone = alone();
    for (what, said) in [
        ("lie", "a lie"),
        ("panic", "panicked: at "),
        ("dawdle", "processor time"),
        ("hoard", "bytes at its peak"),
    ] {
        let broken = run(
            &mut Brittle(what),
            Vec::new(),
            1,
            100_000,
            |_| {},
            |_, _, _| {},
        )
        .unwrap_err();
        assert!(broken.what.contains(said), "{what}: {}", broken.what);
        assert!(
            String::from_utf8_lossy(&broken.case).contains(what),
            "{what}"
        );
    }
}
