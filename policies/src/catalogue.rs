//! The catalogue of rules as a page of the documentation.

use std::fmt::Write;

use crate::{
    library::sets_with,
    rule::{Category, Rule},
    rules::rules,
};

/// The page: an overview of every rule, then what each takes and needs, then its document.
#[must_use]
pub fn catalogue_markdown() -> String {
    let mut page = String::from(
        "# Rules\n\n\
         <!-- generated from the rules in policies/: edit them, not this page -->\n\n\
         Every finding carries the code of its rule; `sluice explain CODE` prints the section of that rule. A `Policy` uses a rule by its name.\n",
    );
    let mut category = None;
    for rule in rules() {
        if category != Some(rule.category()) {
            category = Some(rule.category());
            heading(&mut page, rule.category());
        }
        line(&mut page, *rule);
    }
    for rule in rules() {
        page.push('\n');
        section(&mut page, *rule);
    }
    page
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
    // the title of the document is the heading of the section; its headings go one level down
    let mut fenced = false;
    for text in rule
        .document()
        .lines()
        .skip(1)
        .skip_while(|line| line.is_empty())
    {
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
        for rule in rules() {
            let heading = format!("\n## {}\n", rule.name());
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
        }
        assert!(!page.contains("\n\n\n\n"));
    }
}
