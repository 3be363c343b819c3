//! From Policy objects to a set.

use std::{collections::BTreeSet, sync::Arc};

use sluice_api::{
    PolicyRule, PolicySpec, SYSTEM_NAMESPACE,
    admission_table::NEVER,
    component::{LabelOperator, LabelSelector},
};
use sluice_tree::Value;

use super::{CompiledPolicy, Entries, Entry, PolicyProblem, PolicySet, digest};
use crate::{
    admission::{self, Admission},
    facts::{FactKind, KeyScope, Keyed},
    own::{Own, OwnRule, STEPS_OF_POLICY},
    rule::{Parameter, Rule},
    rules::{rule_by_code, rule_by_name, rules},
    schema::{raw_rule_by_code, raw_rule_by_name},
    suggestion::nearest,
    view::{Kind, field_text},
};

/// One Policy object.
#[derive(Clone, Copy, Debug)]
pub struct PolicySource<'a> {
    /// The namespace it lies in.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub spec: &'a PolicySpec,
    /// Whether it judges every namespace it matches (it lies in Sluice's own namespace) or only its own.
    pub cluster_wide: bool,
}

impl PolicySet {
    /// Compiles policies into a set. A policy with a problem is left out whole and every problem of it is reported; the others work.
    pub fn compile<'a>(
        sources: impl IntoIterator<Item = PolicySource<'a>>,
    ) -> (PolicySet, Vec<PolicyProblem>) {
        Self::compile_with(sources, [])
    }

    /// The same, and with them the policies of the API server that are among `documents`: each `ValidatingAdmissionPolicy` that a binding names, with the
    /// objects that are its parameters. What else is among them means nothing.
    pub fn compile_with<'a>(
        sources: impl IntoIterator<Item = PolicySource<'a>>,
        documents: impl IntoIterator<Item = &'a Value>,
    ) -> (PolicySet, Vec<PolicyProblem>) {
        let (admission, mut problems) = admission::compile(documents);
        let set = Self::of_compiled(sources, Arc::new(admission), &mut problems, |source| {
            compile(source.spec).map(Arc::new)
        });
        (set, problems)
    }

    /// Puts a set together of policies that `compile` compiles.
    pub(super) fn of_compiled<'a>(
        sources: impl IntoIterator<Item = PolicySource<'a>>,
        admission: Arc<Admission>,
        problems: &mut Vec<PolicyProblem>,
        mut compile: impl FnMut(PolicySource<'a>) -> Outcome,
    ) -> PolicySet {
        let mut sources: Vec<PolicySource<'a>> = sources.into_iter().collect();
        // the order in which objects arrive must not show in anything
        sources.sort_by_key(|source| (source.namespace, source.name));
        let mut policies = Vec::new();
        let mut meanings = admission.meanings.clone();
        let mut needs = BTreeSet::new();
        let mut key_scopes = <[KeyScope; Keyed::ALL.len()]>::default();
        let mut asks_user = admission.asks_user;
        let mut by_kind = [const { Vec::<Entries>::new() }; Kind::JUDGED.len()];
        let mut any_kind = Vec::new();
        for source in sources {
            let title = format!("{}/{}", source.namespace, source.name);
            let compiled = match compile(source) {
                Ok(compiled) => compiled,
                Err(found) => {
                    problems.extend(found.into_iter().map(|problem| PolicyProblem {
                        policy: title.clone(),
                        ..problem
                    }));
                    continue;
                }
            };
            let Compiled { entries, own } = &*compiled;
            let namespace = (!source.cluster_wide).then_some(source.namespace);
            meanings.push(digest::meaning(
                namespace,
                source.name,
                source.spec,
                entries,
                own,
            ));
            for fact in entries
                .iter()
                .flat_map(|entry| entry.rule.needs(&entry.set))
            {
                if let FactKind::Keys(keyed) = fact {
                    key_scopes[keyed.index()].open(namespace);
                }
                needs.insert(fact);
            }
            needs.extend(own.iter().flat_map(|rule| rule.facts.iter().copied()));
            asks_user |= own.iter().any(|rule| rule.asks_user);
            let add = |list: &mut Vec<Entries>,
                       own: Vec<Arc<OwnRule>>,
                       wanted: &dyn Fn(&dyn Rule) -> bool| {
                let rules: Vec<Entry> = entries
                    .iter()
                    .filter(|entry| wanted(entry.rule))
                    .cloned()
                    .collect();
                if !rules.is_empty() || !own.is_empty() {
                    list.push(Entries {
                        policy: policies.len(),
                        rules,
                        own,
                    });
                }
            };
            for kind in Kind::JUDGED {
                let own: Vec<Arc<OwnRule>> = own
                    .iter()
                    .filter(|rule| rule.kinds.contains(&kind))
                    .cloned()
                    .collect();
                add(&mut by_kind[kind.index()], own, &|rule| {
                    rule.kinds().contains(&kind)
                });
            }
            add(&mut any_kind, Vec::new(), &|rule| rule.kinds().is_empty());
            policies.push(CompiledPolicy {
                title,
                on_unknown: source.spec.on_unknown,
                namespace: namespace.map(str::to_owned),
                selector: source
                    .spec
                    .matches
                    .namespaces
                    .clone()
                    .filter(|selector| *selector != LabelSelector::default()),
            });
        }
        PolicySet {
            policies,
            by_kind,
            needs,
            key_scopes,
            any_kind,
            admission,
            asks_user,
            digest: digest::of(meanings),
        }
    }

    /// What keeps a policy from working; empty when it works. For admission of Policy objects and for files.
    #[must_use]
    pub fn check(spec: &PolicySpec) -> Vec<PolicyProblem> {
        compile(spec).err().unwrap_or_default()
    }

    /// The same for a `ValidatingAdmissionPolicy` or its binding; of other documents there is nothing to say.
    #[must_use]
    pub fn check_document(document: &Value) -> Vec<PolicyProblem> {
        admission::check(document)
    }
}

/// The rules of one policy, checked.
pub(super) struct Compiled {
    entries: Vec<Entry>,
    own: Vec<Arc<OwnRule>>,
}

/// What compiling one policy comes to.
pub(super) type Outcome = Result<Arc<Compiled>, Vec<PolicyProblem>>;

pub(super) fn compile(spec: &PolicySpec) -> Result<Compiled, Vec<PolicyProblem>> {
    let mut problems = Problems::default();
    if let Some(selector) = &spec.matches.namespaces {
        problems.of_selector(selector);
    }
    if spec.rules.is_empty() {
        problems.add(
            "spec.rules",
            "no rule",
            "at least one rule, see `sluice rules`",
        );
    }
    let mut seen = BTreeSet::new();
    let mut entries = Vec::with_capacity(spec.rules.len());
    let mut own: Vec<Arc<OwnRule>> = Vec::new();
    for (place, used) in spec.rules.iter().enumerate() {
        let name = match (&used.use_, &used.cel, &used.name) {
            (Some(name), None, None) => name,
            (None, None, None) => {
                problems.add(
                    format!("spec.rules[{place}]"),
                    "neither use nor cel",
                    "use with the name of a built-in rule, or name, kinds and cel",
                );
                continue;
            }
            _ => {
                problems.of_name(place, spec);
                match Own::new(spec, used, place).compile() {
                    Ok(rule) => own.push(Arc::new(rule)),
                    Err(found) => problems.0.extend(found),
                }
                continue;
            }
        };
        let Some(rule) = rule_by_name(name) else {
            problems.of_unknown_rule(place, name);
            continue;
        };
        if !seen.insert(rule.code()) {
            problems.add(
                format!("spec.rules[{place}].use"),
                format!("{name} a second time"),
                "each rule once in a policy; use a second policy for other namespaces",
            );
        }
        entries.push(problems.of_entry(place, used, rule));
    }
    problems.of_cost(&own);
    if problems.0.is_empty() {
        Ok(Compiled { entries, own })
    } else {
        Err(problems.0)
    }
}

#[derive(Default)]
struct Problems(Vec<PolicyProblem>);

impl Problems {
    fn add(
        &mut self,
        path: impl Into<String>,
        found: impl Into<String>,
        passes: impl Into<String>,
    ) {
        self.0.push(PolicyProblem {
            policy: String::new(),
            path: path.into(),
            found: found.into(),
            passes: passes.into(),
            excerpt: None,
        });
    }

    /// Own rules that are bearable one by one and not together.
    fn of_cost(&mut self, own: &[Arc<OwnRule>]) {
        let estimate = own
            .iter()
            .fold(0, |steps, rule| rule.estimate.saturating_add(steps));
        if let Some(most) = own.iter().max_by_key(|rule| rule.estimate)
            && estimate > STEPS_OF_POLICY
        {
            self.add(
                "spec.rules",
                format!(
                    "estimated at {estimate} steps together, {} of them in {}",
                    most.estimate, most.name
                ),
                format!("at most {STEPS_OF_POLICY} steps in one policy"),
            );
        }
    }

    /// The name of an own rule that another one has already.
    fn of_name(&mut self, place: usize, spec: &PolicySpec) {
        let (before, rest) = spec.rules.split_at(place);
        let name = rest.first().and_then(|rule| rule.name.as_ref());
        if let Some(name) = name
            && before.iter().any(|other| other.name.as_ref() == Some(name))
        {
            let name: String = name.chars().take(80).collect();
            self.add(
                format!("spec.rules[{place}].name"),
                format!("{name} a second time"),
                "each name once in a policy",
            );
        }
    }

    fn of_unknown_rule(&mut self, place: usize, name: &str) {
        let passes = match rule_by_code(name) {
            Some(rule) => format!(
                "{} (a rule is used by its name, not by its code)",
                rule.name()
            ),
            None if raw_rule_by_name(name)
                .or_else(|| raw_rule_by_code(name))
                .is_some() =>
            {
                "no use at all: this rule is in force in every check of files, and in no cluster"
                    .to_owned()
            }
            None => match nearest(name, rules().iter().map(|rule| rule.name())) {
                Some(near) => format!("the name of a rule; did you mean {near}?"),
                None => "the name of a rule, see `sluice rules`".to_owned(),
            },
        };
        let name: String = name.chars().take(80).collect();
        self.add(
            format!("spec.rules[{place}].use"),
            format!("unknown rule {name:?}"),
            passes,
        );
    }

    fn of_entry(&mut self, place: usize, used: &PolicyRule, rule: &'static dyn Rule) -> Entry {
        let info = rule.info();
        let path = |name: &str| format!("spec.rules[{place}].parameters.{name}");
        let mut set = Vec::with_capacity(used.parameters.len());
        for (name, value) in &used.parameters {
            match info.parameters.iter().find(|p| p.name() == name.as_str()) {
                None => {
                    let short: String = name.chars().take(80).collect();
                    self.add(
                        path(&short),
                        format!("unknown parameter of {}", info.name),
                        known_parameters(rule, name),
                    );
                }
                Some(parameter) => match parameter.read(&value.into()) {
                    Ok(value) => set.push((parameter.name(), value)),
                    Err(misfit) => {
                        let path = format!("{}{}", path(name), misfit.at);
                        self.add(path, misfit.found, misfit.passes);
                    }
                },
            }
        }
        for (low, high) in info.ordered {
            let value = |name: &str| {
                set.iter()
                    .find(|(set, _)| *set == name)
                    .map(|(_, value)| value.clone())
                    .or_else(|| {
                        let parameter = info.parameters.iter().find(|p| p.name() == name);
                        parameter.map(Parameter::default)
                    })
            };
            if let (Some(least), Some(most)) = (value(low), value(high))
                && least > most
            {
                self.add(
                    path(low),
                    least.to_string(),
                    format!("at most {high}, which is {most}"),
                );
            }
        }
        Entry {
            rule,
            action: used.action,
            set,
        }
    }

    /// What a selector says that can never be meant.
    fn of_selector(&mut self, selector: &LabelSelector) {
        // the label that every namespace has: to name one of these is to mean it
        const NAME: &str = "kubernetes.io/metadata.name";
        let locking = |name: &str| NEVER.contains(&name) || name == SYSTEM_NAMESPACE;
        let mut named: Vec<(String, &str)> = Vec::new();
        if let Some(name) = selector.match_labels.get(NAME) {
            let path = format!("spec.match.namespaces.matchLabels[\"{NAME}\"]");
            named.push((path, name));
        }
        for (place, requirement) in selector.match_expressions.iter().enumerate() {
            if requirement.key == NAME && requirement.operator == LabelOperator::In {
                named.extend(requirement.values.iter().enumerate().map(|(value, name)| {
                    let path =
                        format!("spec.match.namespaces.matchExpressions[{place}].values[{value}]");
                    (path, name.as_str())
                }));
            }
        }
        for (path, name) in named.into_iter().filter(|(_, name)| locking(name)) {
            self.add(
                path,
                format!("{name}, and to judge it could lock the cluster"),
                "other namespaces",
            );
        }
        for (place, requirement) in selector.match_expressions.iter().enumerate() {
            let path = format!("spec.match.namespaces.matchExpressions[{place}].values");
            let listed = matches!(
                requirement.operator,
                LabelOperator::In | LabelOperator::NotIn
            );
            if listed && requirement.values.is_empty() {
                self.add(
                    path,
                    "no value",
                    format!("at least one value with {:?}", requirement.operator),
                );
            } else if !listed && !requirement.values.is_empty() {
                self.add(
                    path,
                    field_text(&requirement.values.as_slice().into()),
                    format!("no values with {:?}", requirement.operator),
                );
            }
        }
    }
}

fn known_parameters(rule: &dyn Rule, name: &str) -> String {
    let names: Vec<&str> = rule.parameters().iter().map(Parameter::name).collect();
    if let Some(near) = nearest(name, names.iter().copied()) {
        return format!("did you mean {near}?");
    }
    let owner = rules()
        .iter()
        .find(|other| other.parameters().iter().any(|p| p.name() == name));
    let mut text = if names.is_empty() {
        "no parameters".to_owned()
    } else {
        names.join(", ")
    };
    if let Some(owner) = owner {
        text.push_str(&format!("; {name} is a parameter of {}", owner.name()));
    }
    text
}
