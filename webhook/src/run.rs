//! From flags to a serving process and back: what is started, in which order, and how it ends.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser;
use sluice_certs::{CertificateSource, Loaded, Reloader};
use sluice_policies::ExceptionBounds;
use sluice_probes::{
    BearerToken, PrometheusServer, PrometheusSource, TargetAllowList, TargetRules,
};
use sluice_runtime::{
    admin::{Admin, Readiness, ReadyCondition},
    args::{AdminArgs, ConfigArgs, KubeArgs, LogArgs, NamespaceArgs},
    client,
    config::{self, Config},
    crypto,
    drain::{Signals, Tasks},
    heartbeat::HeartbeatReader,
    logs,
    metrics::Metrics,
    serve::{ServeMetrics, ServeOptions, Transport, serve},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin, attempts, enforced,
    folder::{self, follow::Follower},
    http::{self, Door},
    index::{Indexes, beside::peaks::Observer, feed},
    judge::Knowledge,
    metrics::AdmissionMetrics,
    vitals::Vitals,
};

/// How long the process may take to end: lame duck and open reviews, with room.
const GRACE: Duration = Duration::from_secs(27);

/// News of the policy folder that may wait to be told.
const NEWS: usize = 16;

/// The admission webhooks of Sluice.
#[derive(Clone, Debug, Parser)]
#[command(name = "sluice-webhook", version, about)]
pub struct Args {
    #[command(flatten)]
    kube: KubeArgs,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    admin: AdminArgs,
    #[command(flatten)]
    log: LogArgs,
    /// Address of the webhooks; port 0 takes a free one, which the log names
    #[arg(
        long,
        env = "SLUICE_LISTEN",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:9443"
    )]
    listen: SocketAddr,
    /// Serving certificate from a file instead of the Secret: PEM, the leaf first
    #[arg(
        long,
        env = "SLUICE_CERT_FILE",
        value_name = "FILE",
        requires = "key_file"
    )]
    cert_file: Option<PathBuf>,
    /// The key of --cert-file: PEM
    #[arg(
        long,
        env = "SLUICE_KEY_FILE",
        value_name = "FILE",
        requires = "cert_file"
    )]
    key_file: Option<PathBuf>,
}

/// Runs the webhooks until a signal, or until something that must not end does.
///
/// # Errors
/// Flags, configuration or cluster access that cannot work, an address that cannot be bound, or the first task that failed.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Args {
        kube,
        namespace: NamespaceArgs { namespace },
        config: config_args,
        admin: admin_args,
        log,
        listen,
        cert_file,
        key_file,
    } = args;
    crypto::install();
    logs::init(&log)?;
    let config = config::load(&config_args)?;
    let targets = target_rules(&config)?;
    let signals = Signals::install().context("signals cannot be caught")?;
    let metrics = Metrics::new();
    let readiness = Readiness::new();
    let drain = CancellationToken::new();
    // what answers are made from stays alive until the last answer, and so does the admin server, so that a drain can be watched
    let served = CancellationToken::new();
    let mut tasks = Tasks::new(drain.clone());

    let user_agent = concat!("sluice-webhook/", env!("CARGO_PKG_VERSION"));
    let client = client::client(&kube, &metrics, user_agent).await?;
    let admission = AdmissionMetrics::register(&metrics);
    let mut indexes = Indexes::new(
        &namespace,
        HeartbeatReader::new(Instant::now()),
        ExceptionBounds {
            longest: config.exceptions.longest.get(),
            warn_before: config.exceptions.warn_before.get(),
        },
    );
    if config.policies.folder.is_some() {
        indexes = indexes.expecting_files();
    }
    let knowledge = Arc::new(Knowledge { indexes, targets });
    feed::start(
        &mut tasks, &served, &client, &knowledge, &readiness, &admission,
    );

    if let Some(folder) = config.policies.folder.clone() {
        let (news, told) = mpsc::channel(NEWS);
        let condition = readiness.condition("policy folder");
        condition.unset(format!("{} was not read yet", folder.display()));
        let follower = Follower {
            folder,
            knowledge: Arc::clone(&knowledge),
            metrics: admission.clone(),
            news,
            condition,
        };
        tasks.spawn("policy folder", follower.run(served.clone()));
        let telling = folder::tell::tell(client.clone(), namespace.clone(), told, served.clone());
        tasks.spawn("news of the policy folder", telling);
    }

    if let Some(observer) = observer(&config, &knowledge, &admission)? {
        tasks.spawn("memory in use", observer.run(served.clone()));
    }
    let saying = enforced::say(
        client.clone(),
        namespace.clone(),
        Arc::clone(&knowledge),
        readiness.clone(),
        served.clone(),
    );
    tasks.spawn("what is enforced", saying);

    let source = match (cert_file, key_file) {
        (Some(cert), Some(key)) => CertificateSource::Files { cert, key },
        // clap lets neither in without the other
        _ => CertificateSource::Secret {
            client: client.clone(),
            namespace,
        },
    };
    let reloader = Reloader::new(source);
    let transport = Transport::Tls(reloader.config());
    Vitals {
        readiness: readiness.clone(),
        knowledge: Arc::clone(&knowledge),
        certificate: reloader.loaded(),
    }
    .register(&metrics);
    let certificate = readiness.condition("certificate");
    certificate.unset("not loaded yet");
    tasks.spawn(
        "certificate condition",
        mark_loaded(reloader.loaded(), certificate, served.clone()),
    );
    tasks.spawn("certificate", reloader.run(served.clone()));

    let admin = Admin::bind(&admin_args, &metrics, &readiness, &drain)
        .await
        .with_context(|| format!("cannot listen on {}", admin_args.admin_addr))?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    tracing::info!(address = %listener.local_addr()?, "webhooks listen");

    let (attempts, noted) = attempts::line();
    let noting = attempts::tell(
        client.clone(),
        Arc::clone(&knowledge),
        noted,
        served.clone(),
    );
    tasks.spawn("notes of attempts", noting);
    let door = Arc::new(Door::new(Arc::clone(&knowledge), admission).noting(attempts));
    let admin = admin.with(admin::routes(knowledge, Arc::clone(&door.rings)));
    tasks.spawn("admin server", admin.run(served.clone()));
    let options = ServeOptions {
        metrics: ServeMetrics::new(&metrics),
        ..ServeOptions::default()
    };
    let app = http::router(door);
    tasks.spawn("webhooks", async move {
        // also when serving panics: the other tasks must not wait for it
        let _served = served.drop_guard();
        let drained = serve(listener, transport, app, options, drain).await;
        tracing::info!(cut = drained.cut, "drained");
        Ok::<(), Infallible>(())
    });
    Ok(tasks.run(signals, GRACE).await?)
}

/// Sets the condition with the first certificate; a later one that cannot be loaded leaves the one being served.
async fn mark_loaded(
    mut loaded: watch::Receiver<Option<Loaded>>,
    condition: ReadyCondition,
    until: CancellationToken,
) -> Result<(), Infallible> {
    tokio::select! {
        found = loaded.wait_for(Option::is_some) => {
            if found.is_ok() {
                condition.set();
            }
        }
        () = until.cancelled() => {}
    }
    until.cancelled().await;
    Ok(())
}

/// What asks how much memory is in use; `None` when no server is configured for that.
fn observer(
    config: &Config,
    knowledge: &Arc<Knowledge>,
    metrics: &AdmissionMetrics,
) -> anyhow::Result<Option<Observer>> {
    let wanted = &config.policies.observed_peaks;
    let name = wanted.source.as_str();
    let Some(source) = config.prometheus.get(&wanted.source) else {
        return Ok(None);
    };
    let source = PrometheusSource {
        url: source.url.as_str().to_owned(),
        timeout: source.timeout.get(),
        bearer_token: source.bearer_token_file.clone().map(BearerToken::File),
    };
    Ok(Some(Observer {
        server: PrometheusServer::new(name, source)?,
        source: name.to_owned(),
        window: wanted.window,
        interval: wanted.interval.get().max(Duration::from_secs(1)),
        matchers: wanted.matchers.clone(),
        knowledge: Arc::clone(knowledge),
        metrics: metrics.clone(),
    }))
}

/// What probes may ask, as the configuration says.
fn target_rules(config: &Config) -> anyhow::Result<TargetRules> {
    let allow = TargetAllowList::parse(config.probes.allow_targets.iter())
        .context("configuration: probes.allowTargets")?;
    Ok(TargetRules {
        allow,
        sources: Some(
            config
                .prometheus
                .keys()
                .map(|name| name.as_ref().to_owned())
                .collect(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_sound_and_a_certificate_needs_its_key() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
        assert!(Args::try_parse_from(["sluice-webhook", "--cert-file", "a.pem"]).is_err());
        let args = Args::try_parse_from(["sluice-webhook", "--listen", "127.0.0.1:0"]).unwrap();
        assert_eq!(args.listen.port(), 0);
    }

    #[test]
    fn the_configuration_bounds_what_probes_may_ask() {
        let config = config::parse(
            "c.yaml",
            "prometheus: {main: {url: \"http://p.m.svc:9090\"}}",
        )
        .unwrap();
        let rules = target_rules(&config).unwrap();
        assert!(rules.sources.unwrap().contains("main"));
        assert!(rules.allow.allows_host("checkout.shop.svc"));
        assert!(!rules.allow.allows_host("example.com"));
    }
}
