//! The table as a page of the documentation.

use super::{NEVER, Scope, Stage, TABLE};
use crate::label;

/// The table as a page of the documentation, for an installation into the default namespace.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# What the webhooks see\n\n\
         Generated from the code that writes the webhook configurations. What is not listed here is never sent to Sluice: no nodes, certificate\n\
         requests, leases, events, tokens, RBAC objects, pods, ReplicaSets, no `status`; of sub-resources only `scale`, and that never waits for Sluice.\n\n\
         | entry | configuration | resources | operations | namespaces | without an answer | side effects | timeout |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for entry in &TABLE {
        let resources = entry
            .rules
            .iter()
            .map(|rule| {
                // the core group has no name
                let group = match rule.groups {
                    [""] => String::new(),
                    groups => format!("{}/", groups.join(", ")),
                };
                let (versions, resources) = (rule.versions.join(", "), rule.resources.join(", "));
                format!("{group}{versions}: {resources}")
            })
            .collect::<Vec<_>>()
            .join("; ");
        page.push_str(&format!(
            "| `{}` | {} `{}` | {resources} | {} | {} | {} | {} | {} s |\n",
            entry.name,
            match entry.stage {
                Stage::Mutating => "mutating",
                Stage::Validating => "validating",
            },
            entry.configuration,
            entry.rules[0].operations.join(", "),
            match entry.scope {
                Scope::Enforce => "mode `enforce`",
                Scope::Observe => "every mode but `enforce` and `off`",
                Scope::All => "all",
            },
            entry.failure_policy.as_str(),
            entry.side_effects,
            entry.timeout_seconds,
        ));
    }
    page.push_str(&format!(
        "\nThe mode is the label `{}` of the namespace. Whatever it says, {} and Sluice's own namespace are left out by name for workloads, \
         and so is every namespace under `namespaces.off` of the configuration file.\n",
        label::MODE,
        NEVER.map(|name| format!("`{name}`")).join(", ")
    ));
    for entry in &TABLE {
        page.push_str(&format!(
            "\n## {}\n\nWhat it does: {}. Not sent:\n\n",
            entry.name, entry.purpose
        ));
        for condition in entry.conditions {
            page.push_str(&format!(
                "- {} (`{}`)\n\n  ```cel\n  {}\n  ```\n",
                condition.reason,
                condition.name,
                condition
                    .expression(crate::SYSTEM_NAMESPACE)
                    .replace(" || ", "\n  || ")
            ));
        }
    }
    page
}
