//! Requests that the stories of the model do not tell.

use serde_json::{Value, json};
use sluice_api::{
    Action, Certainty, GateState, ReleasePhase, WhenClosed, WorkloadKind,
    annotation::{DENIED, HOLD, Hold, ORIGINALS},
    gate::ReasonEntry,
    reason::GateReason,
};

use super::{Answer, Facts, GateFact, ReleaseFact, Request, mutate, validate};
use crate::template::template_hash;

fn deployment(image: &str) -> Value {
    json!({
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "u", "generation": 4, "annotations": {"team": "a"}},
        "spec": {
            "replicas": 3,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            "template": {"spec": {"containers": [{"name": "main", "image": image}]}},
        },
        "status": {"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
    })
}

fn hash(object: &Value) -> String {
    template_hash(&object["spec"]["template"])
}

fn request<'a>(kind: WorkloadKind, old: Option<&'a Value>, new: &'a Value) -> Request<'a> {
    Request {
        kind,
        namespace: "shop",
        name: "checkout",
        old,
        new,
        hashes: None,
        dry_run: false,
    }
}

fn facts(state: GateState, when_closed: WhenClosed) -> Facts {
    Facts {
        plan: true,
        gates: vec![GateFact {
            name: "shop/checkout".into(),
            state,
            reasons: vec![ReasonEntry {
                reason: GateReason::ProbeFailing,
                message: "probe shop/http fails: 503".into(),
                since: None,
            }],
            when_closed,
        }],
        ..Facts::default()
    }
}

fn open() -> Facts {
    facts(GateState::Open, WhenClosed::Deny)
}

/// The object as the mutating webhook leaves it.
fn through(request: &Request, facts: &Facts) -> Value {
    let patch: json_patch::Patch =
        serde_json::from_value(json!(mutate(request, facts).unwrap())).unwrap();
    let mut object = request.new.clone();
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

fn asked(kind: WorkloadKind, old: Option<&Value>, new: &Value, facts: &Facts) -> Answer {
    let last = through(&request(kind, old, new), facts);
    validate(&request(kind, old, &last), facts)
}

fn ended(target: &str, phase: ReleasePhase, blamed: bool, retry: bool) -> ReleaseFact {
    ReleaseFact {
        name: "r1".into(),
        target: target.to_owned(),
        stable: None,
        phase,
        blamed,
        retry,
    }
}

fn refusals(answer: &Answer) -> Vec<&str> {
    answer
        .findings
        .iter()
        .filter(|finding| finding.action == Action::Deny)
        .map(|finding| finding.rule.as_str())
        .collect()
}

#[test]
fn a_new_template_is_held_and_nothing_else_is_touched() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    let last = through(
        &request(WorkloadKind::Deployment, Some(&old), &new),
        &open(),
    );
    assert_eq!(last["spec"]["paused"], true);
    let text = last["metadata"]["annotations"][HOLD].as_str().unwrap();
    let hold: Hold = serde_json::from_str(text).unwrap();
    let target = hash(&new);
    assert_eq!(
        hold.release,
        format!("deployment-checkout-{}-5", &target[..10])
    );
    assert_eq!(
        (hold.uid.as_str(), hold.target, hold.paused),
        ("u", target, false)
    );
    assert_eq!(
        hold.stable,
        Some(hash(&old)),
        "what runs everywhere is the baseline"
    );
    let mut expected = new;
    expected["spec"]["paused"] = json!(true);
    expected["metadata"]["annotations"][HOLD] = json!(text);
    assert_eq!(last, expected);
}

#[test]
fn what_is_no_release_passes_untouched() {
    let old = deployment("v1");
    for (pointer, value) in [
        ("/spec/replicas", json!(9)),
        ("/metadata/annotations", json!({"team": "b"})),
        ("/spec/progressDeadlineSeconds", json!(900)),
    ] {
        let mut new = old.clone();
        *new.pointer_mut(pointer).unwrap() = value;
        // with every gate closed
        let facts = facts(GateState::Unknown, WhenClosed::Deny);
        let request = request(WorkloadKind::Deployment, Some(&old), &new);
        assert_eq!(
            mutate(&request, &facts).unwrap(),
            Vec::<Value>::new(),
            "{pointer}"
        );
        assert_eq!(validate(&request, &facts), Answer::default(), "{pointer}");
    }
}

#[test]
fn gates_answer_as_they_say() {
    use WorkloadKind::{DaemonSet, Deployment, StatefulSet};
    let (old, new) = (deployment("v1"), deployment("v2"));
    let gate = ["gate-not-open"].as_slice();
    for (kind, on_create, state, when_closed, plan, refused) in [
        (
            Deployment,
            false,
            GateState::Open,
            WhenClosed::Deny,
            true,
            [].as_slice(),
        ),
        (
            Deployment,
            false,
            GateState::Closed,
            WhenClosed::Deny,
            true,
            gate,
        ),
        (
            Deployment,
            false,
            GateState::Unknown,
            WhenClosed::Deny,
            true,
            gate,
        ),
        (
            Deployment,
            true,
            GateState::Unknown,
            WhenClosed::Deny,
            true,
            gate,
        ),
        (
            Deployment,
            false,
            GateState::Closed,
            WhenClosed::Warn,
            true,
            &[],
        ),
        (
            Deployment,
            false,
            GateState::Closed,
            WhenClosed::Hold,
            true,
            &[],
        ),
        (
            Deployment,
            true,
            GateState::Closed,
            WhenClosed::Hold,
            true,
            &[],
        ),
        (
            Deployment,
            false,
            GateState::Closed,
            WhenClosed::Hold,
            false,
            gate,
        ),
        (
            StatefulSet,
            false,
            GateState::Closed,
            WhenClosed::Hold,
            true,
            gate,
        ),
        (
            DaemonSet,
            true,
            GateState::Closed,
            WhenClosed::Deny,
            true,
            gate,
        ),
        (
            StatefulSet,
            false,
            GateState::Open,
            WhenClosed::Deny,
            true,
            &[],
        ),
    ] {
        let mut facts = facts(state, when_closed);
        facts.plan = plan;
        let old = (!on_create).then_some(&old);
        let answer = asked(kind, old, &new, &facts);
        let case = format!("{kind} create {on_create} {state:?} {when_closed:?} plan {plan}");
        assert_eq!(refusals(&answer), refused, "{case}: {answer:?}");
        assert!(answer.starts_release, "{case}");
        assert_eq!(
            answer.findings.is_empty(),
            state == GateState::Open,
            "{case}"
        );
    }
}

#[test]
fn a_refusal_tells_what_was_found_what_would_pass_and_the_way_out() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    let facts = facts(GateState::Closed, WhenClosed::Deny);
    let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &facts);
    assert_eq!(
        answer.findings[0].line(),
        "SLU0001 gate-not-open at spec.template: gate shop/checkout is Closed (ProbeFailing: probe shop/http fails: 503); \
         passes: the gate open: every probe it names passes, freshly; or see `sluice gate get checkout -n shop`"
    );
}

#[test]
fn a_dry_run_is_warned_and_never_refused() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    let facts = facts(GateState::Closed, WhenClosed::Deny);
    let mut request = request(WorkloadKind::Deployment, Some(&old), &new);
    request.dry_run = true;
    let last = through(&request, &facts);
    request.new = &last;
    let answer = validate(&request, &facts);
    assert_eq!(answer.findings.len(), 1);
    assert_eq!(answer.findings[0].action, Action::Warn);
}

#[test]
fn on_create_a_hold_knows_no_uid_and_forged_annotations_go() {
    let mut new = deployment("v1");
    new["metadata"].as_object_mut().unwrap().remove("uid");
    for key in [HOLD, ORIGINALS, DENIED] {
        new["metadata"]["annotations"][key] = json!("[]");
    }
    let create = request(WorkloadKind::Deployment, None, &new);
    let last = through(&create, &open());
    assert_eq!(last["metadata"]["annotations"], json!({"team": "a"}));
    assert_eq!(last["spec"].get("paused"), None);
    let held = through(&create, &facts(GateState::Closed, WhenClosed::Hold));
    let hold: Hold =
        serde_json::from_str(held["metadata"]["annotations"][HOLD].as_str().unwrap()).unwrap();
    assert_eq!((hold.uid.as_str(), hold.stable), ("", None));
    assert_eq!(held["spec"]["paused"], true);
}

#[test]
fn a_template_without_its_hold_is_refused_and_so_is_a_changed_state() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    let facts = open();
    let bare = validate(&request(WorkloadKind::Deployment, Some(&old), &new), &facts);
    assert_eq!(refusals(&bare), ["not-held"]);
    // paused taken away behind us
    let mut last = through(&request(WorkloadKind::Deployment, Some(&old), &new), &facts);
    last["spec"]["paused"] = json!(false);
    let loose = validate(
        &request(WorkloadKind::Deployment, Some(&old), &last),
        &facts,
    );
    assert_eq!(refusals(&loose), ["not-held"]);
    // an annotation of ours, without any release
    let mut forged = old.clone();
    forged["metadata"]["annotations"][DENIED] = json!("[]");
    let forged = validate(
        &request(WorkloadKind::Deployment, Some(&old), &forged),
        &facts,
    );
    assert_eq!(refusals(&forged), ["state-changed"]);
}

#[test]
fn an_annotation_that_nobody_can_read_may_be_taken_away_and_no_other() {
    let mut old = deployment("v1");
    old["metadata"]["annotations"][DENIED] = json!("{broken");
    let mut new = deployment("v1");
    let update = |old: &Value, new: &Value| {
        mutate(&request(WorkloadKind::Deployment, Some(old), new), &open()).unwrap()
    };
    assert_eq!(update(&old, &new), Vec::<Value>::new());
    old["metadata"]["annotations"][DENIED] = json!("[]");
    assert_eq!(update(&old, &new).len(), 1, "a readable one comes back");
    // it does not lock anybody out, and says what is wrong
    old["metadata"]["annotations"][DENIED] = json!("{broken");
    new = deployment("v2");
    new["metadata"]["annotations"][DENIED] = json!("{broken");
    let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &open());
    assert_eq!(refusals(&answer), Vec::<&str>::new());
    assert_eq!(answer.findings[0].certainty, Certainty::Unknown);
}

#[test]
fn a_denied_template_is_known_by_uid_and_hash_and_forgiven_by_a_retry() {
    let new = deployment("v2");
    let entry = |uid: &str, target: &str| {
        json!(
            json!([{"uid": uid, "target": target, "release": "r1", "reason": "probe failed"}])
                .to_string()
        )
    };
    let denied = ["template-denied"].as_slice();
    for (uid, target, retry, refused) in [
        ("u", hash(&new), false, denied),
        ("u", hash(&new), true, [].as_slice()),
        ("another", hash(&new), false, &[]),
        ("u", "0".repeat(64), false, &[]),
    ] {
        let mut old = deployment("v1");
        old["metadata"]["annotations"][DENIED] = entry(uid, &target);
        let mut facts = open();
        facts.releases = vec![ReleaseFact {
            name: "r1".into(),
            target: target.clone(),
            stable: Some(hash(&old)),
            phase: ReleasePhase::RolledBack,
            blamed: true,
            retry,
        }];
        let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &facts);
        assert_eq!(refusals(&answer), refused, "{uid} {retry}: {answer:?}");
    }
}

#[test]
fn a_lock_ends_with_a_retry_or_with_another_stable_version() {
    let (old, new) = (deployment("v1"), deployment("v3"));
    let locked = ["locked"].as_slice();
    for (stable, retry, refused) in [
        (hash(&old), false, locked),
        (hash(&old), true, [].as_slice()),
        (hash(&deployment("v0")), false, &[]),
    ] {
        let mut facts = open();
        facts.releases = vec![ReleaseFact {
            name: "r1".into(),
            target: hash(&deployment("v2")),
            stable: Some(stable),
            phase: ReleasePhase::RollbackIneffective,
            blamed: true,
            retry,
        }];
        let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &facts);
        assert_eq!(refusals(&answer), refused, "{retry}: {answer:?}");
    }
}

#[test]
fn a_long_hold_over_an_unfinished_rollout_is_refused_and_a_short_one_is_not() {
    let mut old = deployment("v1");
    old["status"]["updatedReplicas"] = json!(1);
    let new = deployment("v2");
    let long = facts(GateState::Closed, WhenClosed::Hold);
    let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &long);
    assert_eq!(refusals(&answer), ["unfinished-rollout"]);
    let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &open());
    assert_eq!(
        refusals(&answer),
        Vec::<&str>::new(),
        "a fix forward goes in"
    );
}

#[test]
fn an_object_that_cannot_be_read_is_refused_as_unknown() {
    let old = deployment("v1");
    let mut new = deployment("v2");
    new["spec"]["replicas"] = json!("three");
    let request = request(WorkloadKind::Deployment, Some(&old), &new);
    assert!(mutate(&request, &open()).is_err());
    let answer = validate(&request, &open());
    assert_eq!(answer.findings[0].certainty, Certainty::Unknown);
    assert!(
        answer.findings[0].found.contains("spec.replicas"),
        "{answer:?}"
    );
}

#[test]
fn what_a_release_proved_bad_is_not_called_stable_because_it_is_ready() {
    let (bad, new) = (deployment("v1"), deployment("v2"));
    let target = hash(&bad);
    for (what, releases, stable) in [
        ("never released", vec![], Some(&target)),
        (
            "its only release failed",
            vec![ended(&target, ReleasePhase::Failed, true, false)],
            None,
        ),
        (
            "it failed and was forgiven",
            vec![ended(&target, ReleasePhase::Failed, true, true)],
            Some(&target),
        ),
        (
            "it failed through no fault of its template",
            vec![ended(&target, ReleasePhase::Failed, false, false)],
            Some(&target),
        ),
        (
            "it succeeded later",
            vec![
                ended(&target, ReleasePhase::Failed, true, false),
                ended(&target, ReleasePhase::Succeeded, false, false),
            ],
            Some(&target),
        ),
    ] {
        let facts = Facts { releases, ..open() };
        let held = through(&request(WorkloadKind::Deployment, Some(&bad), &new), &facts);
        let hold: Hold =
            sluice_api::annotation::read(HOLD, held["metadata"]["annotations"][HOLD].as_str())
                .unwrap()
                .unwrap();
        assert_eq!(hold.stable.as_ref(), stable, "{what}");
    }
}

#[test]
fn memory_that_cannot_be_read_is_no_pass_the_records_of_releases_decide() {
    let mut old = deployment("v1");
    old["metadata"]["annotations"][DENIED] = json!("[] and more");
    let (bad, other) = (deployment("v2"), deployment("v3"));
    let mut facts = open();
    facts.releases = vec![ReleaseFact {
        stable: Some(hash(&old)),
        ..ended(&hash(&bad), ReleasePhase::RolledBack, true, false)
    }];
    let answer = asked(WorkloadKind::Deployment, Some(&old), &bad, &facts);
    assert_eq!(refusals(&answer), ["template-denied"]);
    assert_eq!(answer.findings[0].certainty, Certainty::Sure);
    assert!(answer.findings[0].found.contains("r1"), "{answer:?}");
    facts.releases[0].phase = ReleasePhase::Aborting;
    facts.releases[0].blamed = false;
    let answer = asked(WorkloadKind::Deployment, Some(&old), &bad, &facts);
    assert_eq!(refusals(&answer), ["template-denied"], "being undone");
    facts.releases[0].retry = true;
    facts.releases[0].blamed = true;
    facts.releases[0].phase = ReleasePhase::RolledBack;
    let answer = asked(WorkloadKind::Deployment, Some(&old), &bad, &facts);
    assert_eq!(refusals(&answer), Vec::<&str>::new(), "forgiven");
    facts.releases[0].retry = false;
    let answer = asked(WorkloadKind::Deployment, Some(&old), &other, &facts);
    assert_eq!(refusals(&answer), Vec::<&str>::new());
    assert_eq!(answer.findings[0].certainty, Certainty::Unknown);
    // the stable version comes back whatever is remembered
    let mut running = bad.clone();
    running["metadata"]["annotations"] = old["metadata"]["annotations"].clone();
    let answer = asked(WorkloadKind::Deployment, Some(&running), &old, &facts);
    assert_eq!(refusals(&answer), Vec::<&str>::new(), "{answer:?}");
}

#[test]
fn a_gate_that_would_hold_says_what_keeps_it_from_holding() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    for (plan, plan_idle, says, not) in [
        (
            true,
            false,
            "is held at zero new pods",
            "with a rollout plan",
        ),
        (false, true, "in mode enforce", "with a rollout plan"),
        (false, false, "with a rollout plan", "in mode enforce"),
    ] {
        let facts = Facts {
            plan,
            plan_idle,
            ..facts(GateState::Closed, WhenClosed::Hold)
        };
        let answer = asked(WorkloadKind::Deployment, Some(&old), &new, &facts);
        let finding = &answer.findings[0];
        let text = format!("{} {}", finding.found, finding.passes);
        assert!(text.contains(says) && !text.contains(not), "{text}");
    }
}

#[test]
fn a_guarded_workload_that_gets_a_controller_is_warned_of_and_its_request_is_judged() {
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "1", "controller": true}]);
    let old = deployment("v1");
    let mut owned = old.clone();
    owned["metadata"]["ownerReferences"] = owner.clone();
    let mut released = deployment("v2");
    released["metadata"]["ownerReferences"] = owner;
    let closed = facts(GateState::Closed, WhenClosed::Deny);
    let warned = |answer: &Answer| {
        answer
            .findings
            .iter()
            .any(|finding| finding.rule == "becomes-owned" && finding.action == Action::Warn)
    };
    let answer = asked(WorkloadKind::Deployment, Some(&old), &owned, &closed);
    assert!(
        warned(&answer) && refusals(&answer).is_empty(),
        "{answer:?}"
    );
    let answer = asked(WorkloadKind::Deployment, Some(&old), &released, &closed);
    assert!(warned(&answer), "{answer:?}");
    assert_eq!(refusals(&answer), ["gate-not-open"]);
    // what it had before is no news, and where nothing guards there is nothing to say
    let answer = asked(WorkloadKind::Deployment, Some(&owned), &owned, &closed);
    assert!(!warned(&answer), "{answer:?}");
    let answer = asked(
        WorkloadKind::Deployment,
        Some(&old),
        &owned,
        &Facts::default(),
    );
    assert!(!warned(&answer), "{answer:?}");
}
