//! Judges one object by a set.

use sluice_api::{Action, Certainty, Finding, policy::OnUnknown};
use sluice_tree::Value;

use super::{CompiledPolicy, Entry, PolicySet};
use crate::{
    Facts, Judgement, NotJudged, Operation, Subject,
    own::{self, OwnRule, Question, Touched},
    rule::{Case, RawFinding, Report, Rule},
    rules::MALFORMED,
    view::{Kind, Read, View, lookup},
};

/// Whether a policy judges a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Applies {
    Yes,
    No,
    /// It selects by labels, and the labels of the namespace are not known.
    CannotTell,
}

impl PolicySet {
    /// Judges one object.
    ///
    /// Guarantees: the same subject and facts give the same findings, in the same order, whether API defaults are filled in or not.
    /// A finding's action is the policy's, at most Warn where nobody can tell, where the old object already had it (ratchet), and on a dry-run where the rule
    /// needs other objects. The mode of the namespace is the caller's business, see [`crate::cap`].
    #[must_use]
    pub fn judge(&self, subject: &Subject<'_>, facts: &Facts<'_>) -> Judgement {
        let object = subject.object;
        let before = subject
            .old
            .filter(|_| subject.operation == Operation::Update);
        let never = never_judged(object, before);
        // what no rule in use judges is as good as unknown, but a workload must at least have its shape
        let known = |view: &View<'_>| view.kind().is_workload() || self.judges(view.kind());
        let Some(view) = View::lift(object).filter(known) else {
            return self.judge_unknown(subject, facts, never.is_some());
        };
        if let Some(reason) = never {
            return Judgement::not(reason);
        }
        let old = match subject.operation {
            Operation::Create => None,
            Operation::Update => subject
                .old
                .and_then(View::lift)
                .filter(|old| old.kind() == view.kind()),
        };
        let mut judging = Judging::new(subject, facts, view, old);
        let mut any = self.judge_header(&mut judging.findings, facts);
        any |= self.judge_admission(&mut judging.findings, facts);
        for entries in &self.by_kind[view.kind().index()] {
            let policy = &self.policies[entries.policy];
            let applies = policy.applies(subject.namespace, facts);
            if applies == Applies::No {
                continue;
            }
            any = true;
            for entry in &entries.rules {
                judging.by(entry, policy, applies);
            }
            for rule in &entries.own {
                judging.by_own(rule, policy, applies);
            }
        }
        if any && judging.view.kind().is_workload() {
            judging.shape();
        }
        judging.judgement()
    }

    /// An object of a kind that no rule in use knows: all that can be judged is its head.
    fn judge_unknown(&self, subject: &Subject<'_>, facts: &Facts<'_>, never: bool) -> Judgement {
        let mut findings = Findings::of(subject);
        let mut meant = false;
        if !never {
            self.judge_header(&mut findings, facts);
            meant = self.judge_admission(&mut findings, facts);
        }
        if findings.list.is_empty() && !meant {
            return Judgement::not(unknown_kind(subject.object));
        }
        Judgement {
            findings: ordered(findings.list),
            not_judged: None,
        }
    }
}

impl Judgement {
    pub(super) fn not(reason: NotJudged) -> Self {
        Self {
            findings: Vec::new(),
            not_judged: Some(reason),
        }
    }
}

impl CompiledPolicy {
    pub(super) fn applies(&self, namespace: &str, facts: &Facts<'_>) -> Applies {
        if self
            .namespace
            .as_deref()
            .is_some_and(|own| own != namespace)
        {
            return Applies::No;
        }
        match (&self.selector, facts.namespace_labels) {
            (None, _) => Applies::Yes,
            (Some(_), None) => Applies::CannotTell,
            (Some(selector), Some(labels)) if selector.matches(labels) => Applies::Yes,
            (Some(_), Some(_)) => Applies::No,
        }
    }
}

/// One object on its way through the rules.
pub(super) struct Judging<'a> {
    subject: &'a Subject<'a>,
    facts: &'a Facts<'a>,
    view: View<'a>,
    old: Option<View<'a>>,
    /// Whether the update changes what rules read, as far as it was asked: rules read much of the same, and it may be large.
    differs: Vec<(Read, bool)>,
    /// The object, and the one it replaces, as the API server would store them; made when an own rule asks.
    stored: Option<(Value, Option<Value>)>,
    /// What an update touches; looked at when an own rule asks.
    touched: Option<Touched>,
    findings: Findings<'a>,
}

impl<'a> Judging<'a> {
    fn new(
        subject: &'a Subject<'a>,
        facts: &'a Facts<'a>,
        view: View<'a>,
        old: Option<View<'a>>,
    ) -> Self {
        Self {
            subject,
            facts,
            view,
            old,
            differs: Vec::new(),
            stored: None,
            touched: None,
            findings: Findings::of(subject),
        }
    }

    /// An object that is there already.
    ///
    /// # Errors
    /// Why it is not judged.
    pub(super) fn of_update(
        subject: &'a Subject<'a>,
        facts: &'a Facts<'a>,
    ) -> Result<Self, NotJudged> {
        if let Some(reason) = never_judged(subject.object, subject.old) {
            return Err(reason);
        }
        let view = View::lift(subject.object).ok_or_else(|| unknown_kind(subject.object))?;
        let old = subject.old.and_then(View::lift);
        Ok(Self::new(subject, facts, view, old))
    }

    /// The kind of the object.
    pub(super) const fn kind(&self) -> Kind {
        self.view.kind()
    }

    /// What came out.
    pub(super) fn judgement(self) -> Judgement {
        Judgement {
            findings: ordered(self.findings.list),
            not_judged: None,
        }
    }

    pub(super) fn by(&mut self, entry: &Entry, policy: &CompiledPolicy, applies: Applies) {
        let info = entry.rule.info();
        if let Some(old) = self.old
            && !info.reads.iter().any(|read| self.differs(&old, *read))
        {
            return;
        }
        let found = self.run(entry.rule, &entry.set, &self.view, self.old.as_ref());
        if found.is_empty() {
            return;
        }
        let before = self
            .old
            .as_ref()
            .map(|old| self.run(entry.rule, &entry.set, old, Some(old)))
            .unwrap_or_default();
        let whose = Whose::of(entry, policy);
        self.findings.settle(whose, policy, applies, found, &before);
    }

    fn differs(&mut self, old: &View<'_>, read: Read) -> bool {
        if let Some((_, differs)) = self.differs.iter().find(|(known, _)| *known == read) {
            return *differs;
        }
        let differs = self.view.differs(old, read);
        self.differs.push((read, differs));
        differs
    }

    fn by_own(&mut self, rule: &OwnRule, policy: &CompiledPolicy, applies: Applies) {
        let (kind, namespace) = (self.view.kind(), self.subject.namespace);
        let (object, old) = self.stored.get_or_insert_with(|| {
            let old = self.old.and(self.subject.old);
            (
                own::stored(self.subject.object, Some(kind), namespace),
                old.map(|old| own::stored(old, Some(kind), namespace)),
            )
        });
        let (object, old): (&Value, Option<&Value>) = (object, old.as_ref());
        if let Some(old) = old {
            let touched = self
                .touched
                .get_or_insert_with(|| Touched::of(&self.view, object, old));
            if !touched.concerns(rule) {
                return;
            }
        }
        let question = Question {
            subject: self.subject,
            facts: self.facts,
            object,
            old,
        };
        let found = own::judge(rule, &policy.title, &question);
        let before = match old {
            Some(object) if !found.is_empty() => {
                own::judge(rule, &policy.title, &Question { object, ..question })
            }
            _ => Vec::new(),
        };
        let whose = Whose {
            code: own::CODE,
            rule: &rule.name,
            action: rule.action,
            on_unknown: rule.on_unknown,
            needs_others: !rule.facts.is_empty(),
        };
        self.findings.settle(whose, policy, applies, found, &before);
    }

    fn run(
        &self,
        rule: &dyn Rule,
        set: &[(&'static str, crate::rule::ParameterValue)],
        view: &View<'_>,
        old: Option<&View<'_>>,
    ) -> Vec<RawFinding> {
        let mut report = Report::default();
        let case = Case {
            view,
            old,
            namespace: self.subject.namespace,
            facts: self.facts,
            set,
        };
        rule.judge(&case, &mut report);
        report.findings
    }

    /// An object that the rules cannot look into must not pass them: what its shape lacks is a finding, whatever the policies use.
    fn shape(&mut self) {
        let entry = Entry {
            rule: MALFORMED,
            action: Action::Deny,
            set: Vec::new(),
        };
        let everywhere = CompiledPolicy {
            title: String::new(),
            on_unknown: OnUnknown::Warn,
            namespace: None,
            selector: None,
        };
        self.by(&entry, &everywhere, Applies::Yes);
    }
}

/// Whose findings they are, and what they lead to.
pub(super) struct Whose<'a> {
    pub(super) code: &'a str,
    pub(super) rule: &'a str,
    pub(super) action: Action,
    pub(super) on_unknown: OnUnknown,
    /// Whether the rule needs other objects.
    pub(super) needs_others: bool,
}

impl<'a> Whose<'a> {
    /// Those of a built-in rule.
    pub(super) fn of(entry: &'a Entry, policy: &CompiledPolicy) -> Self {
        let info = entry.rule.info();
        Self {
            code: info.code,
            rule: info.name,
            action: entry.action,
            on_unknown: policy.on_unknown,
            needs_others: !info.facts.is_empty(),
        }
    }
}

/// What was found about one object, with what it leads to.
pub(super) struct Findings<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) list: Vec<Finding>,
}

impl<'a> Findings<'a> {
    fn of(subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            list: Vec::new(),
        }
    }

    /// Takes in what a rule found, by the action of the policy; `before` is what it finds in the old object.
    pub(super) fn settle(
        &mut self,
        whose: Whose<'_>,
        policy: &CompiledPolicy,
        applies: Applies,
        found: Vec<RawFinding>,
        before: &[RawFinding],
    ) {
        for mut finding in found {
            if applies == Applies::CannotTell {
                self.perhaps(&mut finding, policy);
            }
            let mut action = whose.action.min(finding.ceiling);
            // where nobody knows whether the policy applies at all, it cannot say what that leads to
            let doubtful = finding.certainty == Certainty::Unknown
                && (applies == Applies::CannotTell || whose.on_unknown == OnUnknown::Warn);
            let weakened = doubtful
                || (self.subject.dry_run && whose.needs_others)
                || before.iter().any(|old| same(&finding, old));
            if weakened {
                action = action.min(Action::Warn);
            }
            self.list.push(Finding {
                code: whose.code.to_owned(),
                rule: whose.rule.to_owned(),
                action,
                certainty: finding.certainty,
                policy: (whose.code == own::CODE).then(|| policy.title.clone()),
                path: finding.path,
                found: finding.found,
                passes: finding.passes,
                way_out: finding.way_out,
                excepted: None,
            });
        }
    }

    /// A finding of a policy of which nobody can tell whether it applies here.
    fn perhaps(&self, finding: &mut RawFinding, policy: &CompiledPolicy) {
        if finding.certainty == Certainty::Sure {
            finding.found = format!(
                "{} would be refused where policy {} applies, which passes {}",
                finding.found, policy.title, finding.passes
            );
            finding.passes = format!("the labels of namespace {}", self.subject.namespace);
            finding.certainty = Certainty::Unknown;
        }
    }
}

/// Whether the old object had the same finding, at least as bad.
fn same(new: &RawFinding, old: &RawFinding) -> bool {
    new.identity == old.identity
        && match (new.measure, old.measure) {
            (Some(new), Some(old)) => new <= old,
            _ => true,
        }
}

/// By code, path and text; what several policies say alike is said once, as strongly as the strictest of them.
fn ordered(mut findings: Vec<Finding>) -> Vec<Finding> {
    fn key(f: &Finding) -> (&str, &str, &str, &str, Certainty, &str) {
        (&f.code, &f.path, &f.found, &f.passes, f.certainty, &f.rule)
    }
    findings.sort_by(|a, b| key(a).cmp(&key(b)).then(b.action.cmp(&a.action)));
    findings.dedup_by(|later, kept| key(later) == key(kept));
    findings
}

/// An update must find the owner in the old object too: nobody steps aside by naming one in the very request that is judged.
fn never_judged(object: &Value, before: Option<&Value>) -> Option<NotJudged> {
    let metadata = object.get("metadata")?;
    if lookup(metadata, "deletionTimestamp").is_some() {
        return Some(NotJudged::BeingDeleted);
    }
    let owner = controller(object)?;
    if before.is_some_and(|before| controller(before).is_none()) {
        return None;
    }
    let text = |name: &str| word(owner.get(name));
    Some(NotJudged::OwnedByController {
        kind: text("kind"),
        name: text("name"),
    })
}

/// The owner that controls an object.
fn controller(object: &Value) -> Option<&Value> {
    object
        .get("metadata")?
        .get("ownerReferences")?
        .as_array()?
        .iter()
        .find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

fn unknown_kind(object: &Value) -> NotJudged {
    NotJudged::UnknownKind {
        api_version: word(object.get("apiVersion")),
        kind: word(object.get("kind")),
    }
}

/// A short text out of an object; `-` when there is none.
fn word(value: Option<&Value>) -> String {
    value
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map_or_else(|| "-".to_owned(), |text| text.chars().take(80).collect())
}
