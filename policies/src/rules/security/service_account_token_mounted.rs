//! A pod that carries a key to the API server which nobody asked for.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read, field_text},
};

const AUTOMOUNT: Read = Read::pod("automountServiceAccountToken");
const NAMES: [Read; 2] = [Read::pod("serviceAccountName"), Read::pod("serviceAccount")];

static INFO: RuleInfo = RuleInfo {
    code: "SLU6010",
    name: "service-account-token-mounted",
    title: "a pod carries a key to the API server that nobody asked for",
    category: Category::Security,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[AUTOMOUNT, NAMES[0], NAMES[1]],
    document: include_str!("service_account_token_mounted.md"),
};

struct ServiceAccountTokenMounted;

pub(in crate::rules) const RULE: &dyn Rule = &ServiceAccountTokenMounted;

impl Rule for ServiceAccountTokenMounted {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let account = NAMES
            .into_iter()
            .find_map(|read| case.view.written(read)?.as_str())
            .filter(|name| !name.is_empty() && *name != "default");
        let found = match case.view.written(AUTOMOUNT) {
            Some(Value::Bool(false)) => return,
            // an account of its own and a clear word: somebody means it
            Some(Value::Bool(true)) if account.is_some() => return,
            Some(Value::Bool(true)) => "true, of the service account default".to_owned(),
            Some(other) => field_text(other),
            None => "absent, so it is mounted unless the service account says otherwise".to_owned(),
        };
        report.add(RawFinding::at(
            case.view.path(AUTOMOUNT),
            found,
            "false; or true with a service account of its own, for a pod that asks the API server",
        ));
    }
}
