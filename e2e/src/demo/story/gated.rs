//! A release is refused while its gate is closed, goes in when it opens, and spreads in batches.

use std::time::Duration;

use crate::demo::stage::{
    Expect::{Code, Refusal, Success},
    Stage,
};

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("A release behind a gate: refused while payments is down, stepped when it is back");
    stage
        .kubectl("apply -f checkout-v1.yaml", Success, &["created"])
        .await?;
    stage
        .kubectl(
            "-n shop rollout status deployment/checkout --timeout=60s",
            Success,
            &["successfully rolled out"],
        )
        .await?;
    stage.users_call("shop", "checkout").await?;
    stage
        .kubectl(
            "apply -f checkout-gate.yaml -f checkout-plan.yaml",
            Success,
            &["created"],
        )
        .await?;
    opens(stage).await?;
    stage
        .sluice("gate get checkout -n shop", Success, &["Open"])
        .await?;

    stage.say("payments starts to answer errors:");
    stage.answers_errors("shop", "payments", true).await?;
    let access = stage.access();
    stage
        .until("the gate closes", Duration::from_secs(15), || async {
            let state = state(access).await?;
            Ok((state == "Closed", state))
        })
        .await?;
    stage
        .kubectl(
            "apply -f checkout-v2.yaml",
            Refusal,
            &[
                "denied the request",
                "shop/checkout",
                "payments-answers",
                "500",
            ],
        )
        .await?;
    stage
        .sluice(
            "gate get checkout -n shop",
            Code(1),
            &["Closed", "payments-answers"],
        )
        .await?;

    stage.say("payments recovers:");
    stage.answers_errors("shop", "payments", false).await?;
    opens(stage).await?;
    stage
        .kubectl("apply -f checkout-v2.yaml", Success, &["configured"])
        .await?;
    stage
        .sluice(
            "release wait deployment/checkout -n shop --timeout 60s",
            Success,
            &["1/4", "2/4", "3/4", "4/4", "Succeeded"],
        )
        .await?;
    stage
        .kubectl("-n shop get releases.sluice.dev", Success, &["Succeeded"])
        .await?;
    Ok(())
}

async fn opens(stage: &Stage) -> anyhow::Result<()> {
    let access = stage.access();
    stage
        .until("the gate opens", Duration::from_secs(30), || async {
            let state = state(access).await?;
            Ok((state == "Open", state))
        })
        .await
}

async fn state(access: &crate::plane::Access) -> anyhow::Result<String> {
    let arguments = [
        "-n",
        "shop",
        "get",
        "gates.sluice.dev",
        "checkout",
        "-o",
        "jsonpath={.status.state}",
    ];
    access
        .kubectl(crate::User::Admin, arguments, None)
        .await?
        .ok()
}
