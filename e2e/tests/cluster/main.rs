//! Tests on the real cluster, in one binary so that they share one. A machine that cannot run it fails all of them, with the reasons; `make test` asks
//! first and counts them as skipped there.

mod application;
mod bad_releases;
mod closed_gates;
mod during_a_release;
mod foreign_names;
mod helm;
mod installation;
mod lock_out;
mod node;
mod releases;
mod requests;
mod rotation;
mod traces;
mod under_load;
