//! A workload whose pods are refused because their ServiceAccount is not there.

use sluice_api::Action;

use super::named::{Reference, look_up};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const NAME: Read = Read::pod("serviceAccountName");
/// The name it had before; the API server fills in each from the other.
const OLD_NAME: Read = Read::pod("serviceAccount");

static INFO: RuleInfo = RuleInfo {
    code: "SLU4003",
    name: "service-account-not-found",
    title: "the ServiceAccount of the pods is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::ServiceAccount)],
    reads: &[NAME, OLD_NAME],
    document: include_str!("service_account_not_found.md"),
};

struct ServiceAccountNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &ServiceAccountNotFound;

impl Rule for ServiceAccountNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        // every namespace gets this one by itself
        let written = |read: Read| case.view.written(read).and_then(sluice_tree::Value::as_str);
        let name = written(NAME).filter(|name| !name.is_empty());
        let name = name.or_else(|| written(OLD_NAME)).unwrap_or_default();
        if name.is_empty() || name == "default" {
            return;
        }
        let path = case.view.path(NAME);
        let references = vec![Reference { path, name }];
        look_up(
            case,
            report,
            Named::ServiceAccount,
            references,
            "a ServiceAccount that is there",
        );
    }
}
