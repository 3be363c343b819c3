//! What was measured, next to its bar: as a table for a terminal and as a page.

use std::fmt::Write as _;

/// One measured value.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub what: String,
    /// What was measured.
    pub measured: String,
    /// The bar in words and whether it was kept; `None` for a value that is told for understanding.
    pub bar: Option<(String, bool)>,
}

impl Row {
    /// A value that must be at most `bar`.
    #[must_use]
    pub fn at_most(what: &str, measured: f64, bar: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            measured: format!("{} {unit}", figure(measured)),
            bar: Some((format!("≤ {bar} {unit}"), measured <= bar)),
        }
    }

    /// A value that must be at least `bar`.
    #[must_use]
    pub fn at_least(what: &str, measured: f64, bar: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            measured: format!("{} {unit}", figure(measured)),
            bar: Some((format!("≥ {bar} {unit}"), measured >= bar)),
        }
    }

    /// A value without a bar.
    #[must_use]
    pub fn told(what: &str, measured: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            measured: measured.into(),
            bar: None,
        }
    }

    const fn verdict(&self) -> &'static str {
        match self.bar {
            Some((_, true)) => "ok",
            Some((_, false)) => "missed",
            None => "",
        }
    }

    fn bar_text(&self) -> &str {
        self.bar.as_ref().map_or("", |(text, _)| text)
    }
}

/// Values that were measured in one way.
#[derive(Clone, Debug)]
pub struct Section {
    /// What they are about.
    pub title: &'static str,
    /// How they were measured.
    pub how: String,
    /// The values.
    pub rows: Vec<Row>,
}

/// Everything of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where and when it ran.
    pub machine: String,
    /// What was measured.
    pub sections: Vec<Section>,
}

impl Report {
    /// How many bars were missed.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.rows().filter(|row| row.verdict() == "missed").count()
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(|section| &section.rows)
    }

    /// For a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let width = |of: fn(&Row) -> &str| {
            self.rows()
                .map(|row| of(row).chars().count())
                // a long one stands out of its column instead of making it wide for all
                .filter(|length| *length <= 48)
                .max()
                .unwrap_or(0)
        };
        let (what, measured, bar) = (
            width(|row| &row.what),
            width(|row| &row.measured),
            width(Row::bar_text),
        );
        let mut text = format!("{}\n", self.machine);
        for section in &self.sections {
            let _ = writeln!(text, "\n{}", section.title);
            for row in &section.rows {
                let line = format!(
                    "  {:<what$}  {:>measured$}  {:<bar$}  {}",
                    row.what,
                    row.measured,
                    row.bar_text(),
                    row.verdict()
                );
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
        let bars = self.rows().filter(|row| row.bar.is_some()).count();
        let _ = writeln!(
            text,
            "\n{} of {bars} bars kept, {} missed",
            bars - self.missed(),
            self.missed()
        );
        text
    }

    /// As a page of the documentation, under `head`.
    #[must_use]
    pub fn page(&self, head: &str) -> String {
        let mut text = format!("{head}\n\n{}\n", self.machine);
        for section in &self.sections {
            let _ = writeln!(text, "\n## {}\n\n{}\n", section.title, section.how);
            text.push_str("| | measured | bar | |\n|---|---:|---|---|\n");
            for row in &section.rows {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} |",
                    row.what,
                    row.measured,
                    row.bar_text(),
                    row.verdict()
                );
            }
        }
        text
    }
}

/// Three significant digits, as far as they mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The value below which `percent` of the sorted values lie (nearest rank).
#[must_use]
pub fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The middle one of the values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    percentile(&values, 50.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=300).map(f64::from).collect();
        assert_eq!(percentile(&values, 99.0), 297.0);
        assert_eq!(percentile(&values, 100.0), 300.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(percentile(&[], 99.0).is_nan());
    }

    #[test]
    fn a_missed_bar_is_said_and_counted() {
        let report = Report {
            machine: "here".into(),
            sections: vec![Section {
                title: "t",
                how: "h".into(),
                rows: vec![
                    Row::at_most("a", 1.0, 2.0, "ms"),
                    Row::at_least("b", 1.0, 2.0, "%"),
                    // what could not be measured is never within its bar
                    Row::at_most("c", f64::NAN, 2.0, "ms"),
                    Row::told("d", "7"),
                ],
            }],
        };
        assert_eq!(report.missed(), 2);
        assert!(report.table().contains("1 of 3 bars kept, 2 missed"));
        assert!(
            report
                .page("# Numbers")
                .contains("| b | 1.00 % | ≥ 2 % | missed |")
        );
    }
}
