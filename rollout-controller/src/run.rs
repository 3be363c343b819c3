//! From flags to a running controller and back: what is started, in which order, and how it ends.

use std::{collections::BTreeMap, convert::Infallible, future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use sluice_api::{access, admission_table::ClientConfigChoice};
use sluice_certs::Terms;
use sluice_policies::ExceptionBounds;
use sluice_probes::{
    BearerToken, DesiredRuns, Engine, EngineOptions, PrometheusSource, TargetAllowList,
};
use sluice_runtime::{
    admin::{Admin, Readiness},
    args::{AdminArgs, ConfigArgs, KubeArgs, LeaseArgs, LogArgs, NamespaceArgs},
    client,
    config::{self, Config},
    crypto,
    drain::{Signals, Tasks},
    heartbeat::Heartbeat,
    lease::{self, Elector, ElectorOptions},
    logs,
    metrics::Metrics,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cache::{Caches, table::Change, table::Row, table::Table, watching},
    clock::Clock,
    exceptions::usage::{Looker, Usage},
    execute::Executor,
    gather::Gatherer,
    metrics::Metrics as Counted,
    probing::{attempts, judging::Judge, pulse},
    publish::Publisher,
    queue::Queue,
    reconcile::{Memory, Reconciler},
    report,
    wake::Waker,
};

/// How long the process may take to end: requests on their way, and the lease given back.
const GRACE: Duration = Duration::from_secs(15);

/// The release controller of Sluice: probes, gates, releases.
#[derive(Clone, Debug, Parser)]
#[command(name = "sluice-controller", version, about)]
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
    lease: LeaseArgs,
    #[command(flatten)]
    log: LogArgs,
    /// Deployments worked on at once
    #[arg(
        long,
        env = "SLUICE_WORKERS",
        value_name = "COUNT",
        default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    workers: u16,
}

/// Runs the controller until a signal or a defect.
///
/// # Errors
/// What kept it from starting, or the task that ended it.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Args {
        kube,
        namespace,
        config,
        admin,
        lease,
        log,
        workers,
    } = args;
    crypto::install();
    logs::init(&log)?;
    let signals = Signals::install().context("cannot listen for signals")?;
    let config = config::load(&config)?;
    let registry = Metrics::new();
    let counted = Counted::new(&registry);
    let agent = concat!("sluice-controller/", env!("CARGO_PKG_VERSION"));
    let client = client::client(&kube, &registry, agent).await?;
    let system = namespace.namespace;

    let mut tasks = Tasks::new(CancellationToken::new());
    let drain = tasks.drain();
    let readiness = Readiness::new();
    let synced = readiness.condition("caches");
    let admin = Admin::bind(&admin, &registry, &readiness, &drain)
        .await
        .context("cannot bind the admin address")?;

    let options = engine_options(&config)?;
    let rules = options.rules();
    let (engine, engine_task) = Engine::new(options)?;
    let caches = Arc::new(Caches::default());
    let queue = Arc::new(Queue::default());
    let identity = lease::identity();
    let (elector, leadership) = Elector::new(
        client.clone(),
        ElectorOptions {
            // for `sluice doctor`: which version leads
            labels: [(
                access::VERSION_LABEL.to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            )]
            .into(),
            ..ElectorOptions::with_duration(
                &system,
                access::LEADER_LEASE,
                &identity,
                lease.lease_duration.get(),
            )
        },
    );
    let executor = Arc::new(Executor::new(
        client.clone(),
        leadership.clone(),
        counted.clone(),
    ));
    let bounds = ExceptionBounds {
        longest: config.exceptions.longest.get(),
        warn_before: config.exceptions.warn_before.get(),
    };
    let usage = Arc::new(Usage::default());
    let judge = Arc::new(Judge::new(
        caches.clone(),
        engine.clone(),
        rules,
        system.clone(),
        bounds,
        usage.clone(),
        counted.clone(),
    ));
    let (teller, teller_task) = report::teller(client.clone(), counted.clone());
    let reconciler = Arc::new(Reconciler {
        caches: caches.clone(),
        gatherer: Gatherer {
            caches: caches.clone(),
            engine: engine.clone(),
            judge: judge.clone(),
            system: system.clone(),
            clock: Arc::new(Clock::default()),
        },
        executor: executor.clone(),
        teller,
        metrics: counted.clone(),
        memory: Memory::default(),
    });
    let waker = Arc::new(Waker {
        queue: queue.clone(),
        judge: judge.clone(),
        reconciler: reconciler.clone(),
        usage: usage.clone(),
    });
    let looker = Looker {
        usage,
        client: client.clone(),
        caches: caches.clone(),
        executor: executor.clone(),
        judge: judge.clone(),
        system: system.clone(),
        bounds,
        folder: config.policies.folder.clone(),
    };
    let publisher = Publisher {
        client: client.clone(),
        caches: caches.clone(),
        executor: executor.clone(),
        metrics: counted.clone(),
        address: address(&config, &system),
        system: system.clone(),
        off: config
            .namespaces
            .off
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        terms: Terms {
            authority: config.certificates.authority.get(),
            leaf: config.certificates.serving.get(),
            overlap: config.certificates.overlap.get(),
        },
        identity: tokio::sync::OnceCell::new(),
    };

    tasks.spawn("admin", admin.run(drain.clone()));
    // a lease given up while a worker still writes would have two leaders write at once
    tasks.spawn_last("elector", |last| elector.run(last));
    spawn(&mut tasks, "probe engine", {
        let drain = drain.clone();
        async move { engine_task.run(drain).await }
    });
    watches(&mut tasks, &client, &caches, &waker, &drain);
    spawn(
        &mut tasks,
        "attempts",
        attempts::watch(client.clone(), judge.clone(), drain.clone()),
    );
    spawn(&mut tasks, "events", teller_task.run(drain.clone()));
    spawn(&mut tasks, "publisher", {
        let drain = drain.clone();
        async move { publisher.run(drain).await }
    });
    spawn(&mut tasks, "verdicts", {
        let (judge, queue, drain) = (judge.clone(), queue.clone(), drain.clone());
        let changes = engine.changes();
        async move { judge.route(changes, &queue, drain).await }
    });
    spawn(&mut tasks, "gates", {
        let (judge, executor, queue, drain) = (
            judge.clone(),
            executor.clone(),
            queue.clone(),
            drain.clone(),
        );
        async move { judge.run(&executor, &queue, drain).await }
    });
    spawn(&mut tasks, "exceptions in use", {
        let drain = drain.clone();
        async move { looker.run(drain).await }
    });
    spawn(&mut tasks, "heartbeat", {
        let (engine, judge, executor, counted, drain) = (
            engine.clone(),
            judge.clone(),
            executor.clone(),
            counted.clone(),
            drain.clone(),
        );
        let heart = move || Heartbeat::new(client.clone(), &system, &identity);
        async move { pulse::beat(heart, &engine, &judge, &executor, &counted, drain).await }
    });
    for _ in 0..workers {
        let (reconciler, queue, drain) = (reconciler.clone(), queue.clone(), drain.clone());
        spawn(&mut tasks, "worker", async move {
            reconciler.work(&queue, drain).await;
        });
    }
    spawn(&mut tasks, "sweep", {
        let (reconciler, drain) = (reconciler.clone(), drain.clone());
        async move { reconciler.sweep(drain).await }
    });
    spawn(&mut tasks, "leadership", {
        let (judge, drain) = (judge.clone(), drain.clone());
        let mut leadership = leadership;
        async move {
            loop {
                tokio::select! {
                    () = drain.cancelled() => return,
                    changed = leadership.changed() => {
                        if changed.is_err() {
                            drain.cancelled().await;
                            return;
                        }
                        judge.wake_all();
                    }
                }
            }
        }
    });
    spawn(&mut tasks, "sync", {
        let (caches, judge, drain) = (caches.clone(), judge.clone(), drain.clone());
        async move {
            loop {
                let missing = caches.unsynced();
                if missing.is_empty() {
                    break;
                }
                synced.unset(format!("not listed yet: {}", missing.join(", ")));
                tokio::select! {
                    () = drain.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(50)) => {}
                }
            }
            synced.set();
            tracing::info!("every cache has synced");
            judge.wake_all();
            drain.cancelled().await;
        }
    });
    let result = tasks.run(signals, GRACE).await;
    engine.apply(DesiredRuns::default());
    result.map_err(Into::into)
}

/// Starts a task that can only end with the drain.
fn spawn(tasks: &mut Tasks, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(name, async move {
        task.await;
        Ok::<(), Infallible>(())
    });
}

fn watches(
    tasks: &mut Tasks,
    client: &kube::Client,
    caches: &Arc<Caches>,
    waker: &Arc<Waker>,
    drain: &CancellationToken,
) {
    macro_rules! feed {
        ($name:literal, $table:ident, $wake:ident) => {
            spawn(
                tasks,
                $name,
                feed(
                    client.clone(),
                    caches.clone(),
                    |caches| &caches.$table,
                    waker.clone(),
                    |waker, change| waker.$wake(change),
                    drain.clone(),
                ),
            );
        };
    }
    feed!("namespaces", namespaces, namespace);
    feed!("deployments", deployments, deployment);
    feed!("stateful sets", stateful_sets, gated);
    feed!("daemon sets", daemon_sets, gated);
    feed!("replica sets", replica_sets, replica_set);
    feed!("pods", pods, pod);
    feed!("gate objects", gates, gate);
    feed!("plans", plans, plan);
    feed!("probe objects", probes, probe);
    feed!("releases", releases, release);
    feed!("policies", policies, policy);
    feed!("exceptions", exceptions, exception);
}

async fn feed<R: Row>(
    client: kube::Client,
    caches: Arc<Caches>,
    table: fn(&Caches) -> &Table<R>,
    waker: Arc<Waker>,
    wake: fn(&Waker, Change<R>),
    drain: CancellationToken,
) {
    watching::watch(client, table(&caches), |change| wake(&waker, change), drain).await;
}

/// How the API server reaches the webhook, as configured.
fn address(config: &Config, system: &str) -> ClientConfigChoice {
    match &config.webhook.url {
        Some(url) => ClientConfigChoice::Url(url.as_str().trim_end_matches('/').to_owned()),
        None => ClientConfigChoice::Service {
            namespace: system.to_owned(),
            name: config.webhook.service.name.as_str().to_owned(),
            port: i32::from(config.webhook.service.port),
        },
    }
}

fn engine_options(config: &Config) -> anyhow::Result<EngineOptions> {
    let patterns = config
        .probes
        .allow_targets
        .iter()
        .map(|pattern| pattern.as_str());
    let allow = TargetAllowList::parse(patterns).context("probes.allowTargets")?;
    let mut prometheus = BTreeMap::new();
    for (name, source) in &config.prometheus {
        prometheus.insert(
            name.as_str().to_owned(),
            PrometheusSource {
                url: source.url.as_str().to_owned(),
                timeout: source.timeout.get(),
                bearer_token: source.bearer_token_file.clone().map(BearerToken::File),
            },
        );
    }
    Ok(EngineOptions {
        allow,
        http_proxy: config
            .probes
            .http_proxy
            .as_ref()
            .map(|proxy| proxy.as_str().to_owned()),
        prometheus,
        max_in_flight: config.probes.concurrency,
    })
}
