//! Flag groups shared by the programs. Every flag has an environment twin, `SLUICE_` and the flag's name, so that a manifest and a shell say
//! the same. Flatten the groups into a program's own `clap::Parser`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

/// Which cluster, and as whom.
#[derive(Args, Clone, Debug, Default)]
pub struct KubeArgs {
    /// Kubeconfig file; without it KUBECONFIG, ~/.kube/config, then the pod's service account
    #[arg(long, env = "SLUICE_KUBECONFIG", value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig; without it its current one
    #[arg(long, env = "SLUICE_CONTEXT", value_name = "NAME", global = true)]
    pub context: Option<String>,
}

/// How logs are written: to standard error.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// What is logged: a level, or directives such as `info,sluice_webhook=debug`
    #[arg(
        long,
        env = "SLUICE_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: String,
    /// `json` for machines, `text` for people
    #[arg(
        long,
        env = "SLUICE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

/// How one log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Where metrics, readiness and liveness are served.
#[derive(Args, Clone, Debug)]
pub struct AdminArgs {
    /// Address of /metrics, /readyz and /livez; port 0 takes a free one, which the log names
    #[arg(
        long,
        env = "SLUICE_ADMIN_ADDR",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080"
    )]
    pub admin_addr: SocketAddr,
}

/// The configuration file.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// The configuration file; without it every field has its default
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where Sluice itself lives.
#[derive(Args, Clone, Debug)]
pub struct NamespaceArgs {
    /// Sluice's own namespace; there is only one that works
    #[arg(
        long,
        env = "SLUICE_NAMESPACE",
        value_name = "NAME",
        default_value_t = own_namespace(),
        value_parser = the_one_namespace
    )]
    pub namespace: String,
}

/// The guards inside the API server name the controller by its namespace: a controller that lives elsewhere could not write the records that they guard, and
/// whoever may make that account in the namespace they name could.
///
/// # Errors
/// Any other namespace than the one of the manifests.
pub fn the_one_namespace(name: &str) -> Result<String, String> {
    let only = sluice_api::SYSTEM_NAMESPACE;
    if name == only {
        return Ok(name.to_owned());
    }
    Err(format!(
        "Sluice lives in namespace {only} and in no other: its admission guards, access rights and flow schemas name that one"
    ))
}

/// The namespace that a flag left out stands for: `POD_NAMESPACE` as the manifests set it, else the default one.
fn own_namespace() -> String {
    std::env::var("POD_NAMESPACE")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| sluice_api::SYSTEM_NAMESPACE.to_owned())
}

/// How long a dead leader is waited for.
#[derive(Args, Clone, Debug)]
pub struct LeaseArgs {
    /// Time without a renewal after which another replica takes over; renewals come at three tenths of it
    #[arg(
        long,
        env = "SLUICE_LEASE_DURATION",
        value_name = "DURATION",
        default_value = "10s"
    )]
    pub lease_duration: sluice_api::Duration,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser, Debug)]
    struct All {
        #[command(flatten)]
        kube: KubeArgs,
        #[command(flatten)]
        log: LogArgs,
        #[command(flatten)]
        admin: AdminArgs,
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        namespace: NamespaceArgs,
        #[command(flatten)]
        lease: LeaseArgs,
    }

    #[test]
    fn the_groups_live_side_by_side_and_have_defaults() {
        All::command().debug_assert();
        let all = All::try_parse_from(["sluice"]).unwrap();
        assert_eq!(all.admin.admin_addr.port(), 8080);
        assert_eq!(all.lease.lease_duration.to_string(), "10s");
    }

    #[test]
    fn every_flag_has_a_twin_in_the_environment() {
        for argument in All::command().get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            if long == "help" {
                continue;
            }
            let twin = format!("SLUICE_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(
                argument.get_env().and_then(|name| name.to_str()),
                Some(twin.as_str()),
                "--{long}"
            );
        }
    }

    #[test]
    fn refuses_a_namespace_that_the_guards_do_not_name() {
        let all = All::try_parse_from(["sluice", "--namespace", "sluice-system"]).unwrap();
        assert_eq!(all.namespace.namespace, "sluice-system");
        let error = All::try_parse_from(["sluice", "--namespace", "gates"]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("gates") && text.contains("sluice-system"),
            "{text}"
        );
    }

    #[test]
    fn refuses_an_address_without_a_port() {
        let error = All::try_parse_from(["sluice", "--admin-addr", "0.0.0.0"]).unwrap_err();
        assert!(error.to_string().contains("--admin-addr"), "{error}");
    }
}
