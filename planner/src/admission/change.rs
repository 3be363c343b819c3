//! What a request changes, as far as releases are concerned: both objects read once, and where the old one stands in a release.

use std::cell::OnceCell;

use serde_json::Value;
use sluice_api::{
    ReleasePhase,
    annotation::{Hold, Originals},
};

use super::{AdmissionError, Facts, Hashes, ReleaseFact, Request};
use crate::{annotations, deployment::DeploymentView, template::template_hash};

/// One request, read.
pub(super) struct Change<'a> {
    pub request: Request<'a>,
    pub new: DeploymentView<'a>,
    /// `None` on create.
    pub old: Option<Old<'a>>,
    target: OnceCell<String>,
}

/// The object as it was: the only source of truth about a release under way.
pub(super) struct Old<'a> {
    pub view: DeploymentView<'a>,
    /// The hash of the old template.
    pub hash: String,
    /// The hold of the release that is on; `None` also for a hold that speaks of another template or cannot be read.
    pub hold: Option<Hold>,
    /// The user's values, once the pin stands.
    pub originals: Option<Originals>,
    /// The pin stands: stepped fields are Sluice's.
    pub started: bool,
}

impl<'a> Change<'a> {
    pub fn of(request: &Request<'a>) -> Result<Self, AdmissionError> {
        let new = DeploymentView::of(request.new).map_err(AdmissionError::New)?;
        let hash = request.hashes.and_then(Hashes::before);
        let old = request
            .old
            .map(|object| Old::of(object, hash))
            .transpose()?;
        Ok(Self {
            request: *request,
            new,
            old,
            target: OnceCell::new(),
        })
    }

    /// The hash of the new template.
    pub fn target(&self) -> &str {
        if let Some(hashes) = self.request.hashes {
            return hashes.after();
        }
        self.target.get_or_init(|| match &self.old {
            // comparing is cheaper than hashing, and most updates change no template
            Some(old) if old.view.template == self.new.template => old.hash.clone(),
            _ => template_hash(self.new.template),
        })
    }

    /// Whether the request brings another version.
    pub fn is_release(&self) -> bool {
        self.old
            .as_ref()
            .is_none_or(|old| old.hash != self.target())
    }

    /// The stable version of the workload: that of the release under way, else what the last one left, else that of the last success,
    /// else what runs everywhere and is available, unless a release proved it bad. Never merely what the old object asks for: that may be a rollout which
    /// never got anywhere.
    pub fn stable<'f>(&'f self, facts: &'f Facts) -> Option<&'f str> {
        let hold = self.old.as_ref().and_then(|old| old.hold.as_ref());
        let under_way = facts
            .releases
            .iter()
            .rev()
            .find(|release| match hold {
                Some(hold) => release.name == hold.release,
                None => !release.phase.is_finished(),
            })
            .and_then(|release| release.stable.as_deref());
        under_way
            .or_else(|| hold.and_then(|hold| hold.stable.as_deref()))
            .or_else(|| {
                let left = |release: &'f ReleaseFact| match release.phase {
                    ReleasePhase::Succeeded => Some(release.target.as_str()),
                    ReleasePhase::RolledBack | ReleasePhase::RollbackIneffective => {
                        release.stable.as_deref()
                    }
                    _ => None,
                };
                facts.releases.iter().rev().find_map(left)
            })
            .or(facts.stable.as_deref())
            .or_else(|| {
                let old = self.old.as_ref()?;
                (old.hold.is_none() && old.view.replicas > 0 && old.view.is_complete())
                    .then_some(old.hash.as_str())
                    .filter(|hash| facts.condemns(hash).is_none())
            })
    }

    /// Whether the request puts a known stable version back: always let in, never held.
    pub fn is_return(&self, facts: &Facts) -> bool {
        self.old.is_some()
            && self.is_release()
            && (self.stable(facts) == Some(self.target())
                || facts.stable.as_deref() == Some(self.target()))
    }
}

impl<'a> Old<'a> {
    fn of(object: &'a Value, hash: Option<&str>) -> Result<Self, AdmissionError> {
        let view = DeploymentView::of(object).map_err(AdmissionError::Old)?;
        let hash = hash.map_or_else(|| template_hash(view.template), str::to_owned);
        // an unreadable annotation is not absence: the pin decides whether the fields are ours
        let originals = annotations::originals(&view).ok().flatten();
        let started = view.is_pinned()
            || originals
                .as_ref()
                .is_some_and(|originals| originals.target == hash);
        let hold = annotations::hold(&view)
            .ok()
            .flatten()
            .filter(|hold| hold.target == hash);
        Ok(Self {
            view,
            hash,
            hold,
            originals: originals.filter(|_| started),
            started,
        })
    }

    /// A release is on: held at zero or stepped.
    pub const fn is_on(&self) -> bool {
        self.hold.is_some() || (self.started && self.originals.is_some())
    }

    /// The release of the present template was started; before that, `paused` is Sluice's.
    pub fn is_landed(&self) -> bool {
        self.originals
            .as_ref()
            .is_some_and(|originals| originals.target == self.hash)
    }
}
