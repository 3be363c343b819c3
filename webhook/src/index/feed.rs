//! The watches that fill the indexes. All I/O of this module is here; what an event means is in [`super::reduce`].
//!
//! An interrupted watch is taken up again for ever, with growing pauses; meanwhile what was known stays known. Gates do not stay open on that:
//! their proof is the heartbeat, which ages by itself, and while the watch of gates is broken no heartbeat is believed. A watch that resumes says nothing
//! until something changes, so that one lists again after each error: the list shows that it is whole.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    coordination::v1::Lease,
    core::v1::{LimitRange, Namespace, ResourceQuota},
};
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DeserializeGuard, DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use sluice_api::{Gate, Policy, PolicyException, Probe, Release, RolloutPlan, WorkloadKind};
use sluice_runtime::{
    admin::{Readiness, ReadyCondition},
    drain::Tasks,
    heartbeat,
};
use tokio_util::sync::CancellationToken;

use super::{beside, bucket::Index, reduce, rulebook::Rulebook};
use crate::{judge::Knowledge, metrics::AdmissionMetrics};

/// Starts every watch as a task of its own, until `until`. Each cache is a condition of readiness.
pub fn start(
    tasks: &mut Tasks,
    until: &CancellationToken,
    client: &Client,
    knowledge: &Arc<Knowledge>,
    readiness: &Readiness,
    metrics: &AdmissionMetrics,
) {
    let mut start = Start {
        tasks,
        until,
        client,
        knowledge,
        readiness,
        metrics,
    };
    start.labels(
        "namespaces",
        &ApiResource::erase::<Namespace>(&()),
        |know| &know.indexes.namespaces,
    );
    start.labels("probes", &ApiResource::erase::<Probe>(&()), |know| {
        &know.indexes.probes
    });
    start.labels(
        "deployments",
        &ApiResource::erase::<Deployment>(&()),
        |know| know.indexes.workloads_of(WorkloadKind::Deployment),
    );
    start.labels(
        "statefulsets",
        &ApiResource::erase::<StatefulSet>(&()),
        |know| know.indexes.workloads_of(WorkloadKind::StatefulSet),
    );
    start.labels(
        "daemonsets",
        &ApiResource::erase::<DaemonSet>(&()),
        |know| know.indexes.workloads_of(WorkloadKind::DaemonSet),
    );
    start.dynamic("releases", &ApiResource::erase::<Release>(&()), |know| {
        &know.indexes.releases
    });
    start.dynamic(
        "resourcequotas",
        &ApiResource::erase::<ResourceQuota>(&()),
        |know| &know.indexes.quotas,
    );
    start.dynamic(
        "limitranges",
        &ApiResource::erase::<LimitRange>(&()),
        |know| &know.indexes.limit_ranges,
    );
    start.guarded::<Gate, _>(GATES, |know| &know.indexes.gates);
    start.guarded::<RolloutPlan, _>("rolloutplans", |know| &know.indexes.plans);
    start.compiled::<Policy, _>("policies", |know| &know.indexes.policies);
    start.compiled::<PolicyException, _>("policyexceptions", |know| &know.indexes.exceptions);
    start.heartbeat();
    beside::feed::start(tasks, until, client, knowledge, metrics);
}

/// Objects per page of a list: a page is in memory whole before it is reduced, managedFields and all.
const PAGE: u32 = 50;

/// The cache whose content is proof.
const GATES: &str = "gates";

/// The one index of a kind.
type IndexOf<T> = fn(&Knowledge) -> &Index<T>;

struct Start<'s> {
    tasks: &'s mut Tasks,
    until: &'s CancellationToken,
    client: &'s Client,
    knowledge: &'s Arc<Knowledge>,
    readiness: &'s Readiness,
    metrics: &'s AdmissionMetrics,
}

impl Start<'_> {
    /// Metadata only: the server never sends the rest.
    fn labels(
        &mut self,
        cache: &'static str,
        resource: &ApiResource,
        index: IndexOf<reduce::Labels>,
    ) {
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::all_with(self.client.clone(), resource);
        self.index(cache, api, index);
    }

    fn dynamic<T>(&mut self, cache: &'static str, resource: &ApiResource, index: IndexOf<T>)
    where
        T: reduce::Reduce<Wire = DynamicObject>,
    {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), resource);
        self.index(cache, api, index);
    }

    fn guarded<K, T>(&mut self, cache: &'static str, index: IndexOf<T>)
    where
        K: Resource<DynamicType = ()>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug
            + Send
            + 'static,
        T: reduce::Reduce<Wire = DeserializeGuard<K>>,
    {
        let api: Api<DeserializeGuard<K>> = Api::all(self.client.clone());
        self.index(cache, api, index);
    }

    fn index<K, T>(&mut self, cache: &'static str, api: Api<K>, index: IndexOf<T>)
    where
        K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
        T: reduce::Reduce<Wire = K>,
    {
        let knowledge = Arc::clone(self.knowledge);
        let metrics = self.metrics.clone();
        self.watch(cache, api, watcher::Config::default(), move |event| {
            let index = index(&knowledge);
            index.change(reduce::change(event));
            if index.is_synced() {
                metrics.cache(cache, index.len());
            }
            index.is_synced()
        });
    }

    /// Objects that are compiled into the rulebook.
    fn compiled<K, S>(&mut self, cache: &'static str, index: IndexOf<reduce::Stored<S>>)
    where
        K: Resource<DynamicType = ()>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug
            + Send
            + 'static,
        reduce::Stored<S>: reduce::Reduce<Wire = DeserializeGuard<K>>,
    {
        let knowledge = Arc::clone(self.knowledge);
        let metrics = self.metrics.clone();
        let api: Api<DeserializeGuard<K>> = Api::all(self.client.clone());
        self.watch(cache, api, watcher::Config::default(), move |event| {
            let complete = !matches!(event, Event::Init | Event::InitApply(_));
            let index = index(&knowledge);
            index.change(reduce::change(event));
            if complete && index.is_synced() {
                metrics.cache(cache, index.len());
                tell(&knowledge.indexes.compile(), cache, &metrics);
            }
            index.is_synced()
        });
    }

    fn heartbeat(&mut self) {
        let knowledge = Arc::clone(self.knowledge);
        let api: Api<Lease> =
            Api::namespaced(self.client.clone(), &knowledge.indexes.system_namespace);
        let config =
            watcher::Config::default().fields(&format!("metadata.name={}", heartbeat::LEASE_NAME));
        let mut listed = false;
        let mut synced = false;
        self.watch("heartbeat", api, config, move |event| {
            let now = Instant::now();
            match event {
                Event::Init => listed = false,
                Event::InitApply(lease) => {
                    listed = true;
                    knowledge.indexes.heartbeat(Some(&lease), now);
                }
                Event::InitDone => {
                    synced = true;
                    if !listed {
                        knowledge.indexes.heartbeat(None, now);
                    }
                }
                Event::Apply(lease) => knowledge.indexes.heartbeat(Some(&lease), now),
                Event::Delete(_) => knowledge.indexes.heartbeat(None, now),
            }
            synced
        });
    }

    /// `take` says whether the cache has received a whole list by now.
    fn watch<K>(
        &mut self,
        cache: &'static str,
        api: Api<K>,
        config: watcher::Config,
        take: impl FnMut(Event<K>) -> bool + Send + 'static,
    ) where
        K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let condition = self.readiness.condition(format!("cache {cache}"));
        condition.unset("no complete list yet");
        let config = config.page_size(PAGE);
        let knowledge = Arc::clone(self.knowledge);
        let proof = cache == GATES;
        self.tasks.spawn(
            cache,
            follow(
                cache,
                move || Box::pin(watcher(api.clone(), config.clone()).default_backoff()),
                take,
                move |broken| {
                    if proof {
                        knowledge.indexes.gates_broken(broken);
                    }
                    // only the watch of gates has to show at once that it is whole again
                    proof
                },
                condition,
                self.metrics.clone(),
                self.until.clone(),
            ),
        );
    }
}

/// Says what judges from now on.
pub(crate) fn tell(rulebook: &Rulebook, changed: &'static str, metrics: &AdmissionMetrics) {
    metrics.rulebook(rulebook);
    tracing::info!(
        changed,
        digest = rulebook.policies.digest(),
        policies = rulebook.policies.policies(),
        anew = rulebook.compiled,
        exceptions = rulebook.exceptions.len(),
        "policies compiled"
    );
    for problem in &rulebook.broken_policies {
        tracing::warn!(problem, "policy left out");
    }
    for problem in &rulebook.broken_exceptions {
        tracing::warn!(problem, "exception left out");
    }
}

/// Pause before a broken watch lists again; it doubles with each error in a row.
const LIST_AGAIN: Duration = Duration::from_millis(500);
const LIST_AGAIN_AT_MOST: Duration = Duration::from_secs(8);

/// Follows one watch until it is told to end. An error is told and waited out; it never changes what is known.
/// `breaks` is told when the watch breaks and when it is whole again, and answers whether a broken one must list again.
async fn follow<K, S>(
    cache: &'static str,
    begin: impl Fn() -> S + Send,
    mut take: impl FnMut(Event<K>) -> bool + Send,
    breaks: impl Fn(bool) -> bool + Send,
    condition: ReadyCondition,
    metrics: AdmissionMetrics,
    until: CancellationToken,
) -> Result<(), Infallible>
where
    S: Stream<Item = watcher::Result<Event<K>>> + Send + Unpin,
{
    let mut stream = begin();
    let mut synced = false;
    let mut broken = false;
    let mut pause = LIST_AGAIN;
    loop {
        let next = tokio::select! {
            () = until.cancelled() => return Ok(()),
            next = stream.next() => next,
        };
        match next {
            Some(Ok(event)) => {
                // a list that has only begun may still fail
                if broken && !matches!(event, Event::Init | Event::InitApply(_)) {
                    broken = false;
                    pause = LIST_AGAIN;
                    breaks(false);
                    tracing::info!(cache, "watch taken up again");
                }
                if take(event) && !synced {
                    synced = true;
                    condition.set();
                    tracing::info!(cache, "cache complete");
                }
            }
            Some(Err(error)) => {
                metrics.watch_error(cache);
                {
                    let error = &error as &dyn std::error::Error;
                    if !synced {
                        condition.unset(error.to_string());
                    }
                    // one line when it breaks, the rest for whoever looks closer
                    if broken {
                        tracing::debug!(cache, error, "watch still interrupted");
                    } else {
                        broken = true;
                        tracing::warn!(cache, error, "watch interrupted");
                    }
                }
                if breaks(true) {
                    tokio::select! {
                        () = until.cancelled() => return Ok(()),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LIST_AGAIN_AT_MOST);
                    stream = begin();
                }
            }
            // the stream of a watcher has no end; were there one, ending as a task ends the process
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use sluice_runtime::metrics::Metrics;

    use super::*;

    #[tokio::test]
    async fn an_error_changes_nothing_that_is_known_and_a_list_makes_ready() {
        let readiness = Readiness::new();
        let condition = readiness.condition("cache x");
        let drain = CancellationToken::new();
        let refused = || {
            Err(watcher::Error::InitialListFailed(kube::Error::Api(
                Box::new(Status::failure("forbidden", "Forbidden").with_code(403)),
            )))
        };
        let index = Index::<sluice_tree::Value>::default();
        let object = |name: &str| {
            serde_json::from_value::<DynamicObject>(
                serde_json::json!({"metadata": {"name": name, "namespace": "a"}}),
            )
            .unwrap()
        };
        let states = std::sync::Mutex::new(Vec::new());
        let events = vec![
            refused(),
            Ok(Event::Init),
            Ok(Event::InitApply(object("one"))),
            refused(),
            Ok(Event::Init),
            Ok(Event::InitApply(object("two"))),
            Ok(Event::InitDone),
            refused(),
            Ok(Event::Apply(object("three"))),
        ];
        let stream = futures::stream::iter(events).inspect(|_| {
            states
                .lock()
                .unwrap()
                .push((readiness.ready(), index.len()));
        });
        let streams = std::sync::Mutex::new(Some(stream));
        follow(
            "x",
            || streams.lock().unwrap().take().unwrap(),
            |event| {
                index.change(reduce::change(event));
                index.is_synced()
            },
            |_| false,
            condition,
            AdmissionMetrics::register(&Metrics::new()),
            drain,
        )
        .await
        .unwrap();
        let states = states.into_inner().unwrap();
        assert_eq!(
            states[6],
            (false, 0),
            "not ready before the list is complete"
        );
        assert_eq!(states[7], (true, 1), "the list is complete");
        assert_eq!(states[8], (true, 1), "an error changes nothing");
        assert_eq!(index.len(), 2);
    }

    #[tokio::test]
    async fn a_broken_watch_of_gates_takes_their_proof_away_until_a_whole_list() {
        let refused = || {
            Err(watcher::Error::InitialListFailed(kube::Error::Api(
                Box::new(Status::failure("gone", "Gone").with_code(410)),
            )))
        };
        let list = || [Ok(Event::Init), Ok(Event::InitDone)];
        // whole, then broken; a list that fails in the middle; whole again, and over
        let lives: Vec<Vec<watcher::Result<Event<DynamicObject>>>> = vec![
            list().into_iter().chain([refused()]).collect(),
            vec![Ok(Event::Init), refused()],
            list().into(),
        ];
        let lives = std::sync::Mutex::new(lives.into_iter());
        let told = std::sync::Mutex::new(Vec::new());
        follow(
            "gates",
            || futures::stream::iter(lives.lock().unwrap().next().unwrap()),
            |event| matches!(event, Event::InitDone),
            |broken| {
                told.lock().unwrap().push(broken);
                true
            },
            Readiness::new().condition("cache gates"),
            AdmissionMetrics::register(&Metrics::new()),
            CancellationToken::new(),
        )
        .await
        .unwrap();
        assert_eq!(told.into_inner().unwrap(), [true, true, false]);
    }
}
