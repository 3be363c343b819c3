//! What an evaluation may cost, and where its values live.

use std::cell::Cell;

use bumpalo::Bump;

/// Steps and bytes that evaluations may use together. One budget may serve several evaluations, such as one rule over all containers.
#[derive(Debug)]
pub struct Budget {
    steps: Cell<u64>,
    bytes: Cell<usize>,
}

impl Budget {
    /// Steps unless said otherwise: some ten milliseconds.
    pub const STEPS: u64 = 1_000_000;
    /// Bytes unless said otherwise.
    pub const BYTES: usize = 8 << 20;

    /// A budget of its own bounds.
    #[must_use]
    pub const fn new(steps: u64, bytes: usize) -> Self {
        Self {
            steps: Cell::new(steps),
            bytes: Cell::new(bytes),
        }
    }

    /// Steps that are left.
    #[must_use]
    pub const fn steps_left(&self) -> u64 {
        self.steps.get()
    }

    pub(crate) fn take_steps(&self, count: u64) -> bool {
        match self.steps.get().checked_sub(count) {
            Some(left) => {
                self.steps.set(left);
                true
            }
            None => {
                self.steps.set(0);
                false
            }
        }
    }

    pub(crate) fn take_bytes(&self, count: usize) -> bool {
        match self.bytes.get().checked_sub(count) {
            Some(left) => {
                self.bytes.set(left);
                true
            }
            None => {
                self.bytes.set(0);
                false
            }
        }
    }

    pub(crate) const fn bytes_left(&self) -> usize {
        self.bytes.get()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::STEPS, Self::BYTES)
    }
}

/// Where the values of evaluations live. Nothing in it needs to be dropped, and no reference to it is ever freed before it.
#[derive(Debug, Default)]
pub struct Arena(pub(crate) Bump);

impl Arena {
    /// An empty arena; takes no memory until something is put in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
