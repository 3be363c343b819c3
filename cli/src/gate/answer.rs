//! What a reader may believe about one gate. The JSON form is stable: fields may be added, never renamed.

use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;
use sluice_api::{Gate, GateState, WhenClosed, gate::ReasonEntry};
use sluice_planner::gate;

use crate::{
    age,
    console::{self, Style, Tone, one_line},
};

/// One gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The state that may be believed.
    pub state: GateState,
    /// What a release meets while it is not open.
    pub when_closed: WhenClosed,
    /// Why it is not open.
    pub reasons: Vec<ReasonEntry>,
    /// Since when it is in the stored state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Whether the probe engine was seen alive.
    pub heartbeat_fresh: bool,
}

impl Answer {
    /// What may be believed of a gate, given that the engine was seen alive or not.
    pub fn of(gate: &Gate, heartbeat_fresh: bool) -> Self {
        let (state, reasons) = gate::effective(gate, heartbeat_fresh);
        let stored = gate.status.as_ref().filter(|status| status.state == state);
        Self {
            namespace: gate.namespace().unwrap_or_default(),
            name: gate.name_any(),
            state,
            when_closed: gate.spec.when_closed,
            reasons,
            since: stored.and_then(|status| status.since.clone()),
            heartbeat_fresh,
        }
    }

    fn shown(&self, style: Style) -> String {
        let (icon, tone) = match self.state {
            GateState::Open => ("✔", Tone::Good),
            GateState::Closed => ("✖", Tone::Bad),
            GateState::Unknown => ("?", Tone::Doubtful),
        };
        format!(
            "{}{}",
            style.icon(icon, tone),
            style.paint(tone, self.state.as_str())
        )
    }

    /// The gate for people.
    pub fn text(&self, style: Style, now: Timestamp) -> String {
        let mut text = format!(
            "gate {}/{}: {}",
            self.namespace,
            self.name,
            self.shown(style)
        );
        if self.since.is_some() {
            text.push_str(&format!(" for {}", age::since(self.since.as_deref(), now)));
        }
        if self.state != GateState::Open {
            let meets = match self.when_closed {
                WhenClosed::Deny => "a release is refused",
                WhenClosed::Hold => "a release is held at zero new pods",
                WhenClosed::Warn => "a release goes in with a warning",
            };
            text.push_str(&format!("; {meets}"));
        }
        text.push('\n');
        for reason in &self.reasons {
            let since = age::since(reason.since.as_deref(), now);
            let since = if since.is_empty() {
                since
            } else {
                format!(" (for {since})")
            };
            text.push_str(&format!(
                "  {}: {}{since}\n",
                reason.reason,
                one_line(&reason.message)
            ));
        }
        text
    }
}

/// Gates in columns.
pub fn table(answers: &[Answer], style: Style, now: Timestamp) -> String {
    if answers.is_empty() {
        return "no gates\n".to_owned();
    }
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|answer| {
            vec![
                answer.namespace.clone(),
                answer.name.clone(),
                answer.state.as_str().to_owned(),
                format!("{:?}", answer.when_closed),
                age::since(answer.since.as_deref(), now),
                answer
                    .reasons
                    .first()
                    .map(|reason| one_line(&reason.message))
                    .unwrap_or_default(),
            ]
        })
        .collect();
    let mut text = console::table(
        &["NAMESPACE", "NAME", "STATE", "WHEN CLOSED", "FOR", "WHY"],
        &rows,
    );
    if answers.iter().any(|answer| !answer.heartbeat_fresh) {
        let warning = "the probe engine was not seen alive: no state is proof";
        text.push_str(&format!(
            "{}{}\n",
            style.icon("⚠", Tone::Doubtful),
            style.paint(Tone::Doubtful, warning)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gate(state: &str) -> Gate {
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": "checkout", "namespace": "shop", "generation": 2},
            "spec": {"components": {}},
            "status": {"state": state, "since": "2026-01-01T00:00:00Z", "observedGeneration": 2,
                "reasons": [{"reason": "ProbeFailing", "message": "probe shop/a fails:\n503", "since": "2026-01-01T00:00:10Z"}],
                "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
        }))
        .unwrap()
    }

    #[test]
    fn a_stored_state_is_believed_only_with_a_heartbeat() {
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let pipe = Style { terminal: false };
        for (stored, alive, text) in [
            (
                "Closed",
                true,
                "gate shop/checkout: Closed for 60s; a release is refused\n  ProbeFailing: probe shop/a fails: 503 (for 50s)\n",
            ),
            ("Open", true, "gate shop/checkout: Open for 60s\n"),
            (
                "Open",
                false,
                "gate shop/checkout: Unknown; a release is refused\n  HeartbeatStale: the heartbeat of the probe engine stopped: what it wrote last is no proof any more\n",
            ),
        ] {
            assert_eq!(Answer::of(&gate(stored), alive).text(pipe, now), text);
        }
    }
}
