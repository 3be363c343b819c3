//! The catalogue of rules as a page of the documentation.

use std::fmt::Write;

use crate::{
    library::sets_with,
    rule::{Category, Rule},
    rules::rules,
    schema::RAW_RULES,
};

/// The page: an overview of every rule, then what each takes and needs, then its document.
#[must_use]
pub fn catalogue_markdown() -> String {
    let mut page = String::from(
        "# Rules\n\n\
         <!-- generated from the rules in policies/: edit them, not this page -->\n\n\
         Every finding carries the code of its rule; `sluice explain CODE` prints the section of that rule. A `Policy` uses a rule by its name.\n",
    );
    // by code: raw files come before the object itself
    let (series, last) =
        rules().split_at(rules().partition_point(|rule| rule.category() < Category::Object));
    overview(&mut page, series);
    raw_overview(&mut page);
    overview(&mut page, last);
    for rule in series {
        page.push('\n');
        section(&mut page, *rule);
    }
    for rule in RAW_RULES {
        let info = rule.info();
        put(
            &mut page,
            format_args!(
                "\n## {}\n\nCode {}. Judges files of every kind.\n\n",
                info.name, info.code
            ),
        );
        document(&mut page, info.document);
    }
    for rule in last {
        page.push('\n');
        section(&mut page, *rule);
    }
    page
}

fn overview(page: &mut String, rules: &[&dyn Rule]) {
    let mut category = None;
    for rule in rules {
        if category != Some(rule.category()) {
            category = Some(rule.category());
            heading(page, rule.category());
        }
        line(page, *rule);
    }
}

fn raw_overview(page: &mut String) {
    page.push_str(
        "\n## Raw files\n\nIn force in every `sluice check`, by the fields that the kinds of a Kubernetes version (`--kubernetes-version`) and the definitions among the \
         files have. No policy uses them: in the cluster an unknown field is dropped before any webhook sees the object.\n\n\
         | code | rule | what it finds |\n|---|---|---|\n",
    );
    for rule in RAW_RULES {
        let info = rule.info();
        put(
            page,
            format_args!(
                "| {} | [{}](#{}) | {} |\n",
                info.code, info.name, info.name, info.title
            ),
        );
    }
}

fn heading(page: &mut String, category: Category) {
    page.push_str("\n## ");
    page.push_str(category.title());
    page.push_str(
        "\n\n| code | rule | what it finds | judges | shipped action | shipped sets |\n|---|---|---|---|---|---|\n",
    );
}

fn line(page: &mut String, rule: &dyn Rule) {
    put(
        page,
        format_args!(
            "| {} | [{}](#{}) | {} | {} | {} | {} |\n",
            rule.code(),
            rule.name(),
            rule.name(),
            rule.title(),
            kinds(rule),
            rule.severity().as_str(),
            match sets_with(rule.name()) {
                sets if sets.is_empty() => "none".to_owned(),
                sets => sets.join(", "),
            },
        ),
    );
}

fn section(page: &mut String, rule: &dyn Rule) {
    let info = rule.info();
    put(
        page,
        format_args!(
            "## {}\n\nCode {}. Judges {}.",
            rule.name(),
            rule.code(),
            kinds(rule)
        ),
    );
    if !info.facts.is_empty() {
        let facts: Vec<String> = info.facts.iter().map(ToString::to_string).collect();
        put(
            page,
            format_args!(
                " Needs to know: {}; where they are not known the answer is Unknown.",
                facts.join(", ")
            ),
        );
    }
    page.push_str("\n\n");
    if !info.parameters.is_empty() {
        page.push_str(
            "| parameter | type | default | accepted | meaning |\n|---|---|---|---|---|\n",
        );
        for parameter in info.parameters {
            put(
                page,
                format_args!(
                    "| `{}` | {} | {} | {} | {} |\n",
                    parameter.name(),
                    parameter.type_name(),
                    parameter.default(),
                    parameter.accepted(),
                    parameter.meaning(),
                ),
            );
        }
        page.push('\n');
    }
    document(page, rule.document());
}

/// A document below its heading: its title is the heading of the section, and its headings go one level down.
fn document(page: &mut String, document: &str) {
    let mut fenced = false;
    for text in document.lines().skip(1).skip_while(|line| line.is_empty()) {
        fenced ^= text.starts_with("```");
        if !fenced && text.starts_with("##") {
            page.push('#');
        }
        page.push_str(text);
        page.push('\n');
    }
}

fn kinds(rule: &dyn Rule) -> String {
    rule.kind_names().join(", ")
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    // writing to a String cannot fail
    let _ = page.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_every_rule_once() {
        let page = catalogue_markdown();
        let raw = RAW_RULES.iter().map(|rule| rule.info().name);
        for name in rules().iter().map(|rule| rule.name()).chain(raw) {
            let heading = format!("\n## {name}\n");
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
        }
        assert!(!page.contains("\n\n\n\n"));
    }
}
