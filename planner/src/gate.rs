//! Is a gate open, and why not.
