//! What the kernel says a process has used.

use std::time::Duration;

use anyhow::Context;

/// User and system time of a process, all its threads included, those that have ended too. It is counted in ticks of 10 ms: measure over seconds.
///
/// # Errors
/// When the process is gone.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    let after_name = stat.rsplit_once(')').context("an unreadable /proc stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields.get(11).context("no utime")?.parse::<u64>()?
        + fields.get(12).context("no stime")?.parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS:")
}

/// The most memory that was ever resident, in bytes.
///
/// # Errors
/// When the process is gone.
pub fn peak(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM:")
}

/// Makes [`peak`] count from now on.
///
/// # Errors
/// When the process is gone, or the kernel does not let us.
pub fn forget_peak(pid: u32) -> anyhow::Result<()> {
    // 5 sets the mark to what is resident now, see proc_pid_clear_refs(5)
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the peak cannot be reset")
}

fn status(pid: u32, field: &str) -> anyhow::Result<u64> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .with_context(|| format!("no {field}"))?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .with_context(|| format!("an unreadable {field}"))?
        .parse()?;
    Ok(kib * 1024)
}

/// Bytes as MB of a million bytes.
#[must_use]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
