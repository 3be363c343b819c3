//! From the parser's tree to the tree that is evaluated: names, functions, macros and types are settled here, once.
//!
//! Decides: what every name means, which overloads of a function can apply, which types can never meet, and what the whole may cost. The types are those of
//! cel-go's checker, made wider in one place: whole and floating numbers compare for equality, which the API server decides when it runs.

mod call;
mod macros;
mod operator;

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr, LiteralValue, MapExpr, SelectExpr, SourceInfo},
};

use crate::{
    environment::Environment,
    node::{Kind, Node, Op},
    problem::Problem,
    program::DEEPEST,
    suggestion::nearest,
    types::Type,
};

/// How many elements a list is assumed to have when cost is estimated.
pub const ASSUMED: u64 = 16;

/// What came out of checking.
pub(crate) struct Lowered {
    pub root: Node,
    pub result: Type,
    /// Places of the variables that are used, ascending.
    pub uses: Vec<usize>,
    pub estimate: u64,
}

/// A checked part: its node, its type, and its estimated cost.
struct Part {
    node: Node,
    of: Type,
    cost: u64,
}

/// Checks a tree. To be called on a deep stack, since the tree may be deeper than what passes.
pub(crate) fn lower(
    text: &str,
    tree: &IdedExpr,
    places: &SourceInfo,
    environment: &Environment,
) -> Result<Lowered, Problem> {
    let mut lowering = Lowering {
        text,
        places,
        environment,
        locals: Vec::new(),
        uses: vec![false; environment.len()],
        depth: 0,
    };
    let part = lowering.part(tree)?;
    Ok(Lowered {
        root: part.node,
        result: part.of,
        uses: lowering
            .uses
            .iter()
            .enumerate()
            .filter_map(|(place, used)| used.then_some(place))
            .collect(),
        estimate: part.cost,
    })
}

struct Lowering<'t> {
    text: &'t str,
    places: &'t SourceInfo,
    environment: &'t Environment,
    locals: Vec<(String, Type)>,
    uses: Vec<bool>,
    depth: usize,
}

impl Lowering<'_> {
    fn at(&self, expr: &IdedExpr) -> u32 {
        // the place of an operator is told better by its first operand when the parser has none
        self.places
            .offset_for(expr.id)
            .map_or(0, |(start, _)| start)
    }

    fn problem(&self, at: u32, message: impl Into<String>) -> Problem {
        Problem::at(self.text, at as usize, message)
    }

    fn part(&mut self, expr: &IdedExpr) -> Result<Part, Problem> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self
                .problem(self.at(expr), format!("nested more than {DEEPEST} deep"))
                .or("a flatter expression; split it with variables"));
        }
        let part = self.kind(expr);
        self.depth -= 1;
        part
    }

    fn kind(&mut self, expr: &IdedExpr) -> Result<Part, Problem> {
        let at = self.at(expr);
        match &expr.expr {
            Expr::Unspecified => Err(self.problem(at, "not an expression")),
            Expr::Literal(literal) => {
                Ok(Part::new(at, literal_kind(literal), literal_type(literal)))
            }
            Expr::Ident(name) => self.name(at, name),
            Expr::Select(select) => self.select(at, select),
            Expr::List(list) => {
                let mut of: Option<Type> = None;
                let mut cost = 1u64;
                let mut elements = Vec::with_capacity(list.elements.len());
                for (place, element) in list.elements.iter().enumerate() {
                    let optional = list.optional_indices.contains(&place);
                    let part = self.part(element)?;
                    let element = self.entry_type(&part, optional)?;
                    of = Some(of.map_or_else(|| element.clone(), |of| of.join(&element)));
                    cost = cost.saturating_add(part.cost);
                    elements.push((part.node, optional));
                }
                Ok(Part {
                    node: Node {
                        kind: Kind::List(elements),
                        at,
                    },
                    of: Type::list(of.unwrap_or(Type::Dyn)),
                    cost,
                })
            }
            Expr::Map(map) => self.map(at, map),
            Expr::Call(call) => self.call(expr, at, call),
            Expr::Struct(of) => Err(self
                .problem(
                    at,
                    format!("{} is no type that can be made here", of.type_name),
                )
                .or("a map: {\"key\": value}")),
            // the parser has no macros, so nothing expands to one
            Expr::Comprehension(_) => Err(self.problem(at, "not an expression")),
        }
    }

    fn map(&mut self, at: u32, map: &MapExpr) -> Result<Part, Problem> {
        let (mut keys, mut values): (Option<Type>, Option<Type>) = (None, None);
        let mut cost = 1u64;
        let mut entries = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(self.problem(at, "not an expression"));
            };
            let key = self.part(&entry.key)?;
            if !matches!(
                key.of,
                Type::Dyn | Type::Bool | Type::Int | Type::Uint | Type::String
            ) {
                return Err(self
                    .problem(key.node.at, format!("a key that is {}", key.of))
                    .or("a key is a string, int, uint or bool"));
            }
            let value = self.part(&entry.value)?;
            let of = self.entry_type(&value, entry.optional)?;
            keys = Some(keys.map_or_else(|| key.of.clone(), |keys| keys.join(&key.of)));
            values = Some(values.map_or_else(|| of.clone(), |values| values.join(&of)));
            cost = cost.saturating_add(key.cost).saturating_add(value.cost);
            entries.push((key.node, value.node, entry.optional));
        }
        Ok(Part {
            node: Node {
                kind: Kind::Map(entries),
                at,
            },
            of: Type::map(keys.unwrap_or(Type::Dyn), values.unwrap_or(Type::Dyn)),
            cost,
        })
    }

    /// The type of an element that may be marked with `?`.
    fn entry_type(&self, part: &Part, optional: bool) -> Result<Type, Problem> {
        match (&part.of, optional) {
            (of, false) => Ok(of.clone()),
            (Type::Optional(inner), true) => Ok(inner.as_ref().clone()),
            (Type::Dyn, true) => Ok(Type::Dyn),
            (of, true) => Err(self
                .problem(part.node.at, format!("? before {of}"))
                .or("? stands before an optional, such as object.?field")),
        }
    }

    fn name(&mut self, at: u32, name: &str) -> Result<Part, Problem> {
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some(place) = self.locals.iter().rposition(|(own, _)| own == name) {
            let of = self.locals[place].1.clone();
            return Ok(Part::new(at, Kind::Local(place), of));
        }
        if let Some(place) = self.environment.place(name) {
            return Ok(self.variable(at, place));
        }
        if let Some(name) = type_constant(name) {
            return Ok(Part::new(at, Kind::Type(name), Type::Type));
        }
        if name == "authorizer" {
            return Err(self
                .problem(at, "authorizer is answered by the API server alone")
                .or("a ValidatingAdmissionPolicy, or a rule without it"));
        }
        if self.environment.is_root(name) {
            return Err(self
                .problem(at, format!("{name} alone is no value"))
                .or(self.names_below(name)));
        }
        let problem = self.problem(at, format!("unknown variable {}", short(name)));
        let locals = self.locals.iter().map(|(name, _)| name.as_str());
        let roots = self
            .environment
            .names()
            .map(|name| name.split('.').next().unwrap_or(name));
        Err(match nearest(name, locals.chain(roots)) {
            Some(near) => problem.or(format!("did you mean {near}?")),
            None => {
                let mut known: Vec<&str> = self
                    .environment
                    .names()
                    .map(|name| name.split('.').next().unwrap_or(name))
                    .collect();
                known.dedup();
                if known.is_empty() {
                    problem
                } else {
                    problem.or(format!("there are {}", known.join(", ")))
                }
            }
        })
    }

    fn names_below(&self, root: &str) -> String {
        let names: Vec<String> = self
            .environment
            .below(root)
            .take(12)
            .map(|name| format!("{root}.{name}"))
            .collect();
        format!("there are {}", names.join(", "))
    }

    fn variable(&mut self, at: u32, place: usize) -> Part {
        if let Some(used) = self.uses.get_mut(place) {
            *used = true;
        }
        Part::new(at, Kind::Variable(place), self.environment.type_at(place))
    }

    /// The dotted name that an operand spells, when no macro binds its root.
    fn path(&self, expr: &IdedExpr) -> Option<String> {
        let mut segments = Vec::new();
        let mut at = expr;
        loop {
            match &at.expr {
                Expr::Ident(name) => {
                    let name = name.strip_prefix('.').unwrap_or(name);
                    if self.locals.iter().any(|(own, _)| own == name) {
                        return None;
                    }
                    segments.push(name);
                    segments.reverse();
                    return Some(segments.join("."));
                }
                // a declared name has few parts
                Expr::Select(select) if !select.test && segments.len() < 8 => {
                    segments.push(&select.field);
                    at = &select.operand;
                }
                _ => return None,
            }
        }
    }

    /// `a.b`, where `a.b` may be one declared name.
    fn select(&mut self, at: u32, select: &SelectExpr) -> Result<Part, Problem> {
        if let Some(path) = self.path(&select.operand) {
            let name = format!("{path}.{}", select.field);
            if let Some(place) = self.environment.place(&name) {
                return Ok(self.variable(at, place));
            }
            if let Some(name) = type_constant(&name) {
                return Ok(Part::new(at, Kind::Type(name), Type::Type));
            }
            self.known_field(at, &path, &select.field)?;
        }
        let operand = self.part(&select.operand)?;
        self.described_field(at, &select.operand, &operand.of, &select.field)?;
        let of = self.field_type(at, &operand.of, &select.field)?;
        Ok(Part {
            cost: operand.cost.saturating_add(1),
            of,
            node: Node {
                at: operand.node.at.max(at),
                kind: Kind::Select {
                    of: Box::new(operand.node),
                    field: select.field.as_str().into(),
                },
            },
        })
    }

    /// Refuses a field that cannot be there: below a root that is all declared, or of a variable whose fields are known.
    fn known_field(&self, at: u32, path: &str, field: &str) -> Result<(), Problem> {
        let full = format!("{path}.{field}");
        if self.environment.is_root(path)
            && self.environment.place(path).is_none()
            && !self.environment.is_root(&full)
        {
            let problem = self.problem(at, format!("unknown {}", short(&full)));
            return Err(match nearest(field, self.environment.below(path)) {
                Some(near) => problem.or(format!("did you mean {path}.{near}?")),
                None => problem.or(self.names_below(path)),
            });
        }
        if let Some(fields) = self.environment.fields_of(path)
            && !fields.iter().any(|own| own == field)
        {
            let problem = self.problem(at, format!("{path} has no field {}", short(field)));
            return Err(match nearest(field, fields.iter().map(String::as_str)) {
                Some(near) => problem.or(format!("did you mean {path}.{near}?")),
                None => problem.or(format!("it has {}", fields.join(", "))),
            });
        }
        Ok(())
    }

    /// Refuses a field that objects of this type do not have.
    fn described_field(
        &self,
        at: u32,
        operand: &IdedExpr,
        of: &Type,
        field: &str,
    ) -> Result<(), Problem> {
        let object = match of {
            Type::Object(object) => object,
            Type::Optional(inner) => match inner.as_ref() {
                Type::Object(object) => object,
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        if object.field(field).is_some() {
            return Ok(());
        }
        let path = spelled(operand);
        let whose = path.clone().unwrap_or_else(|| object.called());
        let problem = self.problem(at, format!("{whose} has no field {}", short(field)));
        let names = object.names();
        Err(
            match (nearest(field, names.iter().map(String::as_str)), path) {
                (Some(near), Some(path)) => problem.or(format!("did you mean {path}.{near}?")),
                (Some(near), None) => problem.or(format!("did you mean {near}?")),
                (None, _) => problem.or(format!("it has {}", names.join(", "))),
            },
        )
    }

    fn field_type(&self, at: u32, of: &Type, field: &str) -> Result<Type, Problem> {
        match of {
            Type::Dyn => Ok(Type::Dyn),
            Type::Object(object) => Ok(object.field(field).unwrap_or(Type::Dyn)),
            Type::Map(key, value) if key.fits(&Type::String) => Ok(value.as_ref().clone()),
            Type::Optional(inner) => {
                let field = self.field_type(at, inner, field)?;
                Ok(match field {
                    already @ Type::Optional(_) => already,
                    field => Type::optional(field),
                })
            }
            of => Err(self.problem(at, format!("{of} has no field {}", short(field)))),
        }
    }

    /// `has(a.b)`.
    fn has(&mut self, at: u32, argument: &IdedExpr) -> Result<Part, Problem> {
        let Expr::Select(select) = &argument.expr else {
            return Err(self
                .problem(at, "has() of something that is no field")
                .or("has() takes a field: has(object.spec.replicas)"));
        };
        let place = self.at(argument);
        if let Some(path) = self.path(&select.operand) {
            // a declared name is there, or the fact is missing
            if let Some(variable) = self.environment.place(&format!("{path}.{}", select.field)) {
                let variable = self.variable(place, variable);
                let null = Part::new(place, Kind::Null, Type::Null);
                return Ok(Part {
                    of: Type::Bool,
                    cost: 1,
                    node: Node {
                        at,
                        kind: Kind::Binary(
                            Op::Unequal,
                            Box::new(variable.node),
                            Box::new(null.node),
                        ),
                    },
                });
            }
            self.known_field(place, &path, &select.field)?;
        }
        let operand = self.part(&select.operand)?;
        self.described_field(place, &select.operand, &operand.of, &select.field)?;
        self.field_type(place, &operand.of, &select.field)?;
        Ok(Part {
            cost: operand.cost.saturating_add(1),
            of: Type::Bool,
            node: Node {
                at: place,
                kind: Kind::Has {
                    of: Box::new(operand.node),
                    field: select.field.as_str().into(),
                },
            },
        })
    }
}

impl Part {
    fn new(at: u32, kind: Kind, of: Type) -> Self {
        Self {
            node: Node { kind, at },
            of,
            cost: 1,
        }
    }
}

fn literal_kind(literal: &LiteralValue) -> Kind {
    match literal {
        LiteralValue::Boolean(value) => Kind::Bool(*value.inner()),
        LiteralValue::Bytes(value) => Kind::Bytes(value.inner().into()),
        LiteralValue::Double(value) => Kind::Double(*value.inner()),
        LiteralValue::Int(value) => Kind::Int(*value.inner()),
        LiteralValue::Null => Kind::Null,
        LiteralValue::String(value) => Kind::Str(value.inner().into()),
        LiteralValue::UInt(value) => Kind::Uint(*value.inner()),
    }
}

const fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::String,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

fn type_constant(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 14] = [
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "uint",
        "optional_type",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "net.IP",
    ];
    NAMES.into_iter().find(|own| *own == name)
}

/// How an operand is spelt, when it is nothing but names: those of variables and of what macros bind.
fn spelled(expr: &IdedExpr) -> Option<String> {
    let mut segments = Vec::new();
    let mut at = expr;
    while segments.len() < 16 {
        match &at.expr {
            Expr::Ident(name) => {
                segments.push(name.strip_prefix('.').unwrap_or(name));
                segments.reverse();
                return Some(segments.join("."));
            }
            Expr::Select(select) if !select.test => {
                segments.push(&select.field);
                at = &select.operand;
            }
            _ => return None,
        }
    }
    None
}

/// A name of the text for a message.
fn short(name: &str) -> String {
    const LONGEST: usize = 80;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST).chain(['…']).collect()
}
