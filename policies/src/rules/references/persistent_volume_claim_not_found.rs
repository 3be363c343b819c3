//! A pod that waits for a PersistentVolumeClaim that is not there.

use sluice_api::Action;

use super::named::{inner, look_up, of_pod, texts};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4004",
    name: "persistent-volume-claim-not-found",
    title: "a pod mounts a PersistentVolumeClaim that is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::PersistentVolumeClaim)],
    reads: &[Read::pod("volumes")],
    document: include_str!("persistent_volume_claim_not_found.md"),
};

struct PersistentVolumeClaimNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &PersistentVolumeClaimNotFound;

impl Rule for PersistentVolumeClaimNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let claims = inner(&of_pod(case, "volumes"), "persistentVolumeClaim");
        let references = texts(claims, "claimName");
        let passes = "a PersistentVolumeClaim that is there";
        look_up(
            case,
            report,
            Named::PersistentVolumeClaim,
            references,
            passes,
        );
    }
}
