//! Whether this machine can run a real node. `cluster/preflight.sh` tries it; nothing is guessed from names and versions.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

/// The recipe `name` below `e2e/cluster/`.
pub(super) fn recipe(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cluster")
        .join(name)
}

/// Why not, one reason each; empty when it can. With `nft` the kernel's nftables are tried too.
///
/// # Errors
/// When the question cannot be asked.
pub fn reasons(nft: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let script = recipe("preflight.sh");
    let output = Command::new(&script)
        .args(nft)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let reasons: Vec<String> = said.lines().map(str::to_owned).collect();
    if output.status.success() != reasons.is_empty() {
        bail!(
            "{} ended with {} and said: {said}{}",
            script.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(reasons)
}

/// Nothing, where a real node can run.
///
/// # Errors
/// The reasons, one a line.
pub fn require(nft: Option<&Path>) -> anyhow::Result<()> {
    let reasons = reasons(nft)?;
    if !reasons.is_empty() {
        bail!(
            "this machine cannot run a real node:\n{}",
            reasons.join("\n")
        );
    }
    Ok(())
}
