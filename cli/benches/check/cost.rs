//! What running a program costs, as the kernel accounts it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What the runs of one command cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// From start to end, in ascending order.
    pub walls: Vec<Duration>,
    /// User and system time of one run, the mean.
    pub cpu: Duration,
    /// The most that was resident in any run, in bytes.
    pub memory: u64,
}

impl Cost {
    /// The median from start to end.
    pub fn wall(&self) -> Duration {
        self.walls[self.walls.len() / 2]
    }

    /// The shortest run: what other work on the machine disturbed least.
    pub fn best(&self) -> Duration {
        self.walls[0]
    }
}

/// Runs a command so many times, after one run that warms the file system. `accepted` says which exit codes mean that the work was done.
pub fn measure(command: &mut Command, runs: usize, accepted: &[i32]) -> Cost {
    once(command, accepted);
    let before = of_children();
    let mut walls = Vec::with_capacity(runs);
    let mut memory = 0;
    for _ in 0..runs {
        let (wall, most) = once(command, accepted);
        walls.push(wall);
        memory = memory.max(most);
    }
    let cpu = of_children().saturating_sub(before) / u32::try_from(runs).expect("few runs");
    walls.sort();
    Cost { walls, cpu, memory }
}

/// What a command prints.
pub fn output(command: &mut Command, accepted: &[i32]) -> Output {
    let output = command.output().expect("the program starts");
    assert!(
        output
            .status
            .code()
            .is_some_and(|code| accepted.contains(&code)),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn once(command: &mut Command, accepted: &[i32]) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // looking costs the program little, since it has the other core; the mark only ever rises
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut memory = 0;
    loop {
        if let Ok(text) = fs::read_to_string(&status) {
            memory = high_water(&text).unwrap_or(memory);
        }
        if let Some(ended) = child.try_wait().expect("the program can be waited for") {
            let code = ended.code().expect("not ended by a signal");
            assert!(accepted.contains(&code), "{command:?}: {ended}");
            return (began.elapsed(), memory);
        }
        thread::sleep(Duration::from_micros(200));
    }
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// User and system time of all children that have ended. Counted in ticks of 10 ms of their sum: measure over many runs.
fn of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(13)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}
