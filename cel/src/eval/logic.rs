//! `&&`, `||` and the loops that are made of them: one side that decides makes up for the other having no answer.

use super::{Answer, Halt, Raised, Run};
use crate::{fault::Fault, node::Node, value::Value};

impl<'a> Run<'a, '_> {
    /// `a && b` where `decides` is false, `a || b` where it is true.
    pub(super) fn both(&mut self, a: &'a Node, b: &'a Node, decides: bool) -> Answer<'a> {
        let first = self.truth(a);
        if matches!(first, Ok(value) if value == decides) {
            return Ok(Value::Bool(decides));
        }
        if let Err(halt) = &first
            && halt.is_final()
        {
            return first.map(Value::Bool);
        }
        match (first, self.truth(b)) {
            (_, Ok(second)) if second == decides => Ok(Value::Bool(decides)),
            (Ok(_), second) => second.map(Value::Bool),
            (Err(first), Ok(_)) => Err(first),
            (Err(first), Err(second)) => Err(first.weightier(second)),
        }
    }

    pub(super) fn truth(&mut self, node: &'a Node) -> Result<bool, Halt> {
        match self.node(node)? {
            Value::Bool(value) => Ok(value),
            other => Err(Halt {
                raised: Raised::Failed(format!("{} where a bool is asked for", other.type_name())),
                at: node.at,
            }),
        }
    }
}

impl Halt {
    /// Nothing makes up for an empty budget.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self.raised, Raised::Spent(_))
    }

    /// Of two reasons, the one to tell: an empty budget, then a missing fact, then what came first.
    pub(super) fn weightier(self, other: Self) -> Self {
        fn weight(halt: &Halt) -> u8 {
            match &halt.raised {
                Raised::Spent(_) => 2,
                Raised::Fault(fault) if matches!(**fault, Fault::Missing { .. }) => 1,
                _ => 0,
            }
        }
        if weight(&other) > weight(&self) {
            other
        } else {
            self
        }
    }
}
