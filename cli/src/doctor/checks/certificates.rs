//! Whether the served certificate is one that the API server accepts, how long it lasts, and whether it is renewed in time.

use jiff::{SignedDuration, Timestamp};
use sluice_api::{SYSTEM_NAMESPACE, access::CERTIFICATE_SECRET};
use sluice_certs::inspect::{self, Facts as Validity};

use super::{Check, Facts, Findings, known};
use crate::doctor::facts::Configuration;

/// See the module.
pub struct CertificatesCheck;

/// Renewal is due when two thirds of a life are over; this part of it later it is overdue.
const OVERDUE: i32 = 20;
const ANEW: &str = "kubectl -n sluice-system delete secret sluice-webhook-certs: the leading controller issues it anew and publishes it within a minute";

impl Check for CertificatesCheck {
    fn name(&self) -> &'static str {
        "certificates"
    }

    fn asks(&self) -> &'static str {
        "does the API server accept what the webhook serves, for how long, and is it renewed in time?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let repair = format!(
            "run it as somebody who may get the Secret {CERTIFICATE_SECRET} in {SYSTEM_NAMESPACE}"
        );
        let Some(stored) = known(&facts.certificates, findings, &repair) else {
            return;
        };
        let Some(stored) = stored else {
            findings.broken(
                format!("there is no Secret {CERTIFICATE_SECRET}"),
                "the leading controller makes it within a minute: see the check `leader`",
            );
            return;
        };
        for (what, pem) in [
            ("serving certificate", &stored.serving),
            ("authority", &stored.authority),
        ] {
            match inspect::facts(pem) {
                Ok(validity) => lasts(what, &validity, facts.now, findings),
                Err(error) => findings.broken(format!("{what}: {error}"), ANEW),
            }
        }
        // of one that is over everything is said
        let over =
            inspect::facts(&stored.serving).is_ok_and(|serving| serving.not_after <= facts.now);
        for configuration in facts.configurations.iter().flatten() {
            if !over && super::admission_table::is_ours(&configuration.name) {
                accepted(configuration, &stored.serving, facts.now, findings);
            }
        }
    }
}

fn lasts(what: &str, validity: &Validity, now: Timestamp, findings: &mut Findings) {
    let left = validity.not_after.duration_since(now);
    let life = validity.not_after.duration_since(validity.not_before);
    let due = validity.two_thirds();
    if left <= SignedDuration::ZERO {
        findings.broken(format!("{what}: expired on {}", validity.not_after), ANEW);
    } else if validity.not_before > now {
        findings.broken(
            format!("{what}: not valid before {}", validity.not_before),
            "set the clocks right: see the check `clocks`",
        );
    } else if now > due + life / OVERDUE {
        findings.broken(
            format!(
                "{what}: {} left, and should have been renewed on {due}",
                span(left)
            ),
            "the leading controller renews it: see the check `leader`, and its log",
        );
    } else {
        findings.fine(format!("{what}: {} left", span(left)));
    }
}

/// One finding per configuration that would not accept the certificate; none is well.
fn accepted(configuration: &Configuration, serving: &str, now: Timestamp, findings: &mut Findings) {
    for entry in &configuration.entries {
        let client = &entry.client_config;
        let host = match (&client.service, &client.url) {
            (Some(service), _) => format!("{}.{}.svc", service.name, service.namespace),
            (None, Some(url)) => host_of(url),
            (None, None) => continue,
        };
        let bundle = client
            .ca_bundle
            .as_ref()
            .map_or(&[][..], |bundle| &bundle.0);
        let bundle = String::from_utf8_lossy(bundle);
        if let Err(error) = inspect::trusted(&bundle, serving, &host, now) {
            let why =
                std::error::Error::source(&error).map_or(String::new(), |why| format!(": {why}"));
            findings.broken(
                format!(
                    "{}: what it publishes does not accept the served certificate ({error}{why})",
                    configuration.name
                ),
                "the leading controller publishes the right authority within a minute: see the check `leader`",
            );
            return;
        }
    }
}

fn host_of(url: &str) -> String {
    let uri: Option<http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    host.trim_matches(['[', ']']).to_owned()
}

/// In days, or in what is left of one.
fn span(left: SignedDuration) -> String {
    let hours = left.as_hours();
    match hours {
        48.. => format!("{} days", hours / 24),
        2..48 => format!("{hours} h"),
        _ => format!("{} min", left.as_mins()),
    }
}
