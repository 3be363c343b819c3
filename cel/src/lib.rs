//! Rules of one's own in CEL: text to a checked program, program and values to an answer.
//!
//! Decides: what an expression means (as Kubernetes' API server does, see [`libraries`] for what each of its versions has), which mistakes are told before
//! it ever runs, and what it may cost. Leaves to others: which variables there are, where their values come from, and what an answer leads to.
//!
//! The text is parsed by the `cel` crate, and nothing outside this crate names its types; checking and evaluation are our own, because the answer has to hold for
//! any text: **no expression crashes, hangs or fills the memory of the process.**
//!
//! ```text
//!   text ──parse (bounded size, own stack)──▶ tree ──lower + check (bounded depth, types, names)──▶ Program
//!                                                                                                     │
//!                                        values over borrowed JSON, arena, Budget ──────────▶ evaluate ──▶ Value | Fault
//! ```
//!
//! Invariants: a [`Program`] is at most [`DEEPEST`] deep, so evaluation fits any thread's stack; every step and every byte made is charged to a [`Budget`],
//! and running out ends the evaluation whatever surrounds it; a fact that is not at hand is [`Fault::Missing`], never a value.
//!
//! Pure: no clock, file or environment; time zones come from a bundled database.

mod bindings;
mod budget;
mod described;
mod environment;
mod eval;
mod fault;
mod library;
mod lower;
mod node;
mod parse;
mod placeholders;
mod problem;
mod program;
mod suggestion;
mod types;
mod value;

pub use bindings::Bindings;
pub use budget::{Arena, Budget};
pub use described::{Described, Fields};
pub use environment::Environment;
pub use fault::Fault;
pub use library::{Library, canonical_quantity, libraries};
pub use lower::ASSUMED;
pub use placeholders::Template;
pub use problem::Problem;
pub use program::{DEEPEST, LONGEST, Program};
pub use types::Type;
pub use value::Value;
