//! The command line.

use clap::{Parser, Subcommand};
use sluice_runtime::args::KubeArgs;

use crate::{
    audit::Audit,
    check::Check,
    cluster::Connection,
    completion::Completion,
    doctor::Doctor,
    gate::Gates,
    installation::{install::Install, uninstall::Uninstall},
    output::Output,
    policy::Policies,
    release::Releases,
    rules::{Explain, Rules},
};

/// A gate in front of every release: what goes in is checked, how it spreads is stepped, and what goes wrong is undone.
///
/// Exit codes: 0 yes, 1 no, 2 cannot tell, timed out or bad input.
#[derive(Parser, Debug)]
#[command(
    name = "sluice",
    version,
    disable_help_subcommand = true,
    max_term_width = 120
)]
pub struct Arguments {
    #[command(flatten)]
    kube: KubeArgs,
    /// The namespace; without it that of the kubeconfig's context
    #[arg(short, long, value_name = "NAME", global = true)]
    namespace: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Which cluster and namespace is meant.
    pub fn connection(&self) -> Connection {
        Connection {
            kube: self.kube.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Check(Check),
    Gate(Gates),
    Release(Releases),
    Install(Install),
    Doctor(Doctor),
    Uninstall(Uninstall),
    Audit(Audit),
    Rules(Rules),
    Explain(Explain),
    Policy(Policies),
    /// Print a completion script for a shell
    Completion(Completion),
    /// The version of this program and of what it knows
    Version(Output),
}
