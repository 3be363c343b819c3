//! Tests on the real cluster, in one binary so that they share one. A machine that cannot run it fails all of them, with the reasons; `make test` asks
//! first and counts them as skipped there.

mod bad_releases;
mod during_a_release;
mod foreign_names;
mod installation;
mod lock_out;
mod node;
mod releases;
mod requests;
mod under_load;
