//! Which Deployments want a pass. Level-triggered: a key says "look", never what happened, so a key that waits already is not queued twice.
//!
//! A key is worked on by one worker at a time; if it is added meanwhile it comes back once that worker is done. Urgent keys (a verdict changed) go
//! before all others. No I/O; time is tokio's.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::cache::table::Key;

/// First and longest wait after a failed pass.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// So many outdated timers may lie about before they are cleared away.
const OUTDATED: usize = 256;

#[derive(Default)]
struct State {
    urgent: VecDeque<Key>,
    ready: VecDeque<Key>,
    /// In `urgent` or `ready`.
    queued: HashSet<Key>,
    busy: HashSet<Key>,
    /// Added while busy; the flag says urgent.
    again: HashMap<Key, bool>,
    /// The time at which a key is looked at even if nothing happens. The heap may hold outdated entries; this map is the truth.
    due: HashMap<Key, Instant>,
    timers: BinaryHeap<Reverse<(Instant, Key)>>,
    failures: HashMap<Key, u32>,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    more: Notify,
}

impl Queue {
    /// Wants a pass for `key`.
    pub fn add(&self, key: Key) {
        self.with(|state| state.add(key, false));
        self.more.notify_one();
    }

    /// Wants a pass for `key` before all that are not urgent.
    pub fn add_urgent(&self, key: Key) {
        self.with(|state| state.add(key, true));
        self.more.notify_one();
    }

    /// Wants a pass for `key` after `delay`, or earlier if something happens. Replaces the time asked for before.
    pub fn add_after(&self, key: Key, delay: Duration) {
        self.with(|state| state.timer(key, Instant::now() + delay));
        self.more.notify_one();
    }

    /// The next key. The caller ends with [`Self::done`] or [`Self::failed`].
    pub async fn next(&self) -> Key {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            let (key, alarm, left) = self.with(|state| {
                let key = state.take(Instant::now());
                let alarm = state.timers.peek().map(|Reverse((at, _))| *at);
                (key, alarm, !state.queued.is_empty())
            });
            if let Some(key) = key {
                if left {
                    self.more.notify_one();
                }
                return key;
            }
            match alarm {
                Some(at) => tokio::select! {
                    () = more => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => more.await,
            }
        }
    }

    /// The pass for `key` ended well; `wake` is when to look again at the latest.
    pub fn done(&self, key: &Key, wake: Option<Duration>) {
        self.with(|state| {
            state.failures.remove(key);
            match wake {
                Some(delay) => state.timer(key.clone(), Instant::now() + delay),
                None => {
                    state.due.remove(key);
                }
            }
            state.release(key);
        });
        self.more.notify_one();
    }

    /// The pass for `key` failed: it comes back after a wait that doubles each time, with jitter by the key.
    pub fn failed(&self, key: &Key) {
        self.with(|state| {
            let count = state.failures.entry(key.clone()).or_default();
            *count = count.saturating_add(1);
            let wait = BACKOFF
                .0
                .saturating_mul(1 << (*count - 1).min(10))
                .min(BACKOFF.1);
            // keys that failed together should not come back together
            let spread = u32::from(
                key.name
                    .bytes()
                    .fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)),
            );
            let wait = wait + wait * spread / 1024;
            state.timer(key.clone(), Instant::now() + wait);
            // what happened meanwhile must not shorten the wait to nothing: a refused write would spin
            state.again.remove(key);
            state.release(key);
        });
        self.more.notify_one();
    }

    /// How many keys wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.with(|state| state.queued.len())
    }

    // A poisoned lock means a panic between two collection operations; a key may be lost to the next event or timer, nothing worse.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn add(&mut self, key: Key, urgent: bool) {
        if self.busy.contains(&key) {
            *self.again.entry(key).or_default() |= urgent;
            return;
        }
        if self.queued.insert(key.clone()) {
            if urgent {
                self.urgent.push_back(key);
            } else {
                self.ready.push_back(key);
            }
        } else if urgent && !self.urgent.contains(&key) {
            self.ready.retain(|waiting| *waiting != key);
            self.urgent.push_back(key);
        }
    }

    fn timer(&mut self, key: Key, at: Instant) {
        self.due.insert(key.clone(), at);
        self.timers.push(Reverse((at, key)));
        // a key that is looked at every second while it bakes for days would leave an outdated entry each time
        if self.timers.len() > 2 * self.due.len() + OUTDATED {
            let due = self.due.iter().map(|(key, at)| Reverse((*at, key.clone())));
            self.timers = due.collect();
        }
    }

    fn take(&mut self, now: Instant) -> Option<Key> {
        while let Some(Reverse((at, _))) = self.timers.peek() {
            if *at > now {
                break;
            }
            if let Some(Reverse((at, key))) = self.timers.pop()
                && self.due.get(&key) == Some(&at)
            {
                self.due.remove(&key);
                self.add(key, false);
            }
        }
        let key = self.urgent.pop_front().or_else(|| self.ready.pop_front())?;
        self.queued.remove(&key);
        self.busy.insert(key.clone());
        Some(key)
    }

    fn release(&mut self, key: &Key) {
        self.busy.remove(key);
        if let Some(urgent) = self.again.remove(key) {
            self.add(key.clone(), urgent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_worked_on_once_at_a_time_and_comes_back_if_something_happened() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(queue.next().await, key("a"));
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("b"), "a is busy");
        assert_eq!(queue.waiting(), 0);
        queue.done(&key("a"), None);
        assert_eq!(queue.next().await, key("a"));
        queue.done(&key("a"), None);
        assert_eq!(queue.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_key_overtakes_even_when_it_waits_already() {
        let queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.add(key(name));
        }
        queue.add_urgent(key("c"));
        assert_eq!(queue.next().await, key("c"));
        assert_eq!(queue.next().await, key("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn timers_wake_and_are_replaced_by_later_ones() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.add_after(key("a"), Duration::from_secs(5));
        queue.add_after(key("a"), Duration::from_secs(9));
        assert_eq!(queue.next().await, key("a"));
        assert_eq!(start.elapsed(), Duration::from_secs(9));
        queue.done(&key("a"), Some(Duration::from_secs(1)));
        assert_eq!(queue.next().await, key("a"));
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_looked_at_often_and_due_late_leaves_nothing_behind() {
        let queue = Queue::default();
        for _ in 0..10_000 {
            queue.add(key("a"));
            queue.next().await;
            queue.done(&key("a"), Some(Duration::from_secs(86_400)));
        }
        assert!(queue.with(|state| state.timers.len()) <= 2 + OUTDATED + 1);
        let start = Instant::now();
        assert_eq!(queue.next().await, key("a"));
        assert_eq!(start.elapsed(), Duration::from_secs(86_400));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_a_success_forgets_them() {
        let queue = Queue::default();
        let mut waits = Vec::new();
        queue.add(key("a"));
        for _ in 0..12 {
            let start = Instant::now();
            assert_eq!(queue.next().await, key("a"));
            waits.push(start.elapsed());
            queue.add(key("a"));
            queue.failed(&key("a"));
        }
        assert!(waits[1] >= BACKOFF.0 && waits[1] < BACKOFF.0 * 2);
        assert!(waits[2] > waits[1] && waits[11] >= BACKOFF.1);
        queue.next().await;
        queue.done(&key("a"), None);
        queue.add(key("a"));
        queue.next().await;
        queue.failed(&key("a"));
        let start = Instant::now();
        queue.next().await;
        assert!(start.elapsed() < BACKOFF.0 * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn many_workers_take_every_key_once() {
        let queue = std::sync::Arc::new(Queue::default());
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let queue = queue.clone();
            workers.spawn(async move {
                let mut taken = Vec::new();
                while let Ok(key) =
                    tokio::time::timeout(Duration::from_millis(50), queue.next()).await
                {
                    tokio::task::yield_now().await;
                    queue.done(&key, None);
                    taken.push(key);
                }
                taken
            });
        }
        for i in 0..200 {
            queue.add(key(&i.to_string()));
        }
        let mut all: Vec<Key> = workers.join_all().await.into_iter().flatten().collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 200);
    }
}
