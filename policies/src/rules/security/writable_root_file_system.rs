//! A container that may rewrite its own programs.

use sluice_api::Action;
use sluice_tree::Value;

use super::context;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, field_text},
};

const READ_ONLY: &str = "securityContext.readOnlyRootFilesystem";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6008",
    name: "writable-root-file-system",
    title: "whoever gets into a container may rewrite its programs",
    category: Category::Security,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("writable_root_file_system.md"),
};

struct WritableRootFileSystem;

pub(in crate::rules) const RULE: &dyn Rule = &WritableRootFileSystem;

impl Rule for WritableRootFileSystem {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if context::on_windows(case.view) {
            return;
        }
        for container in case.view.containers() {
            let value = container.get(READ_ONLY);
            if value != Some(&Value::Bool(true)) {
                let found = value.map_or_else(|| "absent".to_owned(), field_text);
                let passes = "true; what the container writes goes to a volume";
                report.container(case.view, &container, READ_ONLY, &found, passes);
            }
        }
    }
}
