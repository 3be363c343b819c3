//! What the demo measured.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::Value;

/// The figures of the bad release.
#[derive(Debug, Default)]
pub struct Summary {
    /// Pods that ever ran the bad version, and of how many.
    pub exposure: Option<(usize, usize)>,
    /// Seconds from the first bad sample to each later moment.
    pub clock: Vec<(&'static str, f64)>,
}

impl Summary {
    /// Reads the clock of a Release's timeline.
    ///
    /// # Errors
    /// When a moment that the story needs is missing or unreadable.
    pub fn read(&mut self, release: &Value) -> anyhow::Result<()> {
        let at = |name: &str| -> anyhow::Result<Timestamp> {
            let text = release["status"]["timeline"][name]
                .as_str()
                .with_context(|| format!("the release has no `{name}` in its timeline"))?;
            text.parse().with_context(|| format!("`{name}` is {text}"))
        };
        let occurred = at("occurred")?;
        self.clock.clear();
        for (name, label) in [
            ("detected", "verdict"),
            ("decided", "abort decision stored"),
            ("rolledBack", "rolled back"),
            ("verified", "rollback verified"),
        ] {
            self.clock
                .push((label, (at(name)? - occurred).total(jiff::Unit::Second)?));
        }
        Ok(())
    }

    /// The summary as it is printed last.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from("\nSummary of the bad release (v3)\n");
        if let Some((bad, all)) = self.exposure {
            text.push_str(&format!("   exposure: {bad} pod of {all} ever ran it\n"));
        }
        for (label, seconds) in &self.clock {
            text.push_str(&format!("   first bad sample to {label}: {seconds:.2} s\n"));
        }
        text
    }
}
