//! `sluice rules` and `sluice explain`: what the built-in rules are and why they exist.

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use sluice_policies::{
    Rule, rule_by_code, rule_by_name, rules,
    schema::{RAW_RULES, RawRule, raw_rule_by_code, raw_rule_by_name},
};

use crate::{
    console,
    outcome::Outcome,
    output::{Format, Output},
    refusals,
};

/// The built-in rules.
#[derive(Args, Debug)]
pub struct Rules {
    #[command(flatten)]
    output: Output,
}

/// Why a rule or a refusal exists, and a manifest that passes.
#[derive(Args, Debug)]
pub struct Explain {
    /// A code such as SLU1001, or a name such as cronjob-without-deadline
    code: String,
    #[command(flatten)]
    output: Output,
}

/// A rule for programs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    code: &'static str,
    name: &'static str,
    category: &'static str,
    title: &'static str,
    default_action: &'static str,
    kinds: Vec<&'static str>,
    parameters: Vec<ParameterRow>,
    facts: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct ParameterRow {
    name: &'static str,
    default: String,
    passes: String,
}

fn row(rule: &dyn Rule) -> Row {
    Row {
        code: rule.code(),
        name: rule.name(),
        category: rule.category().as_str(),
        title: rule.title(),
        default_action: rule.severity().as_str(),
        kinds: rule.kind_names(),
        parameters: rule
            .parameters()
            .iter()
            .map(|parameter| ParameterRow {
                name: parameter.name(),
                default: parameter.default().to_string(),
                passes: parameter.passes(),
            })
            .collect(),
        facts: rule.facts().iter().map(ToString::to_string).collect(),
    }
}

/// A rule that judges files only: it is in force in every check of files, so it takes nothing and needs nothing.
fn raw_row(rule: RawRule) -> Row {
    let info = rule.info();
    Row {
        code: info.code,
        name: info.name,
        category: "raw",
        title: info.title,
        default_action: "Deny",
        kinds: vec!["files"],
        parameters: Vec::new(),
        facts: Vec::new(),
    }
}

/// Lists the rules.
///
/// # Errors
/// When the output cannot be written.
pub fn list(arguments: &Rules) -> anyhow::Result<Outcome> {
    let mut rows: Vec<Row> = rules().iter().map(|rule| row(*rule)).collect();
    rows.extend(RAW_RULES.into_iter().map(raw_row));
    rows.sort_by_key(|row| row.code);
    let text = || {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![
                    row.code.to_owned(),
                    row.name.to_owned(),
                    row.default_action.to_owned(),
                    row.kinds.join(","),
                    row.title.to_owned(),
                ]
            })
            .collect();
        let mut text = console::table(&["CODE", "NAME", "DEFAULT", "KINDS", "FINDS"], &cells);
        text.push_str(
            "`sluice explain CODE` tells why a rule exists and shows a manifest that passes.\n",
        );
        text
    };
    console::print(&arguments.output.output.show(&rows, text)?)?;
    Ok(Outcome::Yes)
}

/// Explains one rule or refusal.
///
/// # Errors
/// When nothing has this code or name.
pub fn explain(arguments: &Explain) -> anyhow::Result<Outcome> {
    let wanted = arguments.code.trim();
    let code = wanted.to_uppercase();
    let format = arguments.output.output;
    if let Some(rule) = rule_by_code(&code).or_else(|| rule_by_name(&wanted.to_lowercase())) {
        let text = match format {
            Format::Text => ended(rule.document()),
            Format::Json | Format::Yaml => format.show(&row(rule), String::new)?,
        };
        console::print(&text)?;
        return Ok(Outcome::Yes);
    }
    if let Some(rule) = raw_rule_by_code(&code).or_else(|| raw_rule_by_name(&wanted.to_lowercase()))
    {
        let document = || ended(rule.info().document);
        console::print(&format.show(&raw_row(rule), document)?)?;
        return Ok(Outcome::Yes);
    }
    if let Some(refusal) = refusals::all()
        .into_iter()
        .find(|refusal| refusal.code == code || refusal.name == wanted)
    {
        console::print(&format.show(&refusal, || refusal.markdown())?)?;
        return Ok(Outcome::Yes);
    }
    if code == sluice_policies::OWN_RULES {
        console::print(&sluice_policies::own_rules_document())?;
        return Ok(Outcome::Yes);
    }
    if code == sluice_policies::ADMISSION_POLICIES {
        let document = sluice_policies::admission_policies_document();
        console::print(&ended(document))?;
        return Ok(Outcome::Yes);
    }
    bail!(
        "nothing is called {wanted}; `sluice rules` lists the rules, SLU0001 to SLU0007 are refusals of releases"
    );
}

fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end())
}
