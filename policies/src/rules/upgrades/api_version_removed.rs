//! An object in an API version that no API server of the target version takes.

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
    code: "SLU7001",
    name: "api-version-removed",
    title: "the API server of the target version does not take this API version",
    category: Category::Upgrades,
    severity: Action::Deny,
    kinds: &[],
    parameters: &[Parameter::Text(&TARGET)],
    ordered: &[],
    facts: &[],
    reads: &[Read::object("apiVersion"), Read::object("kind")],
    document: include_str!("api_version_removed.md"),
};

struct ApiVersionRemoved;

pub(in crate::rules) const RULE: &dyn Rule = &ApiVersionRemoved;

impl Rule for ApiVersionRemoved {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, _case: &Case<'_>, _report: &mut Report) {}

    fn judge_header(&self, header: &Header<'_>, report: &mut Report) {
        let Some(row) = table::row(header.api_version, header.kind) else {
            return;
        };
        let target = minor(header.text(&TARGET));
        if let Some(removed) = row.removed.filter(|removed| Some(*removed) <= target) {
            report.add(RawFinding::at(
                "apiVersion".to_owned(),
                format!(
                    "{} of {}, gone since Kubernetes 1.{removed}",
                    row.api_version, header.kind
                ),
                row.passes(),
            ));
        }
    }
}
