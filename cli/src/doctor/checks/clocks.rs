//! Whether the clocks agree: ours, the API server's, and those of the programs. Certificates and exceptions begin and end by them.

use jiff::{SignedDuration, Timestamp};

use super::{Check, Facts, Findings, known};

/// See the module.
pub struct Clocks;

/// More than this is a clock that is wrong: exceptions from policies end at their second, and the API server's answer carries whole seconds only.
const LIMIT: SignedDuration = SignedDuration::from_secs(10);
const SET: &str = "set the clock of that machine right (is its time service running?)";

impl Check for Clocks {
    fn name(&self) -> &'static str {
        "clocks"
    }

    fn asks(&self) -> &'static str {
        "do the clocks of this machine, the API server, the leader and every webhook agree to 10 s?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(ahead) = known(
            &facts.server_ahead,
            findings,
            "ask an API server that sends the header Date",
        ) else {
            return;
        };
        // every clock in terms of the API server's
        let mut clocks = vec![("this machine".to_owned(), -*ahead)];
        let mut heard = |who: String, stamp: Option<Timestamp>, heard: Option<Timestamp>| {
            if let (Some(stamp), Some(heard)) = (stamp, heard) {
                clocks.push((who, stamp.duration_since(heard) - *ahead));
            }
        };
        if let Ok(Some(leader)) = &facts.leader {
            heard(
                "the leading controller".to_owned(),
                leader.stamp,
                leader.heard,
            );
        }
        for one in facts
            .replicas
            .iter()
            .flat_map(|replicas| &replicas.replicas)
        {
            let stamp = one.said.as_ref().map(|said| said.at);
            heard(format!("webhook {}", one.name), stamp, one.heard);
        }
        let before = findings.0.len();
        for (who, ahead) in &clocks {
            if ahead.abs() > LIMIT {
                findings.broken(
                    format!(
                        "{who} is {} s {} the API server",
                        (ahead.abs() + SignedDuration::from_millis(500)).as_secs(),
                        if ahead.is_positive() {
                            "ahead of"
                        } else {
                            "behind"
                        }
                    ),
                    SET,
                );
            }
        }
        if findings.0.len() == before {
            let names: Vec<String> = clocks.into_iter().map(|(who, _)| who).collect();
            findings.fine(format!(
                "within 10 s of the API server: {}",
                names.join(", ")
            ));
        }
    }
}
