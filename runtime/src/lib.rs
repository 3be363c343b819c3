//! What every Sluice program needs around its own work: flags, the configuration file, logs, metrics, a client that counts
//! its requests, readiness, the TLS server, leadership, the heartbeat, and an orderly end.
//!
//! Decides: when this process may act as leader ([`lease`]), when a heartbeat counts as alive ([`heartbeat`]), when a connection is
//! cut ([`serve`]), and what ends the process ([`drain`]). Carries what each replica of the webhook enforces to whoever asks ([`replicas`]), and reads the policies of a
//! folder ([`policy_folder`]) and the keys of Secrets without their values ([`keyed`]).
//! Leaves to others: everything about releases, gates and certificates. A program hands in its tasks, its router and its TLS configuration.
//!
//! Invariants: no task runs that nobody joins; no other machine's clock is compared with ours; an API error is never read as absence.
//! I/O is in [`admin`], [`client`], [`config::load`], [`drain`], [`serve`], [`policy_folder`], [`replicas::Teller`], and the outer halves of [`lease`] and [`heartbeat`]; the
//! inner halves are state machines that take the time as an argument.

mod any_kind;

pub mod admin;
pub mod args;
pub mod client;
pub mod config;
pub mod drain;
pub mod heartbeat;
pub mod keyed;
pub mod lease;
pub mod logs;
pub mod metrics;
pub mod policy_folder;
pub mod replicas;
pub mod serve;

/// The installation of the process-wide TLS provider; see [`crypto::install`].
pub mod crypto {
    /// Makes aws-lc-rs the provider of every TLS connection of this process. First thing in `main`; a second call changes nothing.
    pub fn install() {
        // an error only says that a provider is there already
        if rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .is_err()
        {
            tracing::trace!("a TLS provider was installed before");
        }
    }
}
