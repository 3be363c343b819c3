//! A Deployment whose pods cannot fit its namespace's quota, surge included, is refused with the arithmetic.

use crate::demo::stage::{
    Expect::{Refusal, Success},
    Stage,
};

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step(
        "Pods that cannot fit the quota, surge included: refused up front, not stuck halfway",
    );
    stage
        .kubectl("apply -f quota.yaml", Success, &["created"])
        .await?;
    let access = stage.access();
    stage
        .until(
            "the quota is known",
            std::time::Duration::from_secs(10),
            || async {
                let quota = access.kubectl(
                    crate::User::Admin,
                    [
                        "-n",
                        "warehouse",
                        "get",
                        "resourcequota",
                        "compute",
                        "-o",
                        "jsonpath={.status.hard}",
                    ],
                    None,
                );
                let quota = quota.await?.ok()?;
                Ok((quota.contains("requests.cpu"), quota))
            },
        )
        .await?;
    stage
        .kubectl(
            "apply -f picker.yaml",
            Refusal,
            &["denied the request", "quota-breach", "requests.cpu", "7"],
        )
        .await?;
    Ok(())
}
