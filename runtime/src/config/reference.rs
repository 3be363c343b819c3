//! The documentation page of the configuration file, made from one table next to the types; a test compares the table with the types.

use std::fmt::Write as _;

/// Path, type, default, meaning.
pub(super) const FIELDS: &[(&str, &str, &str, &str)] = &[
    (
        "prometheus.NAME.url",
        "URL",
        "required",
        "Base address of a Prometheus server, without `/api/v1`. Probes and gates name it by NAME; `main` is the usual one.",
    ),
    (
        "prometheus.NAME.timeout",
        "duration",
        "`10s`",
        "Upper bound of one query, whatever the probe says.",
    ),
    (
        "prometheus.NAME.bearerTokenFile",
        "path",
        "none",
        "File with a bearer token for this server. It may be replaced at any time, as mounted service account tokens are; while it cannot be read, probes of this server are Unknown.",
    ),
    (
        "probes.allowTargets",
        "list",
        "`[\"*.svc\", \"*.svc.cluster.local\"]`",
        "What probes may ask, cluster-wide: host names, `*.` and a suffix, addresses, or networks such as `10.0.0.0/8`. Networks bound pod addresses; without any, every ordinary pod address is allowed. A list given here replaces the default one.",
    ),
    (
        "probes.httpProxy",
        "URL",
        "none",
        "Forward proxy for all http probes.",
    ),
    (
        "probes.concurrency",
        "1 to 65536",
        "`256`",
        "Samples in flight at once. A sample that gets no place in time is Unknown, never a failure of its target.",
    ),
    (
        "webhook.url",
        "https URL",
        "none",
        "Base address at which the API server calls the webhook, instead of the Service: for a webhook outside the cluster.",
    ),
    (
        "webhook.service.name",
        "name",
        "`sluice-webhook`",
        "The webhook's Service in Sluice's own namespace; its certificate is issued for it.",
    ),
    (
        "webhook.service.port",
        "1 to 65535",
        "`443`",
        "The Service's port.",
    ),
    (
        "namespaces.off",
        "list of names",
        "`[kube-system, kube-node-lease, kube-public]`",
        "Namespaces the webhook never sees, whatever their label says. Sluice's own namespace is always among them.",
    ),
    (
        "policies.folder",
        "path",
        "none",
        "Folder with files of Policy and PolicyException objects, read by webhook and controller beside those of the cluster, so mount it into both: a mounted ConfigMap, or what git-sync keeps up to date. A change is taken in as a whole within seconds; while a file in it is broken, the last whole state stays in force.",
    ),
    (
        "policies.observedPeaks.source",
        "name",
        "`main`",
        "The Prometheus server that knows how much memory containers use, by its name under `prometheus`. Asked only while a policy uses a rule about observed peaks; without a server of this name such a rule answers Unknown.",
    ),
    (
        "policies.observedPeaks.window",
        "duration",
        "`168h`",
        "How far back the peaks are looked for.",
    ),
    (
        "policies.observedPeaks.interval",
        "duration",
        "`5m`",
        "How often it is asked. What is older than three intervals counts no more.",
    ),
    (
        "policies.observedPeaks.matchers",
        "text",
        "none",
        "Further label matchers for `container_memory_working_set_bytes`, such as `cluster=\"prod\"`, where one server knows several clusters.",
    ),
    (
        "exceptions.longest",
        "duration",
        "`2160h`",
        "A PolicyException counts at most this long before it expires (90 days); one that expires later counts for nothing until then. `0s` means no exception counts.",
    ),
    (
        "exceptions.warnBefore",
        "duration",
        "`168h`",
        "A PolicyException that expires within this span (7 days) is told of by `sluice check` and by its condition `InForce`.",
    ),
    (
        "certificates.authority",
        "duration",
        "`8760h`",
        "Life of the authority that signs the webhook's certificate (a year), at least `3m`. It is replaced when two thirds are over.",
    ),
    (
        "certificates.serving",
        "duration",
        "`2160h`",
        "Life of the certificate that the webhook serves (90 days), at least `3m` and at most that of the authority. Renewed when two thirds are over.",
    ),
    (
        "certificates.overlap",
        "duration",
        "`24h`",
        "How long the API server is told to trust both the old and the new authority, before the new one signs and again after. At least `5s`, at most a twelfth of the authority's life; with a short authority the default is that.",
    ),
];

/// Every field: its path, with `NAME` where people choose one, its type, its default and what it means.
#[must_use]
pub fn fields() -> &'static [(&'static str, &'static str, &'static str, &'static str)] {
    FIELDS
}

/// The page `docs/configuration.md`, whole.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# The configuration file\n\
         \n\
         <!-- Generated from runtime/src/config; change it there. -->\n\
         \n\
         One YAML file for an installation, given to every program with `--config FILE` (or `SLUICE_CONFIG`). Every field has a default, so an\n\
         empty file is valid. A field nobody knows, a key given twice or a value that cannot work is an error with file, line and column; the\n\
         program does not start.\n\
         \n\
         | field | type | default | meaning |\n\
         |---|---|---|---|\n",
    );
    for (path, kind, default, meaning) in FIELDS {
        // writing to a String cannot fail
        let _ = writeln!(page, "| `{path}` | {kind} | {default} | {meaning} |");
    }
    page.push_str(
        "\n\
         ## Example\n\
         \n\
         ```yaml\n",
    );
    page.push_str(EXAMPLE);
    page.push_str("```\n");
    page
}

/// Reads back in a test.
pub(super) const EXAMPLE: &str = "\
prometheus:
  main:
    url: http://prometheus.monitoring.svc:9090
    timeout: 5s
    bearerTokenFile: /var/run/secrets/prometheus/token
probes:
  allowTargets: [\"*.svc\", \"*.svc.cluster.local\", status.example.com, 10.0.0.0/8]
  concurrency: 512
webhook:
  service: {name: sluice-webhook, port: 443}
namespaces:
  off: [kube-system, kube-node-lease, kube-public, cluster-infra]
policies:
  folder: /etc/sluice/policies
  observedPeaks: {source: main, window: 72h, interval: 10m, matchers: 'cluster=\"prod\"'}
exceptions: {longest: 720h, warnBefore: 72h}
certificates: {authority: 4380h, serving: 720h, overlap: 48h}
";
