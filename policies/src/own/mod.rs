//! Own rules: CEL in a policy.
//!
//! Decides: which variables an expression has, what is refused before it ever runs, and what its answer becomes. True passes; false is a finding;
//! no answer, because a fact is missing or the expression failed, is a finding of certainty Unknown and never a pass.
//! Leaves to `sluice-cel`: what an expression means and what it may cost.
//!
//! An object is judged as the API server would store it: defaults filled in, quantities in canonical form, its namespace said. So a file and the request
//! that `kubectl apply` makes of it get the same words.

mod compile;
mod facts;
mod fields;
mod judge;
mod stored;

use sluice_api::{Action, policy::OnUnknown};
use sluice_cel::{Environment, Program, Template};
use sluice_tree::Value;

pub(crate) use compile::Own;
pub(crate) use judge::{Question, Touched, cut, judge, line};
pub(crate) use stored::stored;

use crate::{facts::FactKind, view::Kind};

/// Steps that the own rules of one policy may be estimated to take together: some tens of milliseconds. The same ten evaluations at their bound that
/// Kubernetes lets a ValidatingAdmissionPolicy spend.
pub(crate) const STEPS_OF_POLICY: u64 = 10 * sluice_cel::Budget::STEPS;

/// The code of every own rule.
pub const CODE: &str = "OWN";

/// What an own rule is and which functions it has, Markdown.
#[must_use]
pub fn document() -> String {
    let mut text = "# OWN: an own rule\n\nA policy of yours says it, in CEL; the finding names the policy, and what follows `passes:` is the rule. `kubectl get policies.sluice.dev -A` lists the policies.\n\n\
        ## Functions\n\n| library | Kubernetes | holds |\n|---|---|---|\n"
        .to_owned();
    for library in sluice_cel::libraries() {
        let since = match (library.in_kubernetes, library.since) {
            (false, _) => "no version".to_owned(),
            (true, None) => "every version".to_owned(),
            (true, Some(minor)) => format!("1.{minor}"),
        };
        text.push_str(&format!(
            "| {} | {since} | {} |\n",
            library.name, library.holds
        ));
    }
    text
}

/// One own rule, checked.
#[derive(Debug)]
pub(crate) struct OwnRule {
    pub name: String,
    pub action: Action,
    pub on_unknown: OnUnknown,
    pub kinds: Vec<Kind>,
    each_container: bool,
    environment: Environment,
    variables: Vec<(String, Program)>,
    program: Program,
    message: Option<Message>,
    params: Value,
    /// Steps that it is estimated to take on one object.
    pub estimate: u64,
    /// What of the object it reads: everything, or the pod template alone.
    reads_template_only: bool,
    /// What it must know beside the object.
    pub facts: Vec<FactKind>,
    /// Whether it asks who makes the request.
    pub asks_user: bool,
    /// Whether it asks for the namespace.
    asks_namespace: bool,
    /// What it means, for the digest.
    pub meaning: String,
}

#[derive(Debug)]
enum Message {
    Template(Template),
    Expression(Program),
}
