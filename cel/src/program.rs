//! A text that passed every check, ready to run.

use crate::{
    bindings::Bindings,
    budget::{Arena, Budget},
    environment::Environment,
    eval,
    fault::Fault,
    lower::{self, Lowered},
    node::Node,
    parse,
    problem::Problem,
    types::Type,
    value::Value,
};

/// The longest text, in bytes.
pub const LONGEST: usize = 16 << 10;
/// The deepest tree. `a.b.c` is three deep; `&&` and `||` chains count only their logarithm.
pub const DEEPEST: usize = 250;

/// A checked expression. Never changes, may be shared between threads, and runs on any of them.
#[derive(Debug)]
pub struct Program {
    text: Box<str>,
    root: Node,
    result: Type,
    uses: Vec<String>,
    estimate: u64,
}

impl Program {
    /// Checks a text.
    ///
    /// Guarantees: names, functions, numbers of arguments and the types that can be known are right; the tree is at most [`DEEPEST`] deep; literal patterns are compiled;
    /// it is not estimated to cost more than [`Budget::STEPS`].
    ///
    /// # Errors
    /// The first mistake, with its place and what would pass.
    pub fn compile(text: &str, environment: &Environment) -> Result<Self, Problem> {
        if text.len() > LONGEST {
            return Err(
                Problem::at(text, 0, format!("{} bytes of text", text.len()))
                    .or(format!("at most {LONGEST} bytes; split it with variables")),
            );
        }
        if text.trim().is_empty() {
            return Err(Problem::at(text, 0, "no expression"));
        }
        let lowered = parse::on_deep_stack(text, || {
            let (tree, places) = parse::parse(text)?;
            lower::lower(text, &tree, &places, environment)
        })??;
        let Lowered {
            root,
            result,
            uses,
            estimate,
        } = lowered;
        if estimate > Budget::STEPS {
            return Err(Problem::at(
                text,
                root.at as usize,
                format!(
                    "estimated at {estimate} steps for lists of {} elements",
                    lower::ASSUMED
                ),
            )
            .or(format!("at most {} steps; nest fewer loops", Budget::STEPS)));
        }
        Ok(Self {
            text: text.into(),
            root,
            result,
            uses: uses
                .into_iter()
                .map(|place| environment.name_at(place).to_owned())
                .collect(),
            estimate,
        })
    }

    /// The same, and the answer must be of a type.
    ///
    /// # Errors
    /// As [`Self::compile`], or that the answer is of another type.
    pub fn compile_to(
        text: &str,
        environment: &Environment,
        wanted: &Type,
    ) -> Result<Self, Problem> {
        let program = Self::compile(text, environment)?;
        if program.result.fits(wanted) {
            Ok(program)
        } else {
            Err(Problem::at(
                text,
                program.root.at as usize,
                format!("the answer is {}", program.result),
            )
            .or(format!("an expression whose answer is {wanted}")))
        }
    }

    /// Evaluates it. `environment` must be the one it was compiled with, as the source of `bindings`.
    ///
    /// # Errors
    /// A missing fact, a failure with its place, or an empty budget. Never a panic, whatever the values are.
    pub fn evaluate<'a>(
        &'a self,
        bindings: &Bindings<'a>,
        arena: &'a Arena,
        budget: &'a Budget,
    ) -> Result<Value<'a>, Fault> {
        eval::run(&self.root, &self.text, bindings, arena, budget)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of the answer as far as it can be known.
    #[must_use]
    pub const fn result(&self) -> &Type {
        &self.result
    }

    /// The variables that it names, in the order of the environment.
    #[must_use]
    pub fn uses(&self) -> &[String] {
        &self.uses
    }

    /// Steps that it is estimated to take.
    #[must_use]
    pub const fn estimate(&self) -> u64 {
        self.estimate
    }
}
