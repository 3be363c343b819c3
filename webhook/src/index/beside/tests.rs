//! What is known when, and that nothing is known of what breaks.

use std::sync::Mutex;

use futures::{FutureExt as _, stream};
use kube::{
    core::{DynamicObject, Status},
    runtime::watcher::{self, Event},
};
use sluice_policies::facts::ObservedPeak;
use sluice_runtime::metrics::Metrics;
use sluice_tree::json;

use super::{feed::Follower, *};
use crate::{index::bucket::Key, metrics::AdmissionMetrics};

const KIND: FactKind = FactKind::Names(Named::ConfigMap);

fn key(bucket: &str, name: &str) -> Key {
    Key {
        bucket: bucket.into(),
        name: name.into(),
    }
}

fn needs() -> BTreeSet<FactKind> {
    [KIND].into()
}

/// Whether `shop` has a ConfigMap `a`, and one `b`.
fn has(beside: &Beside) -> [Option<bool>; 2] {
    let around = beside.around("shop", &needs());
    let mut facts = Facts::default();
    around.lend(&mut facts);
    ["a", "b"].map(|name| facts.names(Named::ConfigMap).has(name))
}

#[test]
fn only_a_whole_list_of_an_unbroken_watch_is_lent() {
    let beside = Beside::default();
    let kept = &beside.names[Named::ConfigMap.index()];
    let list = |name: &str| {
        kept.change(Change::ListBegins);
        kept.change(Change::Listed(key("shop", name), ()));
    };
    assert_eq!(has(&beside), [None, None], "nothing was listed");
    list("a");
    assert_eq!(has(&beside), [None, None], "the list is under way");
    kept.change(Change::ListEnds);
    assert_eq!(has(&beside), [Some(true), Some(false)]);
    kept.broken();
    assert_eq!(has(&beside), [None, None], "the watch is broken");
    list("b");
    assert_eq!(has(&beside), [None, None], "the new list is under way");
    kept.change(Change::ListEnds);
    assert_eq!(has(&beside), [Some(false), Some(true)]);
    kept.change(Change::Deleted(key("shop", "b")));
    assert_eq!(has(&beside), [Some(false), Some(false)]);
    kept.forget();
    assert_eq!(has(&beside), [None, None], "nobody asks any more");
    assert_eq!(kept.len(), 0);
}

#[test]
fn what_is_not_asked_for_is_not_lent() {
    let beside = Beside::default();
    let kept = &beside.names[Named::ConfigMap.index()];
    kept.change(Change::ListBegins);
    kept.change(Change::ListEnds);
    let around = beside.around("shop", &BTreeSet::new());
    let mut facts = Facts::default();
    around.lend(&mut facts);
    assert_eq!(facts.names(Named::ConfigMap).has("a"), None);
}

#[test]
fn every_kind_is_lent_in_its_place_and_cluster_wide_ones_to_every_namespace() {
    let beside = Beside::default();
    let all: BTreeSet<FactKind> = FactKind::ALL.into();
    fn fill<T: Clone>(kept: &Kept<T>, bucket: &str, value: T) {
        kept.change(Change::ListBegins);
        kept.change(Change::Listed(key(bucket, "one"), value));
        kept.change(Change::ListEnds);
    }
    for named in Named::ALL {
        let bucket = if named.is_namespaced() { "shop" } else { "" };
        fill(&beside.names[named.index()], bucket, ());
    }
    fill(&beside.services, "shop", Service::default());
    for kind in WorkloadKind::ALL {
        let object =
            json!({"apiVersion": "apps/v1", "kind": kind.as_str(), "metadata": {"name": "one"}});
        let template = PodTemplate::of(&object).unwrap();
        fill(&beside.pod_templates[kind as usize], "shop", template);
    }
    let object = json!({});
    fill(
        &beside.disruption_budgets,
        "shop",
        DisruptionBudget::of(&object),
    );
    fill(&beside.autoscalers, "shop", Autoscaler::of(&object));
    fill(&beside.nodes, "", Node::of(&object));
    let peak = ObservedPeak::of_pod("db-0", "main", 1.0).unwrap();
    beside.peaks.put("shop", vec![peak]);
    for (namespace, count) in [("shop", 1), ("other", 0)] {
        let around = beside.around(namespace, &all);
        let mut facts = Facts::default();
        around.lend(&mut facts);
        for named in Named::ALL {
            let there = namespace == "shop" || !named.is_namespaced();
            assert_eq!(facts.names(named).has("one"), Some(there), "{named:?}");
        }
        for kind in WorkloadKind::ALL {
            let listed = facts.pod_templates.of(kind);
            assert!(listed.is_whole() && listed.items().len() == count, "{kind}");
            assert!(listed.items().iter().all(|template| template.kind == kind));
        }
        assert!(facts.services.is_whole() && facts.services.items().len() == count);
        assert_eq!(facts.disruption_budgets.items().len(), count);
        assert_eq!(facts.autoscalers.items().len(), count);
        assert_eq!(facts.nodes.items().len(), 1);
        assert_eq!(facts.peaks.items().len(), count);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_watched_only_while_it_is_needed_and_a_refusal_is_no_absence() {
    let forbidden = || {
        Err(watcher::Error::InitialListFailed(kube::Error::Api(
            Box::new(Status::failure("forbidden", "Forbidden").with_code(403)),
        )))
    };
    let object = |name: &str| {
        sluice_tree::from_value::<DynamicObject>(
            json!({"metadata": {"name": name, "namespace": "shop"}}),
        )
        .unwrap()
    };
    let beside = Beside::default();
    let kept = &beside.names[Named::ConfigMap.index()];
    let begun = Mutex::new(0);
    // refused twice, then a list; each watch then stays open
    let begin = || {
        *begun.lock().unwrap() += 1;
        let events: Vec<watcher::Result<Event<DynamicObject>>> = match *begun.lock().unwrap() {
            1 | 2 => vec![Ok(Event::Init), forbidden()],
            _ => vec![
                Ok(Event::Init),
                Ok(Event::InitApply(object("a"))),
                Ok(Event::InitDone),
            ],
        };
        Box::pin(stream::iter(events).chain(stream::pending()))
    };
    use futures::StreamExt as _;
    let metrics = AdmissionMetrics::register(&Metrics::new());
    let size = || kept.len();
    let follower = Follower {
        kind: KIND,
        kept,
        size: &size,
        metrics: &metrics,
    };
    let reduce = |wire: DynamicObject| {
        let metadata = wire.metadata;
        Some((key(&metadata.namespace?, &metadata.name?), ()))
    };
    let asked = async {
        let settle = || tokio::time::sleep(std::time::Duration::from_millis(100));
        settle().await;
        assert_eq!(*begun.lock().unwrap(), 0, "nobody needs it");
        beside.need(&needs());
        settle().await;
        assert_eq!((*begun.lock().unwrap(), has(&beside)), (1, [None, None]));
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        assert_eq!(*begun.lock().unwrap(), 3);
        assert_eq!(has(&beside), [Some(true), Some(false)]);
        beside.need(&BTreeSet::new());
        settle().await;
        assert_eq!((has(&beside), kept.len()), ([None, None], 0));
        beside.need(&needs());
        settle().await;
        assert_eq!(
            (*begun.lock().unwrap(), has(&beside)),
            (4, [Some(true), Some(false)])
        );
    };
    tokio::select! {
        () = follower.follow(begin, reduce, beside.needed.subscribe()) => panic!("ended"),
        () = asked => {}
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_only_in_the_namespaces_whose_policies_ask_for_them() {
    let beside = Beside::default();
    let begun = Mutex::new(Vec::new());
    // a watch lists one Secret in each of two namespaces, and stays open
    let fill = |list: Option<String>, kept: Arc<Kept<ObjectKeys>>| {
        begun.lock().unwrap().push(list.clone());
        async move {
            kept.change(Change::ListBegins);
            let wanted = |name: &&str| list.as_deref().is_none_or(|only| only == *name);
            for namespace in ["bank", "shop"].into_iter().filter(wanted) {
                let keys = ObjectKeys::whole("database", ["user".to_owned()]);
                kept.change(Change::Listed(key(namespace, "database"), keys));
            }
            kept.change(Change::ListEnds);
            std::future::pending().await
        }
        .boxed()
    };
    let known = || {
        ["bank", "shop"].map(|namespace| {
            let around = beside.around(namespace, &[FactKind::Keys(Keyed::Secret)].into());
            let mut facts = Facts::default();
            around.lend(&mut facts);
            facts.keys(Keyed::Secret).of("database").is_some()
        })
    };
    let kept = &beside.keys[Keyed::Secret.index()];
    let forgotten = Mutex::new(0);
    let shop = KeyScope::Namespaces(["shop".to_owned()].into());
    let told = async {
        let open = async |scope: KeyScope| {
            beside.read_keys(&[KeyScope::default(), scope]);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            (known(), kept.len(), begun.lock().unwrap().len())
        };
        assert_eq!(open(KeyScope::default()).await, ([false, false], 0, 0));
        assert_eq!(open(shop.clone()).await, ([false, true], 1, 1));
        assert_eq!(
            open(shop.clone()).await,
            ([false, true], 1, 1),
            "nothing new"
        );
        assert_eq!(open(KeyScope::Everywhere).await, ([true, true], 2, 2));
        assert_eq!(open(shop.clone()).await, ([false, true], 1, 3));
        assert_eq!(open(KeyScope::default()).await, ([false, false], 0, 3));
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(*begun.lock().unwrap(), [some("shop"), None, some("shop")]);
        assert_eq!(*forgotten.lock().unwrap(), 3);
    };
    let scopes = beside.key_scopes.subscribe();
    let count = || *forgotten.lock().unwrap() += 1;
    tokio::select! {
        () = kept.follow(Keyed::Secret, scopes, fill, count) => panic!("ended"),
        () = told => {}
    }
}
