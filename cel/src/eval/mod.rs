//! Evaluation of a checked tree.
//!
//! Invariants: every node costs a step; every byte and element made is charged before it is made; running out is never absorbed by `||`, `&&` or a loop.
//! A missing fact weighs more than a failure: where both sides of a logical operator have no answer, the missing fact is told.

mod access;
mod logic;
mod loops;
mod operators;
mod scope;

pub(crate) use scope::{Raised, Scope, Writer};

use crate::{
    bindings::Bindings,
    budget::{Arena, Budget},
    fault::Fault,
    node::{Ask, Kind, Node},
    problem,
    value::Value,
};

/// A failure with its place in the text.
#[derive(Debug)]
pub(crate) struct Halt {
    raised: Raised,
    at: u32,
}

type Answer<'a> = Result<Value<'a>, Halt>;

pub(crate) fn run<'a>(
    root: &'a Node,
    text: &str,
    bindings: &Bindings<'a>,
    arena: &'a Arena,
    budget: &'a Budget,
) -> Result<Value<'a>, Fault> {
    let mut run = Run {
        scope: Scope::new(arena, budget),
        bindings,
        locals: Vec::new(),
    };
    run.node(root).map_err(|halt| match halt.raised {
        Raised::Failed(message) => {
            let (line, column) = problem::place(text, halt.at as usize);
            Fault::Failed {
                message,
                line,
                column,
            }
        }
        Raised::Fault(fault) => *fault,
        Raised::Spent(what) => Fault::Spent { what },
    })
}

struct Run<'a, 'b> {
    scope: Scope<'a>,
    bindings: &'b Bindings<'a>,
    locals: Vec<Value<'a>>,
}

impl<'a> Run<'a, '_> {
    fn node(&mut self, node: &'a Node) -> Answer<'a> {
        let at = node.at;
        let here = |raised: Raised| Halt { raised, at };
        self.scope.charge(1).map_err(here)?;
        match &node.kind {
            Kind::Null => Ok(Value::Null),
            Kind::Bool(value) => Ok(Value::Bool(*value)),
            Kind::Int(value) => Ok(Value::Int(*value)),
            Kind::Uint(value) => Ok(Value::Uint(*value)),
            Kind::Double(value) => Ok(Value::Double(*value)),
            Kind::Str(text) => Ok(Value::Str(text)),
            Kind::Bytes(bytes) => Ok(Value::Bytes(bytes)),
            Kind::Type(name) => Ok(Value::Type(name)),
            Kind::Variable(place) => match self.bindings.get(*place) {
                Some(Ok(value)) => Ok(value),
                Some(Err(fault)) => Err(here(Raised::Fault(Box::new(fault)))),
                None => Err(here(Raised::failed("a variable of another environment"))),
            },
            Kind::Local(place) => self
                .locals
                .get(*place)
                .copied()
                .ok_or_else(|| here(Raised::failed("a variable that is not bound"))),
            Kind::Select { of, field } => {
                let of = self.node(of)?;
                self.select(&of, field).map_err(here)
            }
            Kind::Has { of, field } => {
                let of = self.node(of)?;
                self.has(&of, field).map_err(here)
            }
            Kind::Index { of, key } => {
                let (of, key) = (self.node(of)?, self.node(key)?);
                self.index(&of, &key).map_err(here)
            }
            Kind::Optional { of, key } => {
                let (of, key) = (self.node(of)?, self.node(key)?);
                self.optional(&of, &key).map_err(here)
            }
            Kind::Perhaps(of) => match self.node(of)? {
                Value::Null => Ok(Value::Optional(None)),
                value => self.scope.some(value).map_err(here),
            },
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(at, entries),
            Kind::And(a, b) => self.both(a, b, false),
            Kind::Or(a, b) => self.both(a, b, true),
            Kind::Not(a) => match self.node(a)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                other => Err(here(Raised::overload("!", &[other]))),
            },
            Kind::Negate(a) => {
                let value = self.node(a)?;
                operators::negate(&value).map_err(here)
            }
            Kind::Conditional(parts) => {
                let [test, yes, no] = parts.as_ref();
                match self.node(test)? {
                    Value::Bool(true) => self.node(yes),
                    Value::Bool(false) => self.node(no),
                    other => Err(here(Raised::overload("? :", &[other]))),
                }
            }
            Kind::Binary(op, a, b) => {
                let (a, b) = (self.node(a)?, self.node(b)?);
                operators::binary(&self.scope, *op, &a, &b).map_err(here)
            }
            Kind::Call {
                name,
                overloads,
                args,
            } => {
                const MOST: usize = 4;
                let mut values = [Value::Null; MOST];
                for (value, argument) in values.iter_mut().zip(args) {
                    *value = self.node(argument)?;
                }
                let values = values.get(..args.len()).unwrap_or(&[]);
                let overload = overloads
                    .iter()
                    .find(|overload| overload.takes_values(values))
                    .ok_or_else(|| here(Raised::overload(name, values)))?;
                (overload.run)(&self.scope, values).map_err(here)
            }
            Kind::Pattern { text, regex, ask } => {
                let text = self.node(text)?;
                let Value::Str(text) = text else {
                    return Err(here(Raised::overload("matches", &[text])));
                };
                let limit = match ask {
                    Ask::FindAll(Some(limit)) => Some(self.node(limit)?),
                    _ => None,
                };
                crate::library::ask(&self.scope, regex, text, ask, limit).map_err(here)
            }
            Kind::Loop(of) => self.comprehension(at, of),
            Kind::Bind { value, body } => {
                let value = self.node(value)?;
                self.with(value, body)
            }
            Kind::OptMap { of, body, flat } => match self.node(of)? {
                Value::Optional(None) => Ok(Value::Optional(None)),
                Value::Optional(Some(value)) => {
                    let made = self.with(*value, body)?;
                    if *flat {
                        return Ok(made);
                    }
                    self.scope.some(made).map_err(here)
                }
                other => Err(here(Raised::overload("optMap", &[other]))),
            },
        }
    }

    /// A body with one more variable.
    fn with(&mut self, value: Value<'a>, body: &'a Node) -> Answer<'a> {
        self.locals.push(value);
        let made = self.node(body);
        self.locals.pop();
        made
    }
}
