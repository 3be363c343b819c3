//! Judges workload manifests by policies.
//!
//! Decides: which rules a [`PolicySet`] consists of, what each of them finds in an object, and what a finding leads to
//! (the policy's action, capped by certainty, dry-run and the ratchet).
//! Leaves to others: where objects and facts come from, the mode of the namespace (see [`cap`]), and how findings are told.
//!
//! Pure: no client, clock, file or environment. Webhook, controller and CLI call the same [`PolicySet::judge`]; the same object and
//! facts give the same findings, byte for byte, whether or not the API server has filled in its defaults already.
//!
//! ```text
//!   Policy objects ──compile──▶ PolicySet ──judge(Subject, Facts)──▶ Judgement
//!                                  │                  │
//!                              rules/*  ◀── view/ (pod template, job, containers, lifted once from any kind)
//!                                                     └── defaults/ (what the API server would fill in)
//! ```
//!
//! A rule is one file in `rules/<category>/` and one document beside it, which is user documentation and test at once.
//! A fact that is missing makes a finding of certainty `Unknown`, never a silent pass.

mod action;
mod admission;
pub mod capacity;
mod catalogue;
pub mod defaults;
mod exceptions;
pub mod facts;
mod library;
mod own;
pub mod rule;
mod rules;
pub mod scale;
pub mod schedule;
pub mod schema;
mod set;
mod subject;
mod suggestion;
pub mod view;

#[cfg(test)]
mod documents;

pub use action::cap;
pub use admission::{
    CODE as ADMISSION_POLICIES, document as admission_policies_document, is_admission_policy,
    parameter_kind,
};
pub use catalogue::catalogue_markdown;
pub use defaults::{defaults_samples, with_defaults};
pub use exceptions::{
    ExceptionBounds, ExceptionProblem, ExceptionSource, Exceptions, Standing, StandingException,
};
pub use facts::{FactKind, Facts, Named};
pub use library::{DEFAULT_SET, library, sets_with};
pub use own::{CODE as OWN_RULES, document as own_rules_document};
pub use rule::{Category, Parameter, Rule, RuleInfo};
pub use rules::{HIDES_VALUES, rule_by_code, rule_by_name, rules};
pub use set::{Compiler, PolicyProblem, PolicySet, PolicySource};
pub use subject::{Judgement, NotJudged, Operation, Subject};
