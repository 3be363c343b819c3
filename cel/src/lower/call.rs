//! Calls: which overloads of which function can be meant.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr},
};

use super::{Lowering, Part, short};
use crate::{
    library::{self, Overload},
    node::{Ask, Kind, Node},
    problem::Problem,
    suggestion::nearest,
    types::Type,
};

impl Lowering<'_> {
    pub(super) fn call(
        &mut self,
        _expr: &IdedExpr,
        at: u32,
        call: &CallExpr,
    ) -> Result<Part, Problem> {
        let name = call.func_name.strip_prefix('.').unwrap_or(&call.func_name);
        let Some(target) = &call.target else {
            if let Some(part) = self.operator(at, name, &call.args) {
                return part;
            }
            if name == "has" {
                return match call.args.as_slice() {
                    [argument] => self.has(at, argument),
                    args => Err(self
                        .problem(at, format!("has() of {} arguments", args.len()))
                        .or("has() takes a field: has(object.spec.replicas)")),
                };
            }
            return self.function(at, name, false, &call.args);
        };
        // `sets.contains(a, b)`: a function with a dot in its name, not a call on a value
        if let Expr::Ident(root) = &target.expr
            && !self.locals.iter().any(|(own, _)| own == root)
            && self.environment.place(root).is_none()
        {
            let full = format!("{root}.{name}");
            if full == "cel.bind" {
                return self.bind(at, &call.args);
            }
            if library::named(&full, false).next().is_some() || library::is_namespace(root) {
                return self.function(at, &full, false, &call.args);
            }
        }
        if let Some(part) = self.macro_on(at, name, target, &call.args) {
            return part;
        }
        let args: Vec<&IdedExpr> = std::iter::once(target.as_ref()).chain(&call.args).collect();
        self.chosen(at, name, true, &args)
    }

    fn function(
        &mut self,
        at: u32,
        name: &str,
        member: bool,
        args: &[IdedExpr],
    ) -> Result<Part, Problem> {
        let args: Vec<&IdedExpr> = args.iter().collect();
        self.chosen(at, name, member, &args)
    }

    fn chosen(
        &mut self,
        at: u32,
        name: &str,
        member: bool,
        args: &[&IdedExpr],
    ) -> Result<Part, Problem> {
        let known: Vec<&'static Overload> = library::named(name, member).collect();
        if known.is_empty() {
            // a mistake further left is told first
            for argument in args {
                self.part(argument)?;
            }
            return Err(self.unknown_function(at, name, member));
        }
        let right: Vec<&'static Overload> = known
            .iter()
            .copied()
            .filter(|overload| overload.takes.len() == args.len())
            .collect();
        if right.is_empty() {
            return Err(self
                .problem(
                    at,
                    format!("{name}() with {}", count(args.len() - usize::from(member))),
                )
                .or(signatures(&known)));
        }
        let mut parts = Vec::with_capacity(args.len());
        for argument in args {
            parts.push(self.part(argument)?);
        }
        let types: Vec<Type> = parts.iter().map(|part| part.of.clone()).collect();
        let fitting: Vec<&'static Overload> = right
            .iter()
            .copied()
            .filter(|overload| overload.takes(&types))
            .collect();
        let Some(first) = fitting.first() else {
            let given: Vec<String> = types.iter().map(Type::to_string).collect();
            let told = if member {
                format!("{}.{name}({})", given[0], given[1..].join(", "))
            } else {
                format!("{name}({})", given.join(", "))
            };
            return Err(self
                .problem(at, format!("no overload for {told}"))
                .or(signatures(&right)));
        };
        // any of them will do for a version that has one of them
        if let Some(oldest) = fitting.iter().map(|overload| overload.since).min() {
            self.since(at, &format!("{name}()"), oldest)?;
        }
        let of = fitting
            .iter()
            .skip(1)
            .fold(first.gives(&types), |of, overload| {
                of.join(&overload.gives(&types))
            });
        let cost = parts
            .iter()
            .fold(first.weight(), |cost, part| cost.saturating_add(part.cost));
        let args: Vec<Node> = parts.into_iter().map(|part| part.node).collect();
        self.literal(name, &args)?;
        Ok(Part {
            of,
            cost,
            node: self.pattern(at, name, fitting, args)?,
        })
    }

    /// A literal that can never be read is told before it runs.
    fn literal(&self, name: &str, args: &[Node]) -> Result<(), Problem> {
        let [
            Node {
                kind: Kind::Str(text),
                at,
            },
        ] = args
        else {
            return Ok(());
        };
        library::literal(name, text).map_err(|message| self.problem(*at, message))
    }

    /// A call whose pattern is written out is compiled here.
    fn pattern(
        &self,
        at: u32,
        name: &str,
        overloads: Vec<&'static Overload>,
        mut args: Vec<Node>,
    ) -> Result<Node, Problem> {
        let regex = match (name, args.get(1)) {
            (
                "matches" | "find" | "findAll",
                Some(Node {
                    kind: Kind::Str(text),
                    at,
                }),
            ) => library::pattern(text).map_err(|message| self.problem(*at, message))?,
            _ => {
                return Ok(Node {
                    at,
                    kind: Kind::Call {
                        name: name.into(),
                        overloads,
                        args,
                    },
                });
            }
        };
        let limit = (args.len() > 2).then(|| args.pop()).flatten().map(Box::new);
        args.truncate(1);
        let Some(text) = args.pop() else {
            return Err(self.problem(at, "not an expression"));
        };
        Ok(Node {
            at,
            kind: Kind::Pattern {
                text: Box::new(text),
                regex: Box::new(regex),
                ask: match name {
                    "matches" => Ask::Matches,
                    "find" => Ask::Find,
                    _ => Ask::FindAll(limit),
                },
            },
        })
    }

    fn unknown_function(&self, at: u32, name: &str, member: bool) -> Problem {
        let problem = self.problem(at, format!("unknown function {}()", short(name)));
        // the other way round: size(x) and x.size(), x.string() and string(x)
        if let Some(other) = library::named(name, !member).next() {
            return problem.or(other.signature());
        }
        let names = library::names(member);
        let macros: &[&str] = if member {
            &[
                "all",
                "exists",
                "existsOne",
                "filter",
                "map",
                "transformList",
                "transformMap",
                "transformMapEntry",
                "optMap",
                "optFlatMap",
            ]
        } else {
            &["has", "cel.bind"]
        };
        if macros.contains(&name) {
            return self.problem(
                at,
                format!("{name}() with another number of arguments than it takes"),
            );
        }
        match nearest(name, names.chain(macros.iter().copied())) {
            Some(near) => problem.or(format!("did you mean {near}?")),
            None => problem,
        }
    }

    /// Refuses what the version that is asked for does not have.
    pub(super) fn since(&self, at: u32, what: &str, since: u32) -> Result<(), Problem> {
        match self.environment.minor() {
            Some(minor) if since > minor => Err(self.problem(
                at,
                if since == library::NEVER {
                    format!("no version of Kubernetes has {what}")
                } else {
                    format!("{what} needs Kubernetes 1.{since}, not 1.{minor}")
                },
            )),
            _ => Ok(()),
        }
    }
}

fn count(number: usize) -> String {
    if number == 1 {
        "1 argument".to_owned()
    } else {
        format!("{number} arguments")
    }
}

fn signatures(overloads: &[&'static Overload]) -> String {
    let mut all: Vec<String> = overloads
        .iter()
        .map(|overload| overload.signature())
        .collect();
    all.sort();
    all.dedup();
    let more = all.len() > 4;
    all.truncate(4);
    let mut text = format!("there is {}", all.join(", "));
    if more {
        text.push_str(", …");
    }
    text
}
