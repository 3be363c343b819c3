//! What one sample saw.

use std::fmt;

/// The result of one sample of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered as expected.
    Good {
        /// What was seen, in a few words.
        saw: String,
    },
    /// The target answered otherwise, or did not answer.
    Bad {
        /// What was seen, in a few words.
        saw: String,
    },
    /// The prober could not look, so the sample says nothing about the target.
    Blind {
        /// On whose account.
        why: Blindness,
        /// What went wrong, in a few words.
        saw: String,
    },
}

impl Outcome {
    /// What was seen.
    #[must_use]
    pub fn saw(&self) -> &str {
        match self {
            Self::Good { saw } | Self::Bad { saw } | Self::Blind { saw, .. } => saw,
        }
    }

    pub(crate) fn good(saw: impl Into<String>) -> Self {
        Self::Good { saw: saw.into() }
    }

    pub(crate) fn bad(saw: impl Into<String>) -> Self {
        Self::Bad { saw: saw.into() }
    }

    pub(crate) fn blind(why: Blindness, saw: impl Into<String>) -> Self {
        Self::Blind {
            why,
            saw: saw.into(),
        }
    }
}

/// Why a sample could not look. Also a metric label, hence a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blindness {
    /// The sample could not start before the next one was due, or the prober itself was too slow to judge a time limit.
    Late,
    /// The allow-list forbids the target.
    NotAllowed,
    /// A name could not be resolved.
    Resolve,
    /// The proxy could not be reached or refused to work.
    Proxy,
    /// This machine had no socket, port, route or trust anchor to offer.
    Local,
    /// Prometheus could not be reached, refused the query or gave an answer of no use.
    Source,
    /// The query has no data.
    NoData,
    /// A value is NaN or infinite: a quotient without a divisor proves nothing.
    NotANumber,
    /// The query needs the hash of a version that there is not.
    NoHash,
    /// The run cannot work as it is written.
    Misconfigured,
    /// The sample ended in a defect of the prober.
    Broken,
}

impl Blindness {
    /// Every reason, for metrics that start at zero.
    pub const ALL: [Self; 11] = [
        Self::Late,
        Self::NotAllowed,
        Self::Resolve,
        Self::Proxy,
        Self::Local,
        Self::Source,
        Self::NoData,
        Self::NotANumber,
        Self::NoHash,
        Self::Misconfigured,
        Self::Broken,
    ];

    /// The word as it stands in metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "Late",
            Self::NotAllowed => "NotAllowed",
            Self::Resolve => "Resolve",
            Self::Proxy => "Proxy",
            Self::Local => "Local",
            Self::Source => "Source",
            Self::NoData => "NoData",
            Self::NotANumber => "NotANumber",
            Self::NoHash => "NoHash",
            Self::Misconfigured => "Misconfigured",
            Self::Broken => "Broken",
        }
    }
}

impl fmt::Display for Blindness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest text one target contributes to a message, in bytes.
const LONGEST: usize = 400;

/// `text` in one line of bounded length, without control characters: what a target sends ends up in logs, statuses and terminals.
pub(crate) fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST + 4));
    for c in text.chars() {
        if line.len() + c.len_utf8() > LONGEST {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// `error` and its sources in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        // several libraries repeat their source in their own text
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    plain(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_target_is_one_bounded_line_without_control_characters() {
        assert_eq!(plain("a\nb\x1b[31mc\t"), "a b [31mc ");
        let long = plain(&"ä".repeat(10_000));
        assert!(long.len() <= LONGEST + 3 && long.ends_with('…'));
    }
}
