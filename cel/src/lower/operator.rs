//! Operators.

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, operators},
};

use super::{Lowering, Part};
use crate::{
    node::{Kind, Node, Op},
    problem::Problem,
    types::Type,
};

impl Lowering<'_> {
    /// The operator of that name, when it is one.
    pub(super) fn operator(
        &mut self,
        at: u32,
        name: &str,
        args: &[IdedExpr],
    ) -> Option<Result<Part, Problem>> {
        let op = match (name, args) {
            (operators::CONDITIONAL, [test, yes, no]) => {
                return Some(self.conditional(at, test, yes, no));
            }
            (operators::LOGICAL_AND, [a, b]) => return Some(self.logic(at, a, b, Kind::And, "&&")),
            (operators::LOGICAL_OR, [a, b]) => return Some(self.logic(at, a, b, Kind::Or, "||")),
            (operators::LOGICAL_NOT, [a]) => return Some(self.not(at, a)),
            (operators::NEGATE, [a]) => return Some(self.negate(at, a)),
            (operators::INDEX, [of, key]) => return Some(self.index(at, of, key, false)),
            (operators::OPT_INDEX | operators::OPT_SELECT, [of, key]) => {
                return Some(self.index(at, of, key, true));
            }
            (operators::ADD, _) => Op::Add,
            (operators::SUBSTRACT, _) => Op::Subtract,
            (operators::MULTIPLY, _) => Op::Multiply,
            (operators::DIVIDE, _) => Op::Divide,
            (operators::MODULO, _) => Op::Modulo,
            (operators::EQUALS, _) => Op::Equal,
            (operators::NOT_EQUALS, _) => Op::Unequal,
            (operators::LESS, _) => Op::Less,
            (operators::LESS_EQUALS, _) => Op::AtMost,
            (operators::GREATER, _) => Op::Greater,
            (operators::GREATER_EQUALS, _) => Op::AtLeast,
            (operators::IN, _) => Op::In,
            _ => return None,
        };
        match args {
            [a, b] => Some(self.binary(at, op, a, b)),
            _ => None,
        }
    }

    fn conditional(
        &mut self,
        at: u32,
        test: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Part, Problem> {
        let test = self.boolean(test, "? :")?;
        let (yes, no) = (self.part(yes)?, self.part(no)?);
        Ok(Part {
            of: yes.of.join(&no.of),
            cost: test
                .cost
                .saturating_add(yes.cost.max(no.cost))
                .saturating_add(1),
            node: Node {
                at,
                kind: Kind::Conditional(Box::new([test.node, yes.node, no.node])),
            },
        })
    }

    /// A part that has to be true or false.
    pub(super) fn boolean(&mut self, expr: &IdedExpr, asks: &str) -> Result<Part, Problem> {
        let part = self.part(expr)?;
        if part.of.fits(&Type::Bool) {
            Ok(part)
        } else {
            Err(self
                .problem(
                    part.node.at,
                    format!("{} where {asks} asks for a bool", part.of),
                )
                .or("a comparison, such as x != null or size(x) > 0"))
        }
    }

    fn logic(
        &mut self,
        at: u32,
        a: &IdedExpr,
        b: &IdedExpr,
        kind: fn(Box<Node>, Box<Node>) -> Kind,
        sign: &str,
    ) -> Result<Part, Problem> {
        let (a, b) = (self.boolean(a, sign)?, self.boolean(b, sign)?);
        Ok(Part {
            of: Type::Bool,
            cost: a.cost.saturating_add(b.cost).saturating_add(1),
            node: Node {
                at,
                kind: kind(Box::new(a.node), Box::new(b.node)),
            },
        })
    }

    fn not(&mut self, at: u32, a: &IdedExpr) -> Result<Part, Problem> {
        let a = self.boolean(a, "!")?;
        Ok(Part {
            of: Type::Bool,
            cost: a.cost.saturating_add(1),
            node: Node {
                at,
                kind: Kind::Not(Box::new(a.node)),
            },
        })
    }

    fn negate(&mut self, at: u32, a: &IdedExpr) -> Result<Part, Problem> {
        let a = self.part(a)?;
        if !matches!(a.of, Type::Dyn | Type::Int | Type::Double) {
            return Err(self.problem(at, format!("- before {}", a.of)));
        }
        Ok(Part {
            of: a.of.clone(),
            cost: a.cost.saturating_add(1),
            node: Node {
                at,
                kind: Kind::Negate(Box::new(a.node)),
            },
        })
    }

    fn index(
        &mut self,
        at: u32,
        of: &IdedExpr,
        key: &IdedExpr,
        optional: bool,
    ) -> Result<Part, Problem> {
        if let Some(variable) = self.declared(at, of, key) {
            return Ok(if optional {
                Part {
                    of: Type::optional(variable.of),
                    cost: 2,
                    node: Node {
                        at,
                        kind: Kind::Perhaps(Box::new(variable.node)),
                    },
                }
            } else {
                variable
            });
        }
        let operand = of;
        let (of, key) = (self.part(of)?, self.part(key)?);
        if let Kind::Str(name) = &key.node.kind {
            self.described_field(at, operand, &of.of, name)?;
        }
        let (held, was_optional) = match &of.of {
            Type::Optional(inner) => (inner.as_ref(), true),
            other => (other, false),
        };
        let found = match held {
            Type::Dyn => Type::Dyn,
            Type::Object(object) if matches!(key.of, Type::Dyn | Type::String) => {
                match &key.node.kind {
                    Kind::Str(name) => object.field(name).unwrap_or(Type::Dyn),
                    _ => Type::Dyn,
                }
            }
            Type::List(element)
                if matches!(key.of, Type::Dyn | Type::Int | Type::Uint | Type::Double) =>
            {
                element.as_ref().clone()
            }
            Type::Map(own, value) if own.comparable(&key.of) && key.of != Type::Null => {
                value.as_ref().clone()
            }
            held => {
                return Err(self.problem(at, format!("[{}] of {held}", key.of)));
            }
        };
        let result = if optional || was_optional {
            Type::optional(found)
        } else {
            found
        };
        let (cost, of, key) = (
            of.cost.saturating_add(key.cost).saturating_add(1),
            Box::new(of.node),
            Box::new(key.node),
        );
        Ok(Part {
            of: result,
            cost,
            node: Node {
                at,
                kind: if optional {
                    Kind::Optional { of, key }
                } else {
                    Kind::Index { of, key }
                },
            },
        })
    }

    /// `a["b"]` and `a.?b`, where `a.b` is one declared name.
    fn declared(&mut self, at: u32, of: &IdedExpr, key: &IdedExpr) -> Option<Part> {
        let Expr::Literal(LiteralValue::String(key)) = &key.expr else {
            return None;
        };
        let name = format!("{}.{}", self.path(of)?, key.inner());
        let place = self.environment.place(&name)?;
        Some(self.variable(at, place))
    }

    fn binary(&mut self, at: u32, op: Op, a: &IdedExpr, b: &IdedExpr) -> Result<Part, Problem> {
        let (a, b) = (self.part(a)?, self.part(b)?);
        let Some(of) = result(op, &a.of, &b.of) else {
            let problem = self.problem(at, format!("{} {} {}", a.of, op.sign(), b.of));
            return Err(match (op, &a.of, &b.of) {
                (Op::Equal | Op::Unequal, ..) => {
                    problem.or("two values of one type; these are never equal")
                }
                (Op::Add, Type::String, _) | (Op::Add, _, Type::String) => {
                    problem.or("string(x) makes a text of a value")
                }
                (Op::In, ..) => problem.or("the right side of in is a list or a map"),
                _ => problem.or("both sides of one type"),
            });
        };
        let weight = match op {
            Op::In | Op::Equal | Op::Unequal | Op::Add => 2,
            _ => 1,
        };
        Ok(Part {
            of,
            cost: a.cost.saturating_add(b.cost).saturating_add(weight),
            node: Node {
                at,
                kind: Kind::Binary(op, Box::new(a.node), Box::new(b.node)),
            },
        })
    }
}

/// The type that an operator makes of two; `None` where it can make nothing.
fn result(op: Op, a: &Type, b: &Type) -> Option<Type> {
    use Type::{Bool, Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
    let number = |of: &Type| matches!(of, Int | Uint | Double);
    match op {
        Op::Equal | Op::Unequal => a.comparable(b).then_some(Bool),
        Op::Less | Op::AtMost | Op::Greater | Op::AtLeast => {
            let ordered = |of: &Type| {
                matches!(
                    of,
                    Dyn | Bool | Int | Uint | Double | String | Bytes | Timestamp | Duration
                )
            };
            (ordered(a) && ordered(b) && a.comparable(b)).then_some(Bool)
        }
        Op::In => match b {
            Dyn => Some(Bool),
            Type::Object(_) => a.comparable(&String).then_some(Bool),
            List(element) => a.comparable(element).then_some(Bool),
            Type::Map(key, _) => a.comparable(key).then_some(Bool),
            _ => None,
        },
        Op::Add => match (a, b) {
            (Timestamp, Duration) | (Duration, Timestamp) => Some(Timestamp),
            (Dyn, Dyn | Timestamp | Duration) | (Timestamp | Duration, Dyn) => Some(Dyn),
            (List(x), List(y)) => Some(Type::list(x.join(y))),
            (a, b) if a.fits(b) => {
                let known = if *a == Dyn { b } else { a };
                matches!(
                    known,
                    Int | Uint | Double | String | Bytes | Duration | List(_)
                )
                .then(|| known.clone())
            }
            _ => None,
        },
        Op::Subtract => match (a, b) {
            (Timestamp, Timestamp) => Some(Duration),
            (Timestamp, Duration) => Some(Timestamp),
            (Dyn, Dyn | Timestamp | Duration) | (Timestamp, Dyn) => Some(Dyn),
            (a, b) if a.fits(b) => {
                let known = if *a == Dyn { b } else { a };
                (number(known) || *known == Duration).then(|| known.clone())
            }
            _ => None,
        },
        Op::Multiply | Op::Divide => arithmetic(a, b, number),
        Op::Modulo => arithmetic(a, b, |of| matches!(of, Int | Uint)),
    }
}

fn arithmetic(a: &Type, b: &Type, takes: impl Fn(&Type) -> bool) -> Option<Type> {
    if !a.fits(b) {
        return None;
    }
    let known = if *a == Type::Dyn { b } else { a };
    (*known == Type::Dyn || takes(known)).then(|| known.clone())
}
