//! The guide about policies, on a real cluster: every command of its section about the cluster, with the files that the sections before it write.

use std::path::Path;

use anyhow::{Context, ensure};
use sluice_e2e::{Plane, PlaneOptions, User, installation::Installation};

#[path = "../../../cli/tests/cli/guide/steps.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test cannot prepare fails the test"
)]
mod steps;

use steps::{Step, carry_out, sections};

const CLUSTER: &str = "In the cluster";

#[tokio::test]
async fn every_command_of_the_guide_that_needs_a_cluster_prints_what_the_guide_says()
-> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = walked(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn walked(plane: &Plane) -> anyhow::Result<()> {
    let sluice = Installation::install(plane, None).await?;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policies.md");
    let page = std::fs::read_to_string(page)?;
    let folder = plane.folder().join("guide");
    std::fs::create_dir_all(&folder)?;
    let programs = plane.folder().join("guide-programs");
    std::fs::create_dir_all(&programs)?;
    let kubectl = plane.kubectl_command(User::Admin);
    let kubectl = Path::new(kubectl.as_std().get_program()).to_owned();
    for program in [kubectl, sluice.sluice_path()] {
        let name = program
            .file_name()
            .context("a program has a name")?
            .to_owned();
        std::os::unix::fs::symlink(program, programs.join(name))?;
    }
    let kubeconfig = plane.kubeconfig(User::Admin);
    let home = plane.folder().join("home");
    let environment = [("KUBECONFIG", kubeconfig.as_path()), ("HOME", &home)];
    let (mut wrong, mut last, mut ran) = (Vec::new(), 0, 0);
    for (heading, steps) in sections(&page) {
        for step in &steps {
            let is_file = matches!(step, Step::File { .. });
            if heading != CLUSTER && !is_file {
                continue;
            }
            ran += usize::from(!is_file);
            // nothing else runs on this thread: the plane has one of its own
            let done = carry_out(step, &folder, &programs, &environment, &mut last);
            wrong.extend(done.err());
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(ran > 8, "only {ran} commands");
    Ok(())
}
