//! A claim for storage that nobody provides, because its StorageClass is not there.

use sluice_api::Action;

use super::named::{inner, list_items, look_up, of_pod, texts};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const CLAIMS: Read = Read::object("spec.volumeClaimTemplates");

static INFO: RuleInfo = RuleInfo {
    code: "SLU4007",
    name: "storage-class-not-found",
    title: "storage is claimed of a StorageClass that is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::StorageClass)],
    reads: &[CLAIMS, Read::pod("volumes")],
    document: include_str!("storage_class_not_found.md"),
};

struct StorageClassNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &StorageClassNotFound;

impl Rule for StorageClassNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        const FIELD: &str = "spec.storageClassName";
        let claims = list_items(case.view.path(CLAIMS), case.view.written(CLAIMS));
        let mut references = texts(claims, FIELD);
        let ephemeral = inner(&of_pod(case, "volumes"), "ephemeral.volumeClaimTemplate");
        references.extend(texts(ephemeral, FIELD));
        look_up(
            case,
            report,
            Named::StorageClass,
            references,
            "a StorageClass that is there",
        );
    }
}
