//! A CronJob without bounds is refused, the bounded one goes in, the old one can still be edited.

use crate::demo::stage::{
    Expect::{Refusal, Success},
    Stage,
};

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("A CronJob that nothing bounds is refused: all findings in one message");
    stage
        .kubectl(
            "apply -f cronjob-unbounded.yaml",
            Refusal,
            &[
                "denied the request",
                "cronjob-without-deadline",
                "spec.startingDeadlineSeconds",
                "spec.concurrencyPolicy",
                "spec.jobTemplate.spec.activeDeadlineSeconds",
                "container-without-memory-limit",
                "passes:",
            ],
        )
        .await?;
    stage
        .sluice(
            "check cronjob-unbounded.yaml",
            crate::demo::stage::Expect::Code(1),
            &["cronjob-without-deadline"],
        )
        .await?;
    stage.holds("the same findings offline, before any cluster sees it");
    stage
        .kubectl("apply -f cronjob-bounded.yaml", Success, &["created"])
        .await?;
    stage.say("One that was there before the rules keeps running and can still be edited:");
    stage
        .kubectl("-n shop patch cronjob legacy-report --type=merge -p '{\"spec\":{\"schedule\":\"*/2 * * * *\"}}'", Success, &["patched"])
        .await?;
    Ok(())
}
