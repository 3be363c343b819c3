//! Macros: the comprehensions with one variable and two, `cel.bind`, `optMap` and `optFlatMap`.

use cel::{IdedExpr, common::ast::Expr};

use super::{ASSUMED, Lowering, Part};
use crate::{
    library,
    node::{Kind, Loop, Make, Node},
    problem::Problem,
    types::Type,
};

/// What a macro makes of what it goes over.
#[derive(Clone, Copy)]
enum Form {
    All,
    Exists,
    ExistsOne,
    Filter,
    List,
    Map,
    Entries,
}

impl Lowering<'_> {
    /// The macro of that name on a target, when it is one.
    pub(super) fn macro_on(
        &mut self,
        at: u32,
        name: &str,
        target: &IdedExpr,
        args: &[IdedExpr],
    ) -> Option<Result<Part, Problem>> {
        let (form, variables, filtered) = match (name, args.len()) {
            ("all", 2) => (Form::All, 1, false),
            ("exists", 2) => (Form::Exists, 1, false),
            ("exists_one" | "existsOne", 2) => (Form::ExistsOne, 1, false),
            ("filter", 2) => (Form::Filter, 1, false),
            ("map", 2) => (Form::List, 1, false),
            ("map", 3) => (Form::List, 1, true),
            ("all", 3) => (Form::All, 2, false),
            ("exists", 3) => (Form::Exists, 2, false),
            ("exists_one" | "existsOne", 3) => (Form::ExistsOne, 2, false),
            ("transformList", 3) => (Form::List, 2, false),
            ("transformList", 4) => (Form::List, 2, true),
            ("transformMap", 3) => (Form::Map, 2, false),
            ("transformMap", 4) => (Form::Map, 2, true),
            ("transformMapEntry", 3) => (Form::Entries, 2, false),
            ("transformMapEntry", 4) => (Form::Entries, 2, true),
            ("optMap", 2) => return Some(self.opt_map(at, target, args, false)),
            ("optFlatMap", 2) => return Some(self.opt_map(at, target, args, true)),
            _ => return None,
        };
        Some(self.comprehension(at, name, target, args, form, variables, filtered))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, all of them what the macro's name says"
    )]
    fn comprehension(
        &mut self,
        at: u32,
        name: &str,
        target: &IdedExpr,
        args: &[IdedExpr],
        form: Form,
        variables: usize,
        filtered: bool,
    ) -> Result<Part, Problem> {
        if variables == 2 {
            self.since(
                at,
                &format!("{name} with two variables"),
                library::TWO_VARIABLES,
            )?;
        }
        let range = self.part(target)?;
        let (first, second) = match (&range.of, variables) {
            (Type::Dyn, _) => (Type::Dyn, Type::Dyn),
            (Type::Object(_), _) => (Type::String, Type::Dyn),
            (Type::List(element), 1) => (element.as_ref().clone(), Type::Dyn),
            (Type::List(element), _) => (Type::Int, element.as_ref().clone()),
            (Type::Map(key, value), _) => (key.as_ref().clone(), value.as_ref().clone()),
            (of, _) => {
                return Err(self
                    .problem(range.node.at, format!("{name} over {of}"))
                    .or("a list or a map"));
            }
        };
        let known = match &range.node.kind {
            Kind::List(elements) => elements.len() as u64,
            Kind::Map(entries) => entries.len() as u64,
            _ => ASSUMED,
        };
        let before = self.locals.len();
        for (argument, of) in args.iter().zip([first.clone(), second]).take(variables) {
            let name = self.variable_name(argument)?;
            if self.locals[before..].iter().any(|(own, _)| *own == name) {
                return Err(self.problem(self.at(argument), format!("{name} a second time")));
            }
            self.locals.push((name, of));
        }
        let made = self.make(args, form, variables, filtered, &first);
        self.locals.truncate(before);
        let (make, of, body) = made?;
        Ok(Part {
            of,
            cost: range
                .cost
                .saturating_add(known.saturating_mul(body.saturating_add(1)))
                .saturating_add(1),
            node: Node {
                at,
                kind: Kind::Loop(Box::new(Loop {
                    range: range.node,
                    two: variables == 2,
                    make,
                })),
            },
        })
    }

    fn make(
        &mut self,
        args: &[IdedExpr],
        form: Form,
        variables: usize,
        filtered: bool,
        first: &Type,
    ) -> Result<(Make, Type, u64), Problem> {
        let mut rest = args.iter().skip(variables);
        let mut cost = 0u64;
        let filter = match rest.next().filter(|_| filtered) {
            Some(filter) => {
                let part = self.boolean(filter, "the filter")?;
                cost = part.cost;
                Some(part.node)
            }
            None => None,
        };
        let Some(body) = args.last() else {
            return Err(self.problem(0, "not an expression"));
        };
        let part = match form {
            Form::All | Form::Exists | Form::ExistsOne | Form::Filter => {
                self.boolean(body, "the predicate")?
            }
            _ => self.part(body)?,
        };
        let cost = cost.saturating_add(part.cost);
        Ok(match form {
            Form::All => (Make::All(part.node), Type::Bool, cost),
            Form::Exists => (Make::Exists(part.node), Type::Bool, cost),
            Form::ExistsOne => (Make::ExistsOne(part.node), Type::Bool, cost),
            Form::Filter => (Make::Filter(part.node), Type::list(first.clone()), cost),
            Form::List => (Make::List(filter, part.node), Type::list(part.of), cost),
            Form::Map => (
                Make::Map(filter, part.node),
                Type::map(first.clone(), part.of),
                cost,
            ),
            Form::Entries => match part.of {
                Type::Map(key, value) => (
                    Make::Entries(filter, part.node),
                    Type::Map(key, value),
                    cost,
                ),
                Type::Dyn => (
                    Make::Entries(filter, part.node),
                    Type::map(Type::Dyn, Type::Dyn),
                    cost,
                ),
                of => {
                    return Err(self
                        .problem(part.node.at, format!("an entry that is {of}"))
                        .or("a map with one entry: {key: value}"));
                }
            },
        })
    }

    /// The variable that a macro is to bind.
    fn variable_name(&self, argument: &IdedExpr) -> Result<String, Problem> {
        match &argument.expr {
            Expr::Ident(name) if !name.starts_with('.') => Ok(name.clone()),
            _ => Err(self
                .problem(self.at(argument), "not the name of a variable")
                .or("a plain name, such as c in containers.all(c, …)")),
        }
    }

    /// `cel.bind(x, value, body)`.
    pub(super) fn bind(&mut self, at: u32, args: &[IdedExpr]) -> Result<Part, Problem> {
        let [name, value, body] = args else {
            return Err(self
                .problem(at, format!("cel.bind of {} arguments", args.len()))
                .or("cel.bind(name, value, expression)"));
        };
        self.since(at, "cel.bind", library::BIND)?;
        let name = self.variable_name(name)?;
        let value = self.part(value)?;
        self.locals.push((name, value.of));
        let body = self.part(body);
        self.locals.pop();
        let body = body?;
        Ok(Part {
            of: body.of,
            cost: value.cost.saturating_add(body.cost).saturating_add(1),
            node: Node {
                at,
                kind: Kind::Bind {
                    value: Box::new(value.node),
                    body: Box::new(body.node),
                },
            },
        })
    }

    fn opt_map(
        &mut self,
        at: u32,
        target: &IdedExpr,
        args: &[IdedExpr],
        flat: bool,
    ) -> Result<Part, Problem> {
        let [name, body] = args else {
            return Err(self.problem(at, "not an expression"));
        };
        let name = self.variable_name(name)?;
        let of = self.part(target)?;
        let inner = match &of.of {
            Type::Dyn => Type::Dyn,
            Type::Optional(inner) => inner.as_ref().clone(),
            other => {
                return Err(self
                    .problem(of.node.at, format!("optMap of {other}"))
                    .or("an optional, such as object.?field"));
            }
        };
        self.locals.push((name, inner));
        let body = self.part(body);
        self.locals.pop();
        let body = body?;
        let result = match (flat, body.of) {
            (false, of) => Type::optional(of),
            (true, of @ (Type::Optional(_) | Type::Dyn)) => of,
            (true, of) => {
                return Err(self
                    .problem(body.node.at, format!("optFlatMap to {of}"))
                    .or("an optional; optMap takes a plain value"));
            }
        };
        Ok(Part {
            of: result,
            cost: of.cost.saturating_add(body.cost).saturating_add(1),
            node: Node {
                at,
                kind: Kind::OptMap {
                    of: Box::new(of.node),
                    body: Box::new(body.node),
                    flat,
                },
            },
        })
    }
}
