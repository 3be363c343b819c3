//! What a foreign request is turned into: the hold, the fields that stay Sluice's during a release, and annotations as they were.
//!
//! A fixed point: the object that comes out, sent in again, comes out unchanged. The validating webhook and a re-invocation rely on that.

use serde_json::{Value, json};
use sluice_api::{
    GateState, WhenClosed, WorkloadKind,
    annotation::{self, DENIED, HOLD, Hold, ORIGINALS, Originals},
    release_name::release_name,
};

use super::{
    Facts, Mutation,
    change::{Change, Old},
    originals::{self, STEPPED},
};
use crate::{annotations, patch, template::name_hash};

/// What must stand in the object when it is stored.
pub(super) struct Wanted {
    /// Our annotations; `None` is absent.
    annotations: [(&'static str, Option<String>); 3],
    /// `spec.paused`; `None` leaves it as the request has it.
    paused: Option<bool>,
    /// Stepped fields; an inner `None` is absent.
    fields: Vec<(&'static str, Option<Value>)>,
    /// The request is a release that must be held.
    pub holds: bool,
}

impl Wanted {
    /// What a request must be turned into.
    pub fn of(change: &Change, facts: &Facts) -> Self {
        let mut wanted = Self {
            annotations: annotation::OWN.map(|key| (key, kept(change, key))),
            paused: None,
            fields: Vec::new(),
            holds: false,
        };
        if change.request.kind != WorkloadKind::Deployment {
            return wanted;
        }
        match &change.old {
            None => wanted.on_create(change, facts),
            Some(old) if !change.is_release() => {
                if old.is_on() {
                    wanted.in_release(change, old);
                }
            }
            Some(old) if change.is_return(facts) => wanted.on_return(change, old),
            Some(old) if facts.plan || old.is_on() => wanted.on_release(change, old, facts),
            Some(_) => {}
        }
        wanted
    }

    /// The operations that turn the request's object into what is wanted.
    pub fn operations(self, change: &Change) -> Mutation {
        let mut operations = Vec::new();
        let present = change.new.annotations;
        if present.is_none() && self.annotations.iter().any(|(_, text)| text.is_some()) {
            operations.push(patch::set("/metadata/annotations", json!({})));
        }
        for (key, text) in self.annotations {
            let found = present.and_then(|annotations| annotations.get(key));
            match text {
                Some(text) if found.and_then(Value::as_str) != Some(&text) => {
                    operations.push(patch::set(&patch::annotation(key), text));
                }
                None if found.is_some() => operations.push(patch::remove(&patch::annotation(key))),
                _ => {}
            }
        }
        match self.paused {
            Some(true) if !change.new.paused => operations.push(patch::set("/spec/paused", true)),
            Some(false) if change.new.paused => operations.push(patch::remove("/spec/paused")),
            _ => {}
        }
        for (field, value) in self.fields {
            let path = format!("/spec/{field}");
            match (value, change.new.spec.get(field)) {
                (Some(value), found) if found != Some(&value) => {
                    operations.push(patch::set(&path, value));
                }
                (None, Some(_)) => operations.push(patch::remove(&path)),
                _ => {}
            }
        }
        operations
    }

    fn annotate(&mut self, key: &str, value: Option<String>) {
        for (own, text) in &mut self.annotations {
            if *own == key {
                text.clone_from(&value);
            }
        }
    }

    /// A first release is not stepped: there is nothing to step away from. It is held only by a gate that says so.
    fn on_create(&mut self, change: &Change, facts: &Facts) {
        // without a name there is no Release to name
        if waits_at_gate(facts) && facts.plan && !change.request.name.is_empty() {
            let hold = self.new_hold(change, "", 0, None, change.new.paused);
            self.hold(&hold);
        }
    }

    /// A new template: held at zero. During a release the pin and the limits stay, so the versions that are there stay within theirs.
    fn on_release(&mut self, change: &Change, old: &Old, facts: &Facts) {
        let paused = if change.new.paused == old.view.paused {
            wish(old)
        } else {
            change.new.paused
        };
        let stable = change.stable(facts).map(str::to_owned);
        let hold = self.new_hold(change, old.view.uid, old.view.generation, stable, paused);
        self.hold(&hold);
        // Scaled up from zero under pause, the Deployment controller brings back its youngest ReplicaSet, which may be one that was rolled back. There is no
        // pod to step away from, so nothing is lost by letting it make the new version's.
        let nothing_runs = change.new.replicas == 0
            && old.view.replicas == 0
            && old.view.existing == 0
            && old.view.is_observed();
        if nothing_runs && !old.started && !waits_at_gate(facts) {
            self.paused = Some(hold.paused);
        }
        if old.started {
            self.keep_stepped(change, old);
        } else {
            self.annotate(ORIGINALS, None);
        }
    }

    /// The stable template comes back during a release: whatever the release set goes in the same request, because the stable pods would inherit the pin.
    fn on_return(&mut self, change: &Change, old: &Old) {
        self.annotate(HOLD, None);
        self.annotate(ORIGINALS, None);
        if !old.is_on() {
            return;
        }
        if change.new.paused == old.view.paused {
            // with pods of two versions a paused Deployment would not go back
            self.paused = Some(!old.started && wish(old));
        }
        if let Some(originals) = &old.originals {
            let users = originals::changed(originals, old.view.spec, change.new.spec);
            self.fields = STEPPED
                .iter()
                .map(|field| (*field, originals::value(&users, field).cloned()))
                .collect();
        }
    }

    /// An update that changes no template while a release is on.
    fn in_release(&mut self, change: &Change, old: &Old) {
        if let Some(hold) = &old.hold {
            let echoed = echo(change, hold);
            let paused = if old.is_landed() {
                change.new.paused
            } else if let Some(echoed) = echoed.filter(|_| change.new.paused) {
                echoed.paused
            } else if old.view.paused {
                // a resume of what is held at zero is noted, and lets nothing through
                hold.paused && change.new.paused
            } else {
                change.new.paused
            };
            if !old.is_landed() {
                // as it stands: a workload scaled to zero may be held without pause
                self.paused = Some(old.view.paused || change.new.paused);
            }
            let hold = Hold {
                paused,
                ..hold.clone()
            };
            self.annotate(HOLD, Some(annotation::write(&hold)));
        }
        if old.started {
            self.keep_stepped(change, old);
        }
    }

    /// The stepped fields keep their live values; what the user changed in them is noted and comes back at the end.
    fn keep_stepped(&mut self, change: &Change, old: &Old) {
        let Some(originals) = &old.originals else {
            // pinned, and nobody knows the user's values: nothing may move until somebody does
            self.fields = live(old);
            return;
        };
        let base = echoed_originals(change, originals).unwrap_or_else(|| originals.clone());
        let users = originals::changed(&base, old.view.spec, change.new.spec);
        if originals::can_come_back(&users) {
            self.fields = live(old);
            if users != *originals {
                self.annotate(ORIGINALS, Some(annotation::write(&users)));
            }
        } else {
            // what can never come back must be refused now, and the API server has the words for it
            self.fields = STEPPED
                .iter()
                .map(|field| (*field, originals::value(&users, field).cloned()))
                .collect();
        }
    }

    fn hold(&mut self, hold: &Hold) {
        self.holds = true;
        self.paused = Some(true);
        self.annotate(HOLD, Some(annotation::write(hold)));
    }

    fn new_hold(
        &self,
        change: &Change,
        uid: &str,
        generation: i64,
        stable: Option<String>,
        paused: bool,
    ) -> Hold {
        let name = change.request.name;
        let release = release_name(
            change.request.kind,
            name,
            change.target(),
            generation,
            &name_hash(name),
        );
        let mut hold = Hold {
            uid: uid.to_owned(),
            target: change.target().to_owned(),
            stable,
            release,
            paused,
        };
        // seen again: `paused` in the request is ours by now, the user's wish is in the hold
        if let Some(echoed) = echo(change, &hold).filter(|_| change.new.paused) {
            hold.paused = echoed.paused;
        }
        hold
    }
}

/// Our annotation as the old object has it. One that cannot be read may be taken away by anybody, or nobody could ever mend it.
fn kept(change: &Change, key: &'static str) -> Option<String> {
    let text = change.old.as_ref()?.view.annotation(key)?;
    let readable = match key {
        DENIED => annotation::read::<Vec<annotation::Denied>>(key, Some(text)).is_ok(),
        HOLD => annotation::read::<Hold>(key, Some(text)).is_ok(),
        _ => annotation::read::<Originals>(key, Some(text)).is_ok(),
    };
    (readable || change.new.annotation(key).is_some()).then(|| text.to_owned())
}

/// Whether a gate is closed and says that releases wait there.
fn waits_at_gate(facts: &Facts) -> bool {
    facts
        .gates
        .iter()
        .any(|gate| gate.state != GateState::Open && gate.when_closed == WhenClosed::Hold)
}

/// What the user wants `paused` to be, as far as the old object knows.
fn wish(old: &Old) -> bool {
    match &old.hold {
        Some(hold) if !old.is_landed() => hold.paused,
        _ => old.view.paused,
    }
}

/// The hold in the request, when it is `hold` but for the user's wish. All a forger gains is a say in his own wish.
fn echo(change: &Change, hold: &Hold) -> Option<Hold> {
    let echoed = annotation::read::<Hold>(HOLD, change.new.annotation(HOLD)).ok()??;
    let same = Hold {
        paused: hold.paused,
        ..echoed.clone()
    } == *hold;
    same.then_some(echoed)
}

/// The originals in the request, when they belong to the same release: all a forger gains is a say in fields that are his.
fn echoed_originals(change: &Change, originals: &Originals) -> Option<Originals> {
    annotations::originals(&change.new)
        .ok()?
        .filter(|echoed| echoed.uid == originals.uid && echoed.target == originals.target)
        .filter(originals::can_come_back)
}

fn live(old: &Old) -> Vec<(&'static str, Option<Value>)> {
    STEPPED
        .iter()
        .map(|field| (*field, old.view.spec.get(*field).cloned()))
        .collect()
}
