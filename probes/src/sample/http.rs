//! The http check: ask, and judge the answer.

use std::{fmt::Write as _, time::Duration};

use sluice_api::{HttpCheck, probe::HttpExpectation};
use tokio::time::Instant;

use super::{
    Judged, Plan, looked_late,
    transport::{Destination, Failure, Progress, Reply, Transport},
};
use crate::{
    allow_list::{Admitted, TargetAllowList},
    outcome::{Blindness, Outcome, plain},
    run::PodTarget,
    validate,
};

/// How much of a body a message shows, in characters.
const SHOWN: usize = 80;

/// How one target is asked over HTTP.
pub(crate) struct HttpPlan {
    pub(super) name: String,
    destination: Destination,
    expect: HttpExpectation,
}

impl HttpPlan {
    pub(super) fn of_url(check: &HttpCheck, url: &str, allow: &TargetAllowList) -> Plan {
        let (url, admitted) = match validate::url_target(url, allow) {
            Ok(admitted) => admitted,
            Err(problem) => {
                let why = if problem.forbidden {
                    Blindness::NotAllowed
                } else {
                    Blindness::Misconfigured
                };
                return Plan::blind("url", why, plain(&problem.found));
            }
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Plan::blind("url", Blindness::Misconfigured, "the URL has no host");
        };
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path.push('?');
            path.push_str(query);
        }
        let Some(path) = validate::request_path(&path) else {
            return Plan::blind(
                "url",
                Blindness::Misconfigured,
                "the URL has no usable path",
            );
        };
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Plan::Http(Box::new(Self {
            // without the query, which may carry a token
            name: format!("{}://{authority}{}", url.scheme(), url.path()),
            destination: Destination {
                https: url.scheme() == "https",
                host: host.trim_matches(['[', ']']).to_owned(),
                port,
                authority,
                path,
                admitted,
            },
            expect: check.expect.clone(),
        }))
    }

    pub(super) fn of_pod(check: &HttpCheck, pod: &PodTarget, allow: &TargetAllowList) -> Plan {
        let name = pod.name.clone();
        let Some(address) = pod.ip else {
            return Plan::blind(name, Blindness::Misconfigured, "the pod has no address");
        };
        if !allow.allows_pod(address) {
            return Plan::blind(
                name,
                Blindness::NotAllowed,
                format!("{address} is not an allowed probe target"),
            );
        }
        let Some(port) = check.target.port.filter(|port| *port != 0) else {
            return Plan::blind(name, Blindness::Misconfigured, "the check names no port");
        };
        let path = check.target.path.as_deref().unwrap_or("/");
        let Some(path) = validate::request_path(path) else {
            return Plan::blind(
                name,
                Blindness::Misconfigured,
                "the check's path is no path",
            );
        };
        let host = address.to_string();
        Plan::Http(Box::new(Self {
            name,
            destination: Destination {
                https: false,
                port,
                authority: if address.is_ipv6() {
                    format!("[{host}]:{port}")
                } else {
                    format!("{host}:{port}")
                },
                host,
                path,
                admitted: Admitted::Named,
            },
            expect: check.expect.clone(),
        }))
    }

    /// Asks once and judges the answer.
    pub(super) async fn sample(&self, transport: &Transport, timeout: Duration) -> Judged {
        let start = Instant::now();
        let progress = Progress::default();
        let asked =
            tokio::time::timeout(timeout, transport.ask(&self.destination, &progress)).await;
        let elapsed = start.elapsed();
        match asked {
            Ok(Ok(reply)) => judge(&reply, elapsed, &self.expect),
            Ok(Err(Failure::Target(saw))) => Outcome::bad(saw).into(),
            Ok(Err(Failure::Prober(why, saw))) => Outcome::blind(why, saw).into(),
            Err(_) => match progress.out_of_time() {
                Failure::Prober(why, saw) => Outcome::blind(why, saw).into(),
                Failure::Target(_) if looked_late(elapsed, timeout) => Outcome::blind(
                    Blindness::Late,
                    format!(
                        "the prober looked after {} instead of {} ms",
                        elapsed.as_millis(),
                        timeout.as_millis()
                    ),
                )
                .into(),
                Failure::Target(saw) => Judged {
                    outcome: Outcome::bad(format!("{saw} ({} ms)", timeout.as_millis())),
                    limit: Some(timeout),
                },
            },
        }
    }
}

/// What is judged first is what says most: the status, then the body, then the time.
fn judge(reply: &Reply, elapsed: Duration, expect: &HttpExpectation) -> Judged {
    let status = reply.status.as_u16();
    let mut saw = format!("status {status} in {} ms", elapsed.as_millis());
    if !expect.status.contains(&status) {
        let wanted: Vec<String> = expect.status.iter().map(ToString::to_string).collect();
        let _ = write!(saw, " (expected {})", wanted.join(" or "));
        if !reply.body.is_empty() {
            let _ = write!(saw, ": {:?}", shown(&reply.body));
        }
        return Outcome::bad(saw).into();
    }
    if let Some(wanted) = &expect.body_contains
        && !contains(&reply.body, wanted.as_bytes())
    {
        let wanted: String = wanted.chars().take(SHOWN).collect();
        let _ = write!(saw, ", body without {wanted:?}: {:?}", shown(&reply.body));
        return Outcome::bad(saw).into();
    }
    if let Some(within) = expect.within
        && elapsed > within.get()
    {
        let _ = write!(saw, " (expected within {within})");
        return Judged {
            outcome: Outcome::bad(saw),
            limit: Some(within.get()),
        };
    }
    Outcome::good(saw).into()
}

fn shown(body: &[u8]) -> String {
    // four bytes are the longest character
    String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)])
        .chars()
        .take(SHOWN)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample itself notices that it was woken too late, also where the scheduling loop was in time.
    #[tokio::test]
    async fn a_timeout_that_is_seen_too_late_blames_nobody() {
        // accepts, by its backlog, and never answers
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let allow = TargetAllowList::parse(["127.0.0.1"]).unwrap();
        let transport = Transport::new(None, allow.clone()).unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let check = HttpCheck {
            target: sluice_api::HttpTarget::default(),
            expect: HttpExpectation::default(),
        };
        let Plan::Http(plan) = HttpPlan::of_url(&check, &url, &allow) else {
            panic!("no plan");
        };
        let standstill = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            std::thread::sleep(Duration::from_millis(400));
        };
        let sample = plan.sample(&transport, Duration::from_millis(100));
        let (judged, ()) = futures::join!(sample, standstill);
        assert!(
            matches!(
                judged.outcome,
                Outcome::Blind {
                    why: Blindness::Late,
                    ..
                }
            ),
            "{:?}",
            judged.outcome
        );
    }
}
