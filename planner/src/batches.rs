//! Cumulative batches and sub-steps.
