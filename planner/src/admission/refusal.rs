//! Refusals of releases as findings: stable codes, the story, what would pass, the way out.

use sluice_api::{Action, Certainty, Finding, reason::RefusalReason};

/// The code of a refusal. Stable: people search for it.
pub(super) const fn code(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::GateNotOpen => "SLU0001",
        RefusalReason::TemplateDenied => "SLU0002",
        RefusalReason::Locked => "SLU0003",
        RefusalReason::UnfinishedRollout => "SLU0004",
        RefusalReason::NotHeld => "SLU0005",
        RefusalReason::StateChanged => "SLU0006",
        RefusalReason::BecomesOwned => "SLU0007",
    }
}

/// The kebab name of a refusal.
pub(super) const fn rule(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::GateNotOpen => "gate-not-open",
        RefusalReason::TemplateDenied => "template-denied",
        RefusalReason::Locked => "locked",
        RefusalReason::UnfinishedRollout => "unfinished-rollout",
        RefusalReason::NotHeld => "not-held",
        RefusalReason::StateChanged => "state-changed",
        RefusalReason::BecomesOwned => "becomes-owned",
    }
}

/// A finding that refuses.
pub(super) fn refused(
    reason: RefusalReason,
    path: &str,
    found: impl Into<String>,
    passes: impl Into<String>,
    way_out: impl Into<Option<String>>,
) -> Finding {
    Finding {
        code: code(reason).to_owned(),
        rule: rule(reason).to_owned(),
        action: Action::Deny,
        certainty: Certainty::Sure,
        path: path.to_owned(),
        found: found.into(),
        passes: passes.into(),
        way_out: way_out.into(),
        excepted: None,
        policy: None,
    }
}
