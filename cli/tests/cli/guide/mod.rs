//! The guide about policies: every command of it that needs no cluster, and what it prints. The rest runs against a real one in `e2e`.

pub mod steps;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::folder::Folder;
use steps::{carry_out, sections};

/// The section that needs a cluster.
const CLUSTER: &str = "In the cluster";
/// The end of the exception in the guide; the test puts one in its place that is as far away as the guide's was when it was written.
const EXPIRES: &str = "2027-01-15T00:00:00Z";

#[test]
fn every_command_of_the_guide_prints_what_the_guide_says() {
    let page = include_str!("../../../../docs/policies.md");
    let expires = Timestamp::from_second(Timestamp::now().as_second()).unwrap()
        + SignedDuration::from_hours(24 * 30);
    assert!(page.contains(EXPIRES));
    let page = page.replace(EXPIRES, &expires.to_string());
    let folder = Folder::new("guide");
    let programs = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap();
    let nowhere = [("KUBECONFIG", Path::new("/nonexistent"))];
    let (mut wrong, mut last, mut ran) = (Vec::new(), 0, 0);
    for (heading, steps) in sections(&page) {
        if heading == CLUSTER {
            continue;
        }
        for step in &steps {
            ran += 1;
            if let Err(why) = carry_out(step, &folder.path("."), programs, &nowhere, &mut last) {
                wrong.push(format!("## {heading}\n{why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran > 15, "only {ran} steps");
}
