//! How a fake container acts, and the words that say so.
//!
//! Words come from the image tag, after the version and separated by `--`:
//! `registry.test/shop/checkout:v3--errors-100`, `:v4--latency-800ms--slow-start-5s`. The pod annotation
//! `fake.sluice.test/behaviour` (words separated by spaces or commas) replaces what the tag says; a switch set by test
//! code ([`crate::World::set_behaviour`]) replaces both, at once, on running pods too. A container without words is
//! healthy. An unknown word is an image that cannot be pulled, with the word in the message.
//!
//! | word | the container |
//! |---|---|
//! | `healthy` | runs, is ready, answers 200 |
//! | `never-ready` | runs, never ready, `/ready` answers 503 |
//! | `slow-start-5s` | ready only 5 s after its start |
//! | `fails-after-10s` | 10 s after its start: not ready, answers 500 |
//! | `errors-25`, `errors-100-after-10s` | stays ready, answers 500 to that share (per cent) of requests |
//! | `latency-800ms` | waits before each answer |
//! | `crash-loop`, `crash-after-3s` | exits 1 after 300 ms (3 s), is restarted with a growing back-off |
//! | `oom-killed`, `oom-after-3s` | the same with exit 137, reason OOMKilled |
//! | `image-pull-error` | never starts: ErrImagePull, ImagePullBackOff |
//! | `start-2s` | stays in ContainerCreating for 2 s (200 ms if not told) |
//! | `slow-stop-10s` | takes 10 s to terminate, at most its grace period (100 ms if not told) |
//! | `run-3s`, `exit-1` | exits after 3 s, with code 1; a container whose pod does not restart always exits 0 after 500 ms if not told |
//!
//! The annotation `fake.sluice.test/run-seconds: "3"` is `run-3s` on top of whatever else holds.

use std::collections::BTreeMap;
use std::time::Duration;

/// The annotation that replaces the tag's words.
pub const BEHAVIOUR: &str = "fake.sluice.test/behaviour";
/// The annotation that sets how long a container runs, in seconds.
pub const RUN_SECONDS: &str = "fake.sluice.test/run-seconds";

/// How a container ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub after: Duration,
    pub code: i32,
    pub oom: bool,
}

/// How a container acts; the default is healthy.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// From bound to running.
    pub start_delay: Duration,
    /// Why the image cannot be pulled.
    pub image_pull_error: Option<String>,
    /// From running to ready; None is never.
    pub ready_after: Option<Duration>,
    /// From running to not ready and answering 500.
    pub fails_after: Option<Duration>,
    pub ends: Option<End>,
    /// Share of requests answered with 500, 0 to 1.
    pub error_rate: f64,
    /// From running to the first error.
    pub errors_after: Duration,
    pub latency: Duration,
    /// From being told to stop to having stopped.
    pub stop_delay: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            start_delay: Duration::from_millis(200),
            image_pull_error: None,
            ready_after: Some(Duration::ZERO),
            fails_after: None,
            ends: None,
            error_rate: 0.0,
            errors_after: Duration::ZERO,
            latency: Duration::ZERO,
            stop_delay: Duration::from_millis(100),
        }
    }
}

const CRASH_AFTER: Duration = Duration::from_millis(300);
pub(super) const RUN_FOR: Duration = Duration::from_millis(500);

impl Behaviour {
    pub fn healthy() -> Self {
        Self::default()
    }

    /// Reads words such as `never-ready latency-800ms`, separated by spaces or commas.
    ///
    /// # Errors
    /// Names the word that is not known.
    pub fn parse(words: &str) -> Result<Self, UnknownWord> {
        let words = words
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|word| !word.is_empty());
        Self::from_words(words)
    }

    fn from_words<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, UnknownWord> {
        let mut behaviour = Self::default();
        for word in words {
            behaviour
                .apply(word)
                .ok_or_else(|| UnknownWord(word.to_owned()))?;
        }
        Ok(behaviour)
    }

    /// What the image tag and then the pod's annotations say.
    pub(super) fn of(image: &str, annotations: &BTreeMap<String, String>) -> Self {
        let words = match annotations.get(BEHAVIOUR) {
            Some(words) => Self::parse(words),
            None => Self::from_words(tag(image).split("--").skip(1)),
        };
        let mut behaviour = words.unwrap_or_else(|error| Self {
            image_pull_error: Some(error.to_string()),
            ..Self::default()
        });
        if let Some(text) = annotations.get(RUN_SECONDS) {
            match text
                .parse::<f64>()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            {
                Some(after) => behaviour.end().after = after,
                None => {
                    behaviour.image_pull_error = Some(format!(
                        "{RUN_SECONDS}: {text:?} is not a number of seconds"
                    ))
                }
            }
        }
        behaviour
    }

    fn apply(&mut self, word: &str) -> Option<()> {
        match word {
            "healthy" => *self = Self::default(),
            "never-ready" => self.ready_after = None,
            "crash-loop" => {
                self.ends = Some(End {
                    after: CRASH_AFTER,
                    code: 1,
                    oom: false,
                })
            }
            "oom-killed" => {
                self.ends = Some(End {
                    after: CRASH_AFTER,
                    code: 137,
                    oom: true,
                })
            }
            "image-pull-error" => self.image_pull_error = Some("manifest unknown".to_owned()),
            _ => self.apply_with_value(word)?,
        }
        Some(())
    }

    fn apply_with_value(&mut self, word: &str) -> Option<()> {
        let value = |prefix: &str| word.strip_prefix(prefix);
        if let Some(text) = value("slow-start-") {
            self.ready_after = Some(duration(text)?);
        } else if let Some(text) = value("slow-stop-") {
            self.stop_delay = duration(text)?;
        } else if let Some(text) = value("fails-after-") {
            self.fails_after = Some(duration(text)?);
        } else if let Some(text) = value("crash-after-") {
            self.ends = Some(End {
                after: duration(text)?,
                code: 1,
                oom: false,
            });
        } else if let Some(text) = value("oom-after-") {
            self.ends = Some(End {
                after: duration(text)?,
                code: 137,
                oom: true,
            });
        } else if let Some(text) = value("start-") {
            self.start_delay = duration(text)?;
        } else if let Some(text) = value("latency-") {
            self.latency = duration(text)?;
        } else if let Some(text) = value("run-") {
            self.end().after = duration(text)?;
        } else if let Some(text) = value("exit-") {
            self.end().code = text.parse().ok()?;
        } else {
            let (share, after) = match value("errors-")?.split_once("-after-") {
                Some((share, after)) => (share, duration(after)?),
                None => (value("errors-")?, Duration::ZERO),
            };
            let share = share
                .parse::<f64>()
                .ok()
                .filter(|share| (0.0..=100.0).contains(share))?;
            self.error_rate = share / 100.0;
            self.errors_after = after;
        }
        Some(())
    }

    fn end(&mut self) -> &mut End {
        self.ends.get_or_insert(End {
            after: RUN_FOR,
            code: 0,
            oom: false,
        })
    }
}

impl std::fmt::Display for Behaviour {
    /// Says what differs from healthy.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let healthy = Self::default();
        let mut said = Vec::new();
        if self.image_pull_error.is_some() {
            said.push("image-pull-error".to_owned());
        }
        match self.ready_after {
            None => said.push("never-ready".to_owned()),
            Some(after) if after > Duration::ZERO => {
                said.push(format!("slow-start-{}ms", after.as_millis()))
            }
            Some(_) => {}
        }
        if let Some(after) = self.fails_after {
            said.push(format!("fails-after-{}ms", after.as_millis()));
        }
        if let Some(end) = self.ends {
            let word = if end.oom { "oom-after" } else { "run" };
            said.push(format!(
                "{word}-{}ms exit-{}",
                end.after.as_millis(),
                end.code
            ));
        }
        if self.error_rate > 0.0 {
            said.push(format!("errors-{}", self.error_rate * 100.0));
        }
        if self.latency > Duration::ZERO {
            said.push(format!("latency-{}ms", self.latency.as_millis()));
        }
        if self.stop_delay > healthy.stop_delay {
            said.push(format!("slow-stop-{}ms", self.stop_delay.as_millis()));
        }
        f.write_str(if said.is_empty() { "healthy" } else { "" })?;
        f.write_str(&said.join(" "))
    }
}

/// A word that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown behaviour word {0:?}")]
pub struct UnknownWord(pub String);

/// The version in an image's tag: what stands before the first `--`; empty without a tag.
pub fn version(image: &str) -> &str {
    tag(image).split("--").next().unwrap_or_default()
}

fn tag(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("", |(_, tag)| tag)
}

fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..split].parse::<u64>().ok()?;
    match &text[split..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(image: &str) -> Behaviour {
        Behaviour::of(image, &BTreeMap::new())
    }

    #[test]
    fn reads_behaviour_from_the_tag() {
        let seconds = Duration::from_secs;
        let cases: Vec<(&str, Behaviour)> = vec![
            ("registry.test/shop/checkout:v1", Behaviour::default()),
            ("registry.test:5000/shop/checkout", Behaviour::default()),
            (
                "a:v2--never-ready",
                Behaviour {
                    ready_after: None,
                    ..Behaviour::default()
                },
            ),
            (
                "a:v3--errors-100",
                Behaviour {
                    error_rate: 1.0,
                    ..Behaviour::default()
                },
            ),
            (
                "a:v3--errors-50-after-2s",
                Behaviour {
                    error_rate: 0.5,
                    errors_after: seconds(2),
                    ..Behaviour::default()
                },
            ),
            (
                "r/a:v4--latency-800ms--slow-start-5s@sha256:00",
                Behaviour {
                    latency: Duration::from_millis(800),
                    ready_after: Some(seconds(5)),
                    ..Behaviour::default()
                },
            ),
            (
                "a:1--run-3s--exit-2",
                Behaviour {
                    ends: Some(End {
                        after: seconds(3),
                        code: 2,
                        oom: false,
                    }),
                    ..Behaviour::default()
                },
            ),
            (
                "a:1--oom-killed",
                Behaviour {
                    ends: Some(End {
                        after: CRASH_AFTER,
                        code: 137,
                        oom: true,
                    }),
                    ..Behaviour::default()
                },
            ),
        ];
        for (image, expected) in cases {
            assert_eq!(of(image), expected, "{image}");
        }
        assert_eq!(version("r:5000/a:v4--latency-800ms"), "v4");
    }

    #[test]
    fn unknown_word_is_an_image_that_cannot_be_pulled() {
        for image in [
            "a:v1--fast",
            "a:v1--errors-101",
            "a:v1--latency-8",
            "a:v1--exit-x",
        ] {
            assert!(
                of(image)
                    .image_pull_error
                    .is_some_and(|why| why.contains("unknown behaviour word")),
                "{image}"
            );
        }
    }

    #[test]
    fn annotation_replaces_the_tag() {
        let annotations =
            BTreeMap::from([(BEHAVIOUR.to_owned(), "latency-1s, never-ready".to_owned())]);
        let behaviour = Behaviour::of("a:v1--errors-100", &annotations);
        assert_eq!(
            behaviour,
            Behaviour {
                latency: Duration::from_secs(1),
                ready_after: None,
                ..Behaviour::default()
            }
        );
    }
}
