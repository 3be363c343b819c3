//! An object in an API version that is on its way out.

use sluice_api::Action;

use super::{
    table,
    target::{TARGET, minor},
};
use crate::{
    rule::{Case, Category, Header, Parameter, RawFinding, Report, Rule, RuleInfo},
    view::Read,
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU7002",
    name: "api-version-deprecated",
    title: "a later Kubernetes will not take this API version",
    category: Category::Upgrades,
    severity: Action::Warn,
    kinds: &[],
    parameters: &[Parameter::Text(&TARGET)],
    ordered: &[],
    facts: &[],
    reads: &[Read::object("apiVersion"), Read::object("kind")],
    document: include_str!("api_version_deprecated.md"),
};

struct ApiVersionDeprecated;

pub(in crate::rules) const RULE: &dyn Rule = &ApiVersionDeprecated;

impl Rule for ApiVersionDeprecated {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, _case: &Case<'_>, _report: &mut Report) {}

    fn judge_header(&self, header: &Header<'_>, report: &mut Report) {
        let Some(row) = table::row(header.api_version, header.kind) else {
            return;
        };
        let Some(target) = minor(header.text(&TARGET)) else {
            return;
        };
        // what is gone already is what `api-version-removed` says
        if row.deprecated > target || row.removed.is_some_and(|removed| removed <= target) {
            return;
        }
        let mut found = format!(
            "{} of {}, deprecated since Kubernetes 1.{}",
            row.api_version, header.kind, row.deprecated
        );
        if let Some(removed) = row.removed {
            found.push_str(&format!(" and gone with 1.{removed}"));
        }
        report.add(RawFinding::at("apiVersion".to_owned(), found, row.passes()));
    }
}
