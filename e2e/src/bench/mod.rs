//! Numbers: what a review costs, next to a bare server that reads the same bytes over the same TLS with the same allocator, parses and answers.
//! Both run in the same run on the same machine, so the ratio counts, not the single figure.
//!
//! Server CPU is what the kernel accounted to the server's process; the load comes from this one.

pub mod load;
pub mod process_cost;
pub mod reviews;
