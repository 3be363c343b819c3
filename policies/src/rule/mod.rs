//! What a rule is: what it says about itself, and what it is given to judge.
//!
//! A rule looks at one object through its [`View`](crate::view::View) and reports what it found. It decides nothing about actions, namespaces or
//! old objects: the [`PolicySet`](crate::PolicySet) does, by what the rule declares here.

mod case;
mod header;
mod parameter;
mod report;

use sluice_api::Action;

pub use case::Case;
pub(crate) use case::seconds_text;
pub use header::Header;
pub(crate) use parameter::ratio_text;
pub use parameter::{
    BoolParameter, IntParameter, Parameter, ParameterValue, QuantityParameter, RatioParameter,
    SpanParameter, TextForm, TextParameter, TextsParameter,
};
pub use report::{RawFinding, Report};

pub use crate::facts::FactKind;
use crate::view::{Kind, Read};

/// What a rule is about; the first digit of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// `SLU1…`: Jobs and schedules.
    Jobs,
    /// `SLU2…`: whether it fits.
    Capacity,
    /// `SLU3…`: whether it can be rolled out safely.
    RolloutSafety,
    /// `SLU4…`: whether what it names is there.
    References,
    /// `SLU5…`: which images run.
    Images,
    /// `SLU6…`: the security basics.
    Security,
    /// `SLU7…`: whether it outlives an upgrade of the cluster.
    Upgrades,
    /// `SLU9…`: whether the object can be read at all.
    Object,
}

impl Category {
    /// The word for lists and folders.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Capacity => "capacity",
            Self::RolloutSafety => "rollout",
            Self::References => "references",
            Self::Images => "images",
            Self::Security => "security",
            Self::Upgrades => "upgrades",
            Self::Object => "object",
        }
    }

    /// The heading for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Jobs => "Jobs and schedules",
            Self::Capacity => "Capacity",
            Self::RolloutSafety => "Rollout safety",
            Self::References => "References",
            Self::Images => "Images",
            Self::Security => "Security basics",
            Self::Upgrades => "Upgrades",
            Self::Object => "The object itself",
        }
    }
}

/// What a rule says about itself.
#[derive(Debug)]
pub struct RuleInfo {
    /// Stable code, such as `SLU1001`.
    pub code: &'static str,
    /// Stable kebab name of the bad pattern.
    pub name: &'static str,
    /// One line for lists.
    pub title: &'static str,
    /// What it is about.
    pub category: Category,
    /// What a finding should lead to unless a policy says otherwise.
    pub severity: Action,
    /// The kinds it judges by [`Rule::judge`]; empty for a rule that judges objects of any kind by [`Rule::judge_header`].
    pub kinds: &'static [Kind],
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Pairs of parameters of which the first must not be above the second.
    pub ordered: &'static [(&'static str, &'static str)],
    /// What it must know beside the object.
    pub facts: &'static [FactKind],
    /// What it reads of the object: an update that leaves all of it alone is not judged.
    pub reads: &'static [Read],
    /// Its document, Markdown.
    pub document: &'static str,
}

/// A built-in rule.
pub trait Rule: Send + Sync {
    /// What it says about itself.
    fn info(&self) -> &'static RuleInfo;

    /// Reports what is wrong. Never panics, whatever the object looks like.
    fn judge(&self, case: &Case<'_>, report: &mut Report);

    /// Reports what `apiVersion` and `kind` alone say, of an object of any kind, known to the view or not. Only asked of rules without kinds.
    fn judge_header(&self, _header: &Header<'_>, _report: &mut Report) {}

    /// Stable code, such as `SLU1001`.
    fn code(&self) -> &'static str {
        self.info().code
    }

    /// Stable kebab name of the bad pattern.
    fn name(&self) -> &'static str {
        self.info().name
    }

    /// One line for lists.
    fn title(&self) -> &'static str {
        self.info().title
    }

    /// What it is about.
    fn category(&self) -> Category {
        self.info().category
    }

    /// What a finding should lead to unless a policy says otherwise.
    fn severity(&self) -> Action {
        self.info().severity
    }

    /// The kinds it judges.
    fn kinds(&self) -> &'static [Kind] {
        self.info().kinds
    }

    /// The kinds it judges, for people.
    fn kind_names(&self) -> Vec<&'static str> {
        if self.kinds().is_empty() {
            return vec!["any kind"];
        }
        self.kinds().iter().map(|kind| kind.as_str()).collect()
    }

    /// Its parameters.
    fn parameters(&self) -> &'static [Parameter] {
        self.info().parameters
    }

    /// What it must know beside the object.
    fn facts(&self) -> &'static [FactKind] {
        self.info().facts
    }

    /// What it must know beside the object where a policy sets these parameters.
    fn needs(&self, _set: &[(&'static str, ParameterValue)]) -> Vec<FactKind> {
        self.facts().to_vec()
    }

    /// Whether it is asked when a workload is scaled, when nothing is known of the object but what it reads.
    fn judges_scale(&self) -> bool {
        false
    }

    /// Its document, Markdown.
    fn document(&self) -> &'static str {
        self.info().document
    }
}
