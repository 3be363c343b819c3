//! The one configuration file of an installation. Read at start by every program, checked whole before anything else happens.
//!
//! ```yaml
//! prometheus:
//!   main: {url: "http://prometheus.monitoring:9090", timeout: 5s}
//! probes:
//!   allowTargets: ["*.svc", "*.svc.cluster.local", "status.example.com"]
//! ```
//!
//! Every field has a default, so an empty file is a valid one. A field nobody knows, a key given twice or a value that cannot work is an error
//! with file, line and column, never passed over. Reading the text is pure ([`parse`]); [`load`] reads the file.

mod certificates;
mod reference;
mod value;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sluice_api::Duration;

use crate::args::ConfigArgs;

pub use certificates::CertificatesConfig;
pub use reference::{fields, reference_markdown};
pub use value::{HttpUrl, HttpsUrl, Name, TargetPattern};

/// Larger files are refused before they are parsed.
const LARGEST: u64 = 1024 * 1024;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The Prometheus servers that probes and gates may name, by the name they use.
    pub prometheus: BTreeMap<Name, PrometheusSource>,
    /// Bounds of the probe engine.
    pub probes: ProbesConfig,
    /// How the API server reaches the webhook.
    pub webhook: WebhookConfig,
    /// Namespaces that are treated apart.
    pub namespaces: NamespacesConfig,
    /// Policies beside those of the cluster.
    pub policies: PoliciesConfig,
    /// Bounds of exceptions from policies.
    pub exceptions: ExceptionsConfig,
    /// How long the webhook's certificates live.
    pub certificates: CertificatesConfig,
}

/// One Prometheus server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusSource {
    /// Base address, without `/api/v1`.
    pub url: HttpUrl,
    /// Upper bound of one query, whatever the probe says.
    #[serde(default = "prometheus_timeout")]
    pub timeout: Duration,
    /// File with a bearer token; read anew whenever it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
}

/// Bounds of the probe engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbesConfig {
    /// What probes may ask, cluster-wide: host names, `*.` and a suffix, addresses or networks. Networks bound pod addresses; without any,
    /// every ordinary pod address is allowed.
    pub allow_targets: Vec<TargetPattern>,
    /// A forward proxy for all http probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_proxy: Option<HttpUrl>,
    /// Samples in flight at once, 1 to 65,536. One that gets no place in time is Unknown.
    #[serde(deserialize_with = "value::concurrency")]
    pub concurrency: usize,
}

/// How the API server reaches the webhook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookConfig {
    /// Base address instead of the Service, for a webhook outside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<HttpsUrl>,
    /// The Service in Sluice's own namespace.
    pub service: ServiceConfig,
}

/// The webhook's Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceConfig {
    /// Its name.
    pub name: Name,
    /// Its port, 1 to 65,535.
    #[serde(deserialize_with = "value::port")]
    pub port: u16,
}

/// Namespaces that are treated apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespacesConfig {
    /// Never seen by the webhook, whatever their label says. Sluice's own namespace is always among them.
    pub off: Vec<Name>,
}

/// Policies beside those of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PoliciesConfig {
    /// A folder with files of Policy and PolicyException objects: a mounted ConfigMap, or what git-sync keeps up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// What rules about observed memory ask.
    pub observed_peaks: ObservedPeaksConfig,
}

/// Where the memory comes from that containers were seen to use. Asked only while a policy uses a rule about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedPeaksConfig {
    /// The Prometheus server, by its name under `prometheus`. Without a server of this name nothing is observed.
    pub source: Name,
    /// How far back is looked.
    pub window: Duration,
    /// How often it is asked.
    pub interval: Duration,
    /// Further label matchers of the metric, such as `cluster="prod"`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub matchers: String,
}

/// Bounds of exceptions from policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptionsConfig {
    /// An exception counts at most this long before it expires.
    pub longest: Duration,
    /// An exception that expires within this span is told of.
    pub warn_before: Duration,
}

fn prometheus_timeout() -> Duration {
    Duration::from_secs(10)
}

impl Default for ProbesConfig {
    fn default() -> Self {
        Self {
            allow_targets: ["*.svc", "*.svc.cluster.local"]
                .map(TargetPattern::known)
                .into(),
            http_proxy: None,
            concurrency: 256,
        }
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            name: Name::known("sluice-webhook"),
            port: 443,
        }
    }
}

impl Default for ObservedPeaksConfig {
    fn default() -> Self {
        Self {
            source: Name::known("main"),
            window: Duration::from_secs(7 * 24 * 3600),
            interval: Duration::from_secs(300),
            matchers: String::new(),
        }
    }
}

impl Default for ExceptionsConfig {
    fn default() -> Self {
        Self {
            longest: Duration::from_secs(90 * 24 * 3600),
            warn_before: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

impl Default for NamespacesConfig {
    fn default() -> Self {
        Self {
            off: ["kube-system", "kube-node-lease", "kube-public"]
                .map(Name::known)
                .into(),
        }
    }
}

/// Why a configuration cannot be used. The text names the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {file} cannot be read")]
    Read {
        /// As given.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is too large to be one.
    #[error("configuration {file} has {bytes} bytes; at most {LARGEST} are read")]
    TooLarge {
        /// As given.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// The text is not a configuration.
    #[error("{file}:{line}:{column}: {message}{}", snippet_below(.snippet))]
    Invalid {
        /// As given.
        file: String,
        /// From 1; 0 when the parser names none.
        line: u64,
        /// From 1; 0 when the parser names none.
        column: u64,
        /// What is wrong and what would pass.
        message: String,
        /// The lines around it with a caret; may be empty.
        snippet: String,
    },
}

fn snippet_below(snippet: &str) -> String {
    if snippet.is_empty() {
        String::new()
    } else {
        format!("\n{snippet}")
    }
}

/// The configuration in `text`; `file` only names it in errors. An empty text is the default.
///
/// # Errors
/// Text that is no YAML, has more than one document, an unknown or repeated key, or a value that cannot work.
pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
    let options = serde_saphyr::options! {
        with_snippet: true,
        // as kubectl reads numbers, so that a file means the same in both
        legacy_octal_numbers: true,
    };
    let parsed: Option<Config> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let (line, column) = error
                .location()
                .map_or((0, 0), |location| (location.line(), location.column()));
            let message = error.without_snippet().to_string();
            ConfigError::Invalid {
                file: file.to_owned(),
                line,
                column,
                message: first_line_without_place(&message).to_owned(),
                snippet: value::caret(text, line, column),
            }
        })?;
    Ok(parsed.unwrap_or_default())
}

/// The message without the place that the parser appends to it, which the error names itself.
fn first_line_without_place(message: &str) -> &str {
    let line = message.lines().next().unwrap_or(message);
    line.rfind(" at line ").map_or(line, |place| &line[..place])
}

/// The configuration that the flags name, or the default without a file.
///
/// # Errors
/// The file cannot be read, or [`parse`] refuses it.
pub fn load(args: &ConfigArgs) -> Result<Config, ConfigError> {
    args.config
        .as_deref()
        .map_or_else(|| Ok(Config::default()), load_file)
}

/// The configuration in this file.
///
/// # Errors
/// The file cannot be read, or [`parse`] refuses it.
pub fn load_file(path: &Path) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let read = |source| ConfigError::Read {
        file: file.clone(),
        source,
    };
    let bytes = fs::metadata(path).map_err(read)?.len();
    if bytes > LARGEST {
        return Err(ConfigError::TooLarge { file, bytes });
    }
    let text = fs::read_to_string(path).map_err(read)?;
    parse(&file, &text)
}

#[cfg(test)]
mod tests;
