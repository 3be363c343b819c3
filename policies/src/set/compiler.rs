//! Compiling again and again, as a cluster brings one policy after the other: what says what it said the last time is not compiled a second time.
//!
//! Invariant: a set and its problems are the same as [`PolicySet::compile_with`] gives, whatever was compiled before. How a policy is compiled depends on its
//! spec alone, so the spec is what is compared.

use std::{collections::BTreeMap, mem, sync::Arc};

use sluice_api::PolicySpec;
use sluice_tree::Value;

use super::{
    PolicyProblem, PolicySet, PolicySource,
    compile::{self, Outcome},
};
use crate::admission::{self, Admission};

/// Compiles sets of policies, one after the other.
#[derive(Default)]
pub struct Compiler {
    /// The policies of the last set by their names; a file and an object may have the same.
    known: BTreeMap<(String, String), Vec<Known>>,
    documents: Documents,
    compiled: u64,
}

struct Known {
    spec: PolicySpec,
    outcome: Outcome,
}

/// The policies of the API server, and what they were made from.
#[derive(Default)]
struct Documents {
    all: Vec<Value>,
    admission: Arc<Admission>,
    problems: Vec<PolicyProblem>,
}

impl Compiler {
    /// Compiles a set, see [`PolicySet::compile_with`]. What is not in it is forgotten.
    pub fn compile<'a>(
        &mut self,
        sources: impl IntoIterator<Item = PolicySource<'a>>,
        documents: impl IntoIterator<Item = &'a Value>,
    ) -> (PolicySet, Vec<PolicyProblem>) {
        self.documents.take(documents);
        let mut problems = self.documents.problems.clone();
        let mut before = mem::take(&mut self.known);
        let admission = Arc::clone(&self.documents.admission);
        let set = PolicySet::of_compiled(sources, admission, &mut problems, |source| {
            let name = (source.namespace.to_owned(), source.name.to_owned());
            let known = before.get_mut(&name).and_then(|known| {
                let place = known.iter().position(|known| known.spec == *source.spec)?;
                Some(known.swap_remove(place))
            });
            let known = known.unwrap_or_else(|| {
                self.compiled += 1;
                Known {
                    spec: source.spec.clone(),
                    outcome: compile::compile(source.spec).map(Arc::new),
                }
            });
            let outcome = known.outcome.clone();
            self.known.entry(name).or_default().push(known);
            outcome
        });
        (set, problems)
    }

    /// How many policies were really compiled since it was made.
    #[must_use]
    pub const fn compiled(&self) -> u64 {
        self.compiled
    }
}

impl Documents {
    fn take<'a>(&mut self, documents: impl IntoIterator<Item = &'a Value>) {
        let all: Vec<Value> = documents.into_iter().cloned().collect();
        if all != self.all {
            let (admission, problems) = admission::compile(&all);
            *self = Self {
                admission: Arc::new(admission),
                problems,
                all,
            };
        }
    }
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler")
            .field("known", &self.known.len())
            .field("compiled", &self.compiled)
            .finish_non_exhaustive()
    }
}
