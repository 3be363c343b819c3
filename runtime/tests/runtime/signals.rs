//! Signals to a real process: the first drains, the second exits at once.
//!
//! The process is this test program itself, running the ignored test [`child`].

use std::{
    convert::Infallible,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sluice_runtime::drain::{SECOND_SIGNAL_CODE, Signals, Tasks};
use tokio_util::sync::CancellationToken;

const MODE: &str = "SLUICE_TEST_CHILD";

#[test]
#[ignore = "the child of the other tests"]
fn child() {
    let Ok(mode) = std::env::var(MODE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let mut tasks = Tasks::new(CancellationToken::new());
        let drain = tasks.drain();
        tasks.spawn("work", async move {
            drain.cancelled().await;
            println!("draining");
            if mode == "deaf" {
                std::future::pending::<()>().await;
            }
            Ok::<(), Infallible>(())
        });
        let signals = Signals::install().unwrap();
        println!("ready");
        tasks.run(signals, Duration::from_secs(60)).await
    });
    ended.unwrap();
}

struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "signals::child", "--ignored", "--nocapture"])
            .env(MODE, mode)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Self { child, lines };
        process.says("ready");
        process
    }

    fn says(&mut self, text: &str) {
        let said = self
            .lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| line.ends_with(text));
        assert!(said, "the child never said {text}");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // ended already in a test that passed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_signal_drains() {
    for signal in ["TERM", "INT"] {
        let mut process = Process::start("follows");
        process.signal(signal);
        process.says("draining");
        assert_eq!(process.code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn the_second_signal_exits_at_once() {
    for (first, second) in [("TERM", "TERM"), ("TERM", "INT"), ("INT", "INT")] {
        let mut process = Process::start("deaf");
        process.signal(first);
        process.says("draining");
        let begun = Instant::now();
        process.signal(second);
        assert_eq!(process.code(), Some(SECOND_SIGNAL_CODE), "{first} {second}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
