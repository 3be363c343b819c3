//! What must hold of a case: while it runs, at every write of ours, and at its end.

use sluice_api::{ReleasePhase, RolloutMode, annotation::OWN};

use super::{Case, Chaos};
use crate::{
    batches::Batches,
    deployment::Strategy,
    model::{
        native::ReplicaSet,
        world::{Kind, phase},
    },
    release::decision::Write,
};

impl Case {
    /// Where nobody but the release touches pods, none is missed: old ones go when as many new ones are ready.
    pub(super) fn judge_capacity(&self) {
        let Chaos {
            scale,
            kill,
            supersede,
            pause,
            ..
        } = self.chaos;
        let view = self.world.view();
        let surges = self
            .world
            .plan
            .as_ref()
            .is_some_and(|plan| plan.mode == RolloutMode::Surge);
        if scale
            || kill
            || supersede
            || pause
            || !view.is_pinned()
            || !surges
            || self.users_surge() == 0
        {
            return;
        }
        let ready: u32 = self.world.sets.all.iter().map(ReplicaSet::ready).sum();
        assert!(
            ready >= view.replicas,
            "{ready} of {} pods are ready",
            view.replicas
        );
    }

    pub(super) fn users_surge(&self) -> u32 {
        let limits = Strategy::of(self.users.get("strategy")).unwrap();
        limits
            .limits(self.world.view().replicas)
            .map_or(0, |limits| limits.0)
    }

    pub(super) fn judge_write(&mut self, write: Write) {
        let view = self.world.view();
        let live = self.world.live();
        let (new, old) = self.world.split(&live);
        let vacant = view.replicas.saturating_sub(old);
        match write {
            Write::Start | Write::Surge | Write::Retire | Write::Correct if view.is_pinned() => {
                let release = self.world.last();
                let batch = release.status.as_ref().unwrap().batch.as_ref().unwrap();
                let plan = Batches::of(self.world.plan.as_ref().unwrap());
                assert!(plan.pods(view.replicas).contains(&batch.pods), "{batch:?}");
                let (surge, unavailable) = view.strategy.limits(view.replicas).unwrap();
                let rest = view.replicas.min(vacant.max(unavailable) + surge);
                let allowed = batch.pods.max(new).max(vacant);
                assert!(
                    rest <= allowed,
                    "rests at {rest} new pods, the batch allows {batch:?}"
                );
                assert!(
                    surge <= self.users_surge().max(new.saturating_sub(vacant)),
                    "surge {surge}"
                );
                self.allowed.insert(live, allowed);
                self.allowed_for = view.replicas;
            }
            Write::Finish | Write::Start => {
                let release = self.world.last();
                let status = release.status.as_ref().unwrap();
                let proved = status.batches.last().unwrap();
                assert!(
                    write == Write::Start || proved.verified.is_some(),
                    "{status:?}"
                );
                self.allowed.remove(&live);
            }
            Write::Rollback | Write::CleanUp => {
                self.allowed.remove(&live);
            }
            _ => {}
        }
    }

    pub(super) fn judge_the_end(&self) {
        let world = &self.world;
        for release in &world.releases {
            assert!(phase(release).is_finished(), "{:?}", release.status);
        }
        let release = world.last();
        let kind = world.versions[&release.spec.target.hash].1;
        let phase = world.phase();
        let reverted = release
            .status
            .as_ref()
            .unwrap()
            .abort
            .as_ref()
            .is_some_and(|abort| abort.reason == sluice_api::reason::AbortReason::TemplateReverted);
        let expected: &[ReleasePhase] = match kind {
            _ if reverted => &[ReleasePhase::RolledBack, ReleasePhase::RollbackIneffective],
            // time that pods were killed in counts against the deadline
            Kind::Good if self.chaos.kill || self.chaos.pause => &[
                ReleasePhase::Succeeded,
                ReleasePhase::RolledBack,
                ReleasePhase::RollbackIneffective,
            ],
            Kind::Good => &[ReleasePhase::Succeeded],
            _ if world.stable_is_sick => {
                &[ReleasePhase::RollbackIneffective, ReleasePhase::RolledBack]
            }
            _ => &[ReleasePhase::RolledBack],
        };
        assert!(
            expected.contains(&phase),
            "{kind:?} ended {phase}: {:?}",
            release.status
        );
        let back = release.spec.stable.as_ref().unwrap();
        let runs = match phase {
            ReleasePhase::Succeeded => &world.versions[&release.spec.target.hash].0,
            _ => &back.template,
        };
        let mut spec = world.deployment["spec"].clone();
        let template = spec.as_object_mut().unwrap().remove("template").unwrap();
        assert_eq!(template, *runs, "the template");
        assert_eq!(spec, self.users, "the spec is the user's own");
        for key in OWN.iter().take(2) {
            assert_eq!(
                world.deployment["metadata"]["annotations"].get(key),
                None,
                "{key} left behind"
            );
        }
        let (new, old) = world.split(&world.live());
        assert_eq!(
            (new, old),
            (world.view().replicas, 0),
            "every pod runs what the spec says"
        );
    }
}
