//! Comprehensions.

use super::{Answer, Halt, Raised, Run};
use crate::{
    node::{Loop, Make, Node},
    value::Value,
};

impl<'a> Run<'a, '_> {
    pub(super) fn comprehension(&mut self, at: u32, of: &'a Loop) -> Answer<'a> {
        let range = self.node(&of.range)?;
        self.scope
            .charge(range.held() as u64 / 8)
            .map_err(|raised| Halt { raised, at })?;
        let mut list = range.elements();
        let mut map = range.entries();
        if list.is_none() && map.is_none() {
            return Err(Halt {
                raised: Raised::Failed(format!("a loop over {}", range.type_name())),
                at: of.range.at,
            });
        }
        let mut place = 0i64;
        // the pair of variables for each round: place and element, or key and value
        let mut next = move || {
            if let Some(list) = &mut list {
                let pair = (Value::Int(place), list.next()?);
                place += 1;
                return Some(pair);
            }
            map.as_mut()?.next()
        };
        let over_list = range.elements().is_some();
        let depth = self.locals.len();
        let mut making = Making::default();
        while let Some((first, second)) = next() {
            let one = if over_list { second } else { first };
            if of.two {
                self.locals.extend([first, second]);
            } else {
                self.locals.push(one);
            }
            let key = if of.two || !over_list { first } else { one };
            let step = self.round(of, one, key, &mut making);
            self.locals.truncate(depth);
            if step?.is_break() {
                break;
            }
        }
        self.made(at, of, making)
    }

    fn round(
        &mut self,
        of: &'a Loop,
        one: Value<'a>,
        key: Value<'a>,
        making: &mut Making<'a>,
    ) -> Result<std::ops::ControlFlow<()>, Halt> {
        match &of.make {
            Make::All(body) => return self.decide(body, false, making),
            Make::Exists(body) => return self.decide(body, true, making),
            Make::ExistsOne(body) => {
                if self.truth(body)? {
                    making.count += 1;
                }
            }
            Make::Filter(body) => {
                if self.truth(body)? {
                    self.push(body, one, making)?;
                }
            }
            Make::List(filter, body) => {
                if self.passes(filter.as_ref())? {
                    let value = self.node(body)?;
                    self.push(body, value, making)?;
                }
            }
            Make::Map(filter, body) => {
                if self.passes(filter.as_ref())? {
                    let value = self.node(body)?;
                    self.enter(body, key, value, making)?;
                }
            }
            Make::Entries(filter, body) => {
                if self.passes(filter.as_ref())? {
                    let made = self.node(body)?;
                    let Some(entries) = made.entries() else {
                        return Err(Halt {
                            raised: Raised::Failed(format!(
                                "an entry that is {}",
                                made.type_name()
                            )),
                            at: body.at,
                        });
                    };
                    for (key, value) in entries {
                        self.enter(body, key, value, making)?;
                    }
                }
            }
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    /// One round of `all` and `exists`: a round that decides makes up for earlier ones without an answer.
    fn decide(
        &mut self,
        body: &'a Node,
        decides: bool,
        making: &mut Making<'a>,
    ) -> Result<std::ops::ControlFlow<()>, Halt> {
        use std::ops::ControlFlow::{Break, Continue};
        match self.truth(body) {
            Ok(value) if value == decides => {
                making.decided = true;
                Ok(Break(()))
            }
            Ok(_) => Ok(Continue(())),
            Err(halt) if halt.is_final() => Err(halt),
            Err(halt) => {
                making.halt = Some(match making.halt.take() {
                    Some(first) => first.weightier(halt),
                    None => halt,
                });
                Ok(Continue(()))
            }
        }
    }

    fn passes(&mut self, filter: Option<&'a Node>) -> Result<bool, Halt> {
        filter.map_or(Ok(true), |filter| self.truth(filter))
    }

    fn push(&self, body: &Node, value: Value<'a>, making: &mut Making<'a>) -> Result<(), Halt> {
        self.room(body, making.values.len())?;
        making.values.push(value);
        Ok(())
    }

    fn enter(
        &self,
        body: &Node,
        key: Value<'a>,
        value: Value<'a>,
        making: &mut Making<'a>,
    ) -> Result<(), Halt> {
        self.room(body, making.entries.len())?;
        making.entries.push((key, value));
        Ok(())
    }

    /// What is gathered before it is in the arena is bounded as if it were.
    fn room(&self, body: &Node, gathered: usize) -> Result<(), Halt> {
        self.scope.room(gathered).map_err(|raised| Halt {
            raised,
            at: body.at,
        })
    }

    fn made(&self, at: u32, of: &'a Loop, making: Making<'a>) -> Answer<'a> {
        let here = |raised: Raised| Halt { raised, at };
        match &of.make {
            Make::All(_) | Make::Exists(_) => {
                let decides = matches!(of.make, Make::Exists(_));
                match (making.decided, making.halt) {
                    (true, _) => Ok(Value::Bool(decides)),
                    (false, Some(halt)) => Err(halt),
                    (false, None) => Ok(Value::Bool(!decides)),
                }
            }
            Make::ExistsOne(_) => Ok(Value::Bool(making.count == 1)),
            Make::Filter(_) | Make::List(..) => self.scope.list(&making.values).map_err(here),
            Make::Map(..) | Make::Entries(..) => self.map_of(at, making.entries),
        }
    }
}

/// What a loop gathers.
#[derive(Default)]
struct Making<'a> {
    decided: bool,
    halt: Option<Halt>,
    count: usize,
    values: Vec<Value<'a>>,
    entries: Vec<(Value<'a>, Value<'a>)>,
}
