//! The values of the variables of one evaluation.

use crate::{environment::Environment, fault::Fault, value::Value};

/// The values of the variables of one evaluation. What is not set is missing, and asking for it is [`Fault::Missing`].
#[derive(Clone, Debug)]
pub struct Bindings<'a> {
    environment: &'a Environment,
    slots: Vec<Binding<'a>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Binding<'a> {
    Absent,
    Value(Value<'a>),
    Fault(Fault),
}

impl<'a> Bindings<'a> {
    /// No value yet.
    #[must_use]
    pub fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            // there are many, and most rules ask for few: the words are made when somebody asks
            slots: vec![Binding::Absent; environment.len()],
        }
    }

    /// Gives a variable its value. A name that the environment does not have is ignored.
    pub fn set(&mut self, environment: &Environment, name: &str, value: Value<'a>) {
        self.put(environment, name, Binding::Value(value));
    }

    /// Says why a variable has no value; only expressions that ask for it fail.
    pub fn fail(&mut self, environment: &Environment, name: &str, fault: Fault) {
        self.put(environment, name, Binding::Fault(fault));
    }

    /// Whether a variable has a value.
    #[must_use]
    pub fn is_set(&self, environment: &Environment, name: &str) -> bool {
        let slot = environment
            .place(name)
            .and_then(|place| self.slots.get(place));
        matches!(slot, Some(Binding::Value(_)))
    }

    fn put(&mut self, environment: &Environment, name: &str, binding: Binding<'a>) {
        if let Some(slot) = environment
            .place(name)
            .and_then(|place| self.slots.get_mut(place))
        {
            *slot = binding;
        }
    }

    /// The value at a place; `None` when the place is of another environment.
    pub(crate) fn get(&self, place: usize) -> Option<Result<Value<'a>, Fault>> {
        Some(match self.slots.get(place)? {
            Binding::Value(value) => Ok(*value),
            Binding::Fault(fault) => Err(fault.clone()),
            Binding::Absent => Err(Fault::Missing {
                what: self.environment.name_at(place).to_owned(),
            }),
        })
    }
}
