//! "Did you mean": the nearest of the words that would have been right.

/// The candidate that is a small number of edits away from `word`, the nearest first; none when nothing is near.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    near(word, candidates, (word.chars().count() / 3).clamp(1, 4))
}

/// The candidate that is at most `bound` edits away from `word`, the nearest first.
pub(crate) fn near<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    bound: usize,
) -> Option<&'a str> {
    // a name from a manifest may be any size; rule and parameter names are short
    if word.len() > 128 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, case-blind.
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y))
                .min(above + 1)
                .min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let words = [
            "cronjob-without-deadline",
            "cronjob-allows-overlap",
            "maxBackoffLimit",
        ];
        for (word, suggestion) in [
            ("cronjob-witout-deadline", Some("cronjob-without-deadline")),
            ("cronjob-allow-overlap", Some("cronjob-allows-overlap")),
            ("maxbackofflimit", Some("maxBackoffLimit")),
            ("quota", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), suggestion, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), words), None);
    }
}
