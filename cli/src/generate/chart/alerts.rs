//! The alerts: one table, from which the rule file for any Prometheus, the chart's PrometheusRule and the page about them are made.
//!
//! A counter that appears for the first time with its first event has no increase yet; such a rule also asks whether the series is new.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What may be set about an alert.
#[derive(Clone, Copy, Debug)]
pub struct Threshold {
    /// The setting.
    pub path: &'static str,
    /// Its default: a number, or a duration as Prometheus reads it.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
}

const DAYS: Threshold = Threshold {
    path: "prometheusRule.thresholds.certificateDays",
    default: "14",
    about: "How many days the serving certificate must still be valid. It is renewed a month before its end, so less means that renewing fails.",
};
const STALE: Threshold = Threshold {
    path: "prometheusRule.thresholds.heartbeatStale",
    default: "1m",
    about: "How long the heartbeat of the probe engine may be missing.",
};
const STUCK: Threshold = Threshold {
    path: "prometheusRule.thresholds.releaseStuck",
    default: "6h",
    about: "How long no release may enter a phase while some are open. Longer than your longest bake.",
};

/// Every threshold, in the order of the settings.
pub const THRESHOLDS: &[Threshold] = &[DAYS, STALE, STUCK];

/// One alert.
#[derive(Clone, Copy, Debug)]
pub struct Alert {
    /// Its name.
    pub name: &'static str,
    /// When it fires; a threshold stands as `$its path$`.
    pub expression: &'static str,
    /// How long that must hold.
    pub lasting: &'static str,
    /// `critical`: releases are refused or unguarded. `warning`: they will be.
    pub severity: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What it means.
    pub description: &'static str,
    /// What to do.
    pub repair: &'static str,
}

/// Every alert.
pub const ALERTS: &[Alert] = &[
    Alert {
        name: "SluiceWebhookNotReady",
        expression: "max(sluice_webhook_ready) < 1 or absent(sluice_webhook_ready)",
        lasting: "1m",
        severity: "critical",
        summary: "No replica of Sluice's webhook is ready",
        description: "No replica answers reviews, or none is scraped. In namespaces of mode enforce, changes of workloads are refused until one is back; what runs is not touched.",
        repair: "`kubectl -n sluice-system get pods` and the log of the webhook; `/readyz` on port 8080 names what is missing. If it must go on without Sluice: docs/way-back.md.",
    },
    Alert {
        name: "SluiceControllerNotLeading",
        expression: "max(sluice_leader) < 1 or absent(sluice_leader)",
        lasting: "1m",
        severity: "critical",
        summary: "No replica of Sluice's controller leads",
        description: "No probe is asked, no gate opens and no release goes on or is rolled back; what is in the middle stays where it is.",
        repair: "The logs of the controller tell why none takes the Lease sluice-controller: usually the API server cannot be reached, or no pod can be scheduled.",
    },
    Alert {
        name: "SluiceHeartbeatStale",
        expression: "max(sluice_heartbeat_fresh) < 1",
        lasting: "$prometheusRule.thresholds.heartbeatStale$",
        severity: "critical",
        summary: "The heartbeat of Sluice's probe engine is stale",
        description: "The webhook sees no fresh heartbeat, so no gate counts as open: guarded releases are refused or held.",
        repair: "Is a controller leading (`sluice_leader`)? Is `sluice_probe_lag_seconds` high: more probes than one controller can ask, or too little cpu. The Lease sluice-probe-engine says when it was last renewed.",
    },
    Alert {
        name: "SluiceAdmissionFaults",
        expression: r#"sum(increase(sluice_admission_panics_total[10m])) > 0 or sum(increase(sluice_admission_refused_bodies_total{code=~"5.."}[10m])) > 0 or sum(sluice_admission_refused_bodies_total{code=~"5.."} unless sluice_admission_refused_bodies_total{code=~"5.."} offset 10m) > 0"#,
        lasting: "0s",
        severity: "warning",
        summary: "Sluice's webhook fails because of its own errors",
        description: "Reviews ended in an error of the webhook itself and not in a verdict; where the webhook must not be missed, these requests were refused.",
        repair: "The log of the webhook names each with the uid of its review. A panic is a defect: please report it with that line.",
    },
    Alert {
        name: "SluiceWebhookUnreachable",
        expression: r#"sum(increase(apiserver_admission_webhook_rejection_count{name=~".+\\.sluice\\.dev",error_type="calling_webhook_error"}[5m])) > 0 or sum(apiserver_admission_webhook_rejection_count{name=~".+\\.sluice\\.dev",error_type="calling_webhook_error"} unless apiserver_admission_webhook_rejection_count offset 5m) > 0 or sum(increase(apiserver_admission_webhook_fail_open_count{name=~".+\\.sluice\\.dev"}[5m])) > 0"#,
        lasting: "0s",
        severity: "critical",
        summary: "The API server cannot reach Sluice's webhook",
        description: "The API server got no answer, so it refused requests, or let them in unchecked where it may. Needs the metrics of the API server.",
        repair: "`kubectl -n sluice-system get endpointslices`; a NetworkPolicy or a firewall between API server and pods (port 9443)? `sluice doctor` tells what it sees.",
    },
    Alert {
        name: "SluiceCertificateExpires",
        expression: "min(sluice_certificate_expiry_timestamp_seconds) - time() < $prometheusRule.thresholds.certificateDays$ * 86400",
        lasting: "10m",
        severity: "warning",
        summary: "The serving certificate of Sluice's webhook is not renewed",
        description: "It is renewed by itself a month before it ends. Once it has ended, the API server does not accept the webhook any more.",
        repair: "The log of the leading controller says why renewing fails. Deleting the Secret sluice-webhook-certs makes it start anew; the webhook is unreachable for some seconds then.",
    },
    Alert {
        name: "SluiceReleaseStuck",
        expression: "max(sluice_releases_open and on (instance) sluice_leader == 1) > 0 unless on () (sum(increase(sluice_release_phases_total[$prometheusRule.thresholds.releaseStuck$])) > 0 or sum(sluice_release_phases_total unless sluice_release_phases_total offset $prometheusRule.thresholds.releaseStuck$) > 0)",
        lasting: "15m",
        severity: "warning",
        summary: "Releases are open and none moves",
        description: "No release entered another phase for a long time, and some have not ended: a gate stays closed, an approval is missing, or a probe cannot tell.",
        repair: "`kubectl get releases -A` shows the phases, `sluice release get NAME` what it waits for; `sluice release abort` takes it back.",
    },
    Alert {
        name: "SluiceRollbackIneffective",
        expression: r#"sum(increase(sluice_release_phases_total{phase="RollbackIneffective"}[15m])) > 0 or sum(sluice_release_phases_total{phase="RollbackIneffective"} unless sluice_release_phases_total{phase="RollbackIneffective"} offset 15m) > 0"#,
        lasting: "0s",
        severity: "critical",
        summary: "A release was rolled back and still fails",
        description: "The old version runs again and the probes still fail: it is not the release, or not only. Further releases of that workload are refused.",
        repair: "`kubectl get releases -A` names it. Look at what it depends on; `sluice release retry` lets a release in again.",
    },
    Alert {
        name: "SluiceReleaseUnheld",
        expression: "sum(increase(sluice_releases_unheld_total[15m])) > 0",
        lasting: "0s",
        severity: "warning",
        summary: "A release slipped by without a hold",
        description: "A workload under a plan changed while the webhook was not asked, so Kubernetes rolled it out at once.",
        repair: "Was the webhook away, or is the namespace not in mode enforce? The log of the controller names the workload.",
    },
    Alert {
        name: "SluicePolicyFilesQuarantined",
        expression: r#"max(sluice_policy_files{state="quarantined"}) > 0"#,
        lasting: "2m",
        severity: "warning",
        summary: "Files of the policy folder are quarantined",
        description: "A file of `policies.folder` is broken. The last whole state of the folder judges; changes since then do not.",
        repair: "`sluice_policy_file_quarantined` names the files, `/policies` on port 8080 of the webhook tells what is wrong, `sluice check` finds it before it is there.",
    },
    Alert {
        name: "SluicePoliciesLeftOut",
        expression: "max(sluice_policy_problems) > 0 or max(sluice_policy_exception_problems) > 0",
        lasting: "5m",
        severity: "warning",
        summary: "Policies or exceptions are left out because they are broken",
        description: "What they say does not count: rules do not judge, or exceptions do not except.",
        repair: "Their conditions tell what is wrong: `kubectl get policies.sluice.dev,policyexceptions.sluice.dev -A`.",
    },
    Alert {
        name: "SluicePoliciesDiffer",
        expression: "count(count by (digest) (sluice_policy_set_info)) > 1",
        lasting: "5m",
        severity: "warning",
        summary: "Replicas of the webhook judge by different policies",
        description: "Which verdict somebody gets depends on which replica is asked.",
        repair: "`sluice policy digest --server` asks each. One whose watch or folder is stuck is mended by deleting its pod.",
    },
];

/// An expression with each threshold as `spelled` writes it.
fn with_thresholds(text: &str, spelled: impl Fn(&Threshold) -> String) -> String {
    THRESHOLDS.iter().fold(text.to_owned(), |text, threshold| {
        text.replace(&format!("${}$", threshold.path), &spelled(threshold))
    })
}

/// The groups of a rule file; thresholds as `spelled` writes them.
pub fn groups(spelled: impl Fn(&Threshold) -> String) -> Value {
    let rules: Vec<Value> = ALERTS
        .iter()
        .map(|alert| {
            json!({
                "alert": alert.name,
                "expr": with_thresholds(alert.expression, &spelled),
                "for": with_thresholds(alert.lasting, &spelled),
                "labels": {"severity": alert.severity},
                "annotations": {
                    "summary": alert.summary,
                    "description": alert.description,
                    "runbook": alert.repair,
                },
            })
        })
        .collect();
    json!([{"name": "sluice", "rules": rules}])
}

/// The page about the alerts.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Alerts\n\n\
         <!-- Generated from cli/src/generate/chart/alerts.rs; change it there. -->\n\n\
         `manifests/alerts.yaml` is a rule file for any Prometheus that scrapes port 8080 of Sluice's pods; the chart has the same as a PrometheusRule\n\
         (`prometheusRule.enabled`), with a ServiceMonitor (`serviceMonitor.enabled`). `critical` wakes somebody: releases are refused, or unguarded.\n",
    );
    for alert in ALERTS {
        // writing to a String cannot fail
        let _ = write!(
            text,
            "\n## {} ({})\n{}. {}\n\n**What to do:** {}\n\n```promql\n{}\n```\n",
            alert.name,
            alert.severity,
            alert.summary,
            alert.description,
            alert.repair,
            with_thresholds(alert.expression, |threshold| threshold.default.to_owned()),
        );
    }
    text.push_str("\n## Thresholds\n\n| value of the chart | default | meaning |\n|---|---|---|\n");
    for threshold in THRESHOLDS {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} |",
            threshold.path, threshold.default, threshold.about
        );
    }
    text
}
