//! `sluice release wait` and `watch`: follows a release until it ends, one line per change.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use jiff::Zoned;
use kube::Client;
use serde::Serialize;
use sluice_api::ReleasePhase;

use super::{progress::Progress, read};
use crate::{
    console::{self, Style, Tone},
    outcome::Outcome,
    output::Format,
    workload::Named,
};

const LOOK: Duration = Duration::from_millis(500);
/// How long an API that does not answer is put up with before each next try.
const RETRY: Duration = Duration::from_secs(2);

/// How waiting ended. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
struct Ended {
    release: Option<String>,
    phase: Option<ReleasePhase>,
    message: String,
    #[serde(rename = "timedOut")]
    timed_out: bool,
}

/// Waits until the release ends or the time is over.
///
/// # Errors
/// When what was named does not exist or may not be read. An API server that does not answer for a while is waited for.
pub async fn wait(
    client: &Client,
    namespace: &str,
    named: &Named,
    timeout: Option<Duration>,
    format: Format,
) -> anyhow::Result<Outcome> {
    let style = Style {
        terminal: std::io::stdout().is_terminal() && Style::of_stdout().terminal,
    };
    let began = Instant::now();
    let mut told = Told::default();
    let (progress, timed_out) = loop {
        let progress = match read::find(client, namespace, named).await {
            Ok(found) => found.progress(),
            Err(error) if passes_by(&error) => {
                told.say(
                    &format!(
                        "the API server does not answer, trying again: {}",
                        console::chain(&error)
                    ),
                    format,
                    style,
                    Tone::Doubtful,
                )?;
                if timeout.is_some_and(|timeout| began.elapsed() + RETRY > timeout) {
                    return Err(error.context("timed out"));
                }
                tokio::time::sleep(RETRY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        told.tell(&progress, format, style)?;
        if progress.outcome.is_some() {
            break (progress, false);
        }
        if timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
            break (progress, true);
        }
        tokio::time::sleep(LOOK).await;
    };
    let outcome = progress.outcome.unwrap_or(Outcome::CannotTell);
    if timed_out {
        told.say(
            &format!(
                "timed out after {}; the release goes on without being waited for",
                span(began.elapsed())
            ),
            format,
            style,
            Tone::Doubtful,
        )?;
    }
    let ended = Ended {
        release: progress.release,
        phase: progress.phase,
        message: progress.now,
        timed_out,
    };
    console::print(&format.show(&ended, String::new)?)?;
    Ok(outcome)
}

fn span(time: Duration) -> String {
    sluice_api::Duration::from_secs(time.as_secs()).to_string()
}

/// Whether an error may pass by itself: no answer, or an answer that says to come again.
pub(super) fn passes_by(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<kube::Error>())
        .any(|error| match error {
            kube::Error::Api(status) => status.code == 429 || status.code >= 500,
            kube::Error::HyperError(_) | kube::Error::Service(_) => true,
            _ => false,
        })
}

/// What was printed already.
#[derive(Default)]
struct Told {
    release: Option<String>,
    happened: usize,
    now: String,
}

impl Told {
    fn tell(&mut self, progress: &Progress, format: Format, style: Style) -> anyhow::Result<()> {
        if progress.release != self.release {
            if let Some(release) = &progress.release {
                self.line(&format!("release {release}"), format, style, Tone::Strong)?;
            }
            self.release.clone_from(&progress.release);
            self.happened = 0;
        }
        for line in progress.happened.iter().skip(self.happened) {
            self.line(line, format, style, Tone::Quiet)?;
        }
        self.happened = self.happened.max(progress.happened.len());
        let tone = match progress.outcome {
            None => Tone::Doubtful,
            Some(Outcome::Yes) => Tone::Good,
            Some(_) => Tone::Bad,
        };
        self.say(&progress.now, format, style, tone)
    }

    fn say(&mut self, now: &str, format: Format, style: Style, tone: Tone) -> anyhow::Result<()> {
        if now != self.now {
            now.clone_into(&mut self.now);
            self.line(now, format, style, tone)?;
        }
        Ok(())
    }

    /// Programs get one document at the end; what happens on the way goes to people only.
    fn line(&self, text: &str, format: Format, style: Style, tone: Tone) -> anyhow::Result<()> {
        let time = Zoned::now().strftime("%H:%M:%S").to_string();
        let line = format!(
            "{} {}\n",
            style.paint(Tone::Quiet, &time),
            style.paint(tone, text)
        );
        match format {
            Format::Text => console::print(&line)?,
            Format::Json | Format::Yaml => eprint!("{line}"),
        }
        Ok(())
    }
}
