//! What functions are given: the arena, the budget, and what they may answer instead of a value.

use crate::{
    budget::{Arena, Budget},
    fault::Fault,
    value::Value,
};

/// Why there is no value; the evaluation adds the place.
#[derive(Debug)]
pub(crate) enum Raised {
    Failed(String),
    Fault(Box<Fault>),
    Spent(&'static str),
}

impl Raised {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(crate) fn overload(name: &str, values: &[Value<'_>]) -> Self {
        let types: Vec<&str> = values.iter().map(Value::type_name).collect();
        Self::Failed(format!("no such overload: {name}({})", types.join(", ")))
    }
}

/// Arena and budget of one evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    arena: &'a Arena,
    budget: &'a Budget,
}

impl<'a> Scope<'a> {
    pub(crate) const fn new(arena: &'a Arena, budget: &'a Budget) -> Self {
        Self { arena, budget }
    }

    pub(crate) fn charge(&self, steps: u64) -> Result<(), Raised> {
        if self.budget.take_steps(steps) {
            Ok(())
        } else {
            Err(Raised::Spent("steps"))
        }
    }

    /// The steps of looking at so many bytes.
    pub(crate) fn charge_bytes(&self, bytes: usize) -> Result<(), Raised> {
        self.charge(bytes as u64 / 32)
    }

    fn reserve(&self, bytes: usize) -> Result<(), Raised> {
        if self.budget.take_bytes(bytes) {
            Ok(())
        } else {
            Err(Raised::Spent("bytes"))
        }
    }

    /// Whether so many gathered values would still fit.
    pub(crate) fn room(&self, gathered: usize) -> Result<(), Raised> {
        if gathered.saturating_mul(2 * size_of::<Value<'_>>()) < self.budget.bytes_left() {
            Ok(())
        } else {
            Err(Raised::Spent("bytes"))
        }
    }

    pub(crate) fn str(&self, text: &str) -> Result<&'a str, Raised> {
        self.reserve(text.len())?;
        self.charge_bytes(text.len())?;
        self.arena
            .0
            .try_alloc_str(text)
            .map(|text| &*text)
            .map_err(|_| Raised::Spent("bytes"))
    }

    pub(crate) fn text(&self, text: &str) -> Result<Value<'a>, Raised> {
        self.str(text).map(Value::Str)
    }

    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<Value<'a>, Raised> {
        self.slice(bytes).map(Value::Bytes)
    }

    pub(crate) fn slice<T: Copy>(&self, values: &[T]) -> Result<&'a [T], Raised> {
        self.reserve(std::mem::size_of_val(values))?;
        self.charge_bytes(std::mem::size_of_val(values))?;
        self.arena
            .0
            .try_alloc_slice_copy(values)
            .map(|values| &*values)
            .map_err(|_| Raised::Spent("bytes"))
    }

    pub(crate) fn one<T: Copy>(&self, value: T) -> Result<&'a T, Raised> {
        self.reserve(size_of::<T>())?;
        self.arena
            .0
            .try_alloc(value)
            .map(|value| &*value)
            .map_err(|_| Raised::Spent("bytes"))
    }

    pub(crate) fn list(&self, values: &[Value<'a>]) -> Result<Value<'a>, Raised> {
        self.slice(values).map(Value::List)
    }

    pub(crate) fn some(&self, value: Value<'a>) -> Result<Value<'a>, Raised> {
        Ok(Value::Optional(Some(self.one(value)?)))
    }

    /// A text that is written piece by piece, each charged before it is there.
    pub(crate) fn writer(&self) -> Writer<'_, 'a> {
        Writer {
            scope: self,
            text: String::new(),
        }
    }
}

/// A text in the making.
pub(crate) struct Writer<'s, 'a> {
    scope: &'s Scope<'a>,
    text: String,
}

impl<'a> Writer<'_, 'a> {
    pub(crate) fn push(&mut self, text: &str) -> Result<(), Raised> {
        // a list that holds one list many times over prints many empty texts
        self.scope.charge(1)?;
        self.scope.charge_bytes(text.len())?;
        if self.text.len() + text.len() > self.scope.budget.bytes_left() {
            return Err(Raised::Spent("bytes"));
        }
        self.text.push_str(text);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Value<'a>, Raised> {
        self.scope.text(&self.text)
    }
}
