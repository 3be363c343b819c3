//! How long a bad verdict waits for the decision, and the decision for the rollback. Printed; the bars are measured by the benchmark on a quiet machine,
//! here only what no busy machine explains is a failure.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use jiff::Timestamp;
use sluice_e2e::scenario::Shop;

use crate::rollback::{on_installed, writes_to_checkout};

const SHOPS: u32 = 4;
const RELEASES: u32 = 8;
const GENEROUS: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_failing_verdict_leads_to_the_rollback_at_once() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let plane = &installed.plane;
        let mark = plane.audit().mark()?;
        let shops = (0..SHOPS).map(|_| async {
            let shop = Shop::new(plane, "latency", 3).await?;
            shop.open("v0", &["1", "50%"], "1s").await?;
            for number in 1..=RELEASES {
                shop.apply(&shop.checkout(&format!("v{number}--errors-100")))
                    .await?;
                shop.recorded(number as usize).await?;
                shop.release_in("RolledBack").await?;
            }
            anyhow::Ok((shop.namespace.clone(), shop.releases().await?))
        });
        let (mut decided, mut written) = (Vec::new(), Vec::new());
        let shops = try_join_all(shops).await?;
        let log = plane.audit().since(mark)?;
        for (namespace, releases) in shops {
            let writes = writes_to_checkout(log.clone(), &namespace);
            for release in releases {
                let moment = |name: &str| -> anyhow::Result<Timestamp> {
                    let text = release["status"]["timeline"][name].as_str();
                    Ok(text
                        .with_context(|| format!("no {name} in {}", release["status"]["timeline"]))?
                        .parse()?)
                };
                let (detection, decision) = (moment("detected")?, moment("decided")?);
                let rollback = writes
                    .iter()
                    .find(|write| write.received >= decision)
                    .context("no rollback in the audit log")?;
                decided.push(decision.as_millisecond() - detection.as_millisecond());
                written.push(rollback.finished.as_millisecond() - detection.as_millisecond());
            }
        }
        for (what, times) in [
            ("decided", &mut decided),
            ("rollback written", &mut written),
        ] {
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
            println!(
                "detected to {what}, {} aborted releases: p50 {} ms, p99 {} ms, most {} ms",
                times.len(),
                at(50),
                at(99),
                at(100)
            );
            ensure!(
                i128::from(at(50)) < i128::try_from(GENEROUS.as_millis())?,
                "half of them took {} ms or more",
                at(50)
            );
        }
        Ok(())
    })
    .await
}
