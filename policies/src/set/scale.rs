//! Judges a workload that is scaled: only more pods than before, and only by rules that say they look at that.

use jiff::Timestamp;

use super::{
    PolicySet,
    judge::{Applies, Judging},
};
use crate::{Exceptions, Facts, Judgement, Subject};

impl PolicySet {
    /// Whether any rule in use looks at scaling.
    #[must_use]
    pub fn judges_scale(&self) -> bool {
        let lists = self.by_kind.iter().flatten();
        lists
            .flat_map(|entries| &entries.rules)
            .any(|entry| entry.rule.judges_scale())
    }

    /// Judges an update that changes the number of pods and nothing else, made of what is kept of the workload ([`crate::scale::Scalable`]), as
    /// [`PolicySet::judge_excepting`] judges whole objects. What was found with the number before only warns.
    #[must_use]
    pub fn judge_scale(
        &self,
        subject: &Subject<'_>,
        facts: &Facts<'_>,
        exceptions: &Exceptions,
        now: Timestamp,
    ) -> Judgement {
        let mut judging = match Judging::of_update(subject, facts) {
            Ok(judging) => judging,
            Err(reason) => return Judgement::not(reason),
        };
        for entries in &self.by_kind[judging.kind().index()] {
            let policy = &self.policies[entries.policy];
            let applies = policy.applies(subject.namespace, facts);
            if applies == Applies::No {
                continue;
            }
            for entry in entries
                .rules
                .iter()
                .filter(|entry| entry.rule.judges_scale())
            {
                judging.by(entry, policy, applies);
            }
        }
        let mut judgement = judging.judgement();
        exceptions.except(&mut judgement.findings, subject, facts, now);
        judgement
    }
}
