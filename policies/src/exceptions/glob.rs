//! Names with `*` for any text and `?` for one character. No other sign is special.

/// Whether `text` fits `pattern`. Time grows with the product of both lengths at most, and both are names.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // where the last star stands and how far its text reached
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(sign) if *sign == '?' || *sign == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, reached)) => {
                    star = Some((at, reached + 1));
                    p = at + 1;
                    t = reached + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_fit_what_they_stand_for() {
        for (pattern, text, expected) in [
            ("reports", "reports", true),
            ("reports", "report", false),
            ("report", "reports", false),
            ("*", "", true),
            ("*", "anything", true),
            ("re*", "reports", true),
            ("*ts", "reports", true),
            ("r*o*s", "reports", true),
            ("r*x*s", "reports", false),
            ("report?", "reports", true),
            ("report?", "report", false),
            ("?", "", false),
            ("**", "a", true),
            ("a*b*c", "abcbc", true),
            ("", "", true),
            ("", "a", false),
            ("[a-z]", "b", false),
            ("ü*", "über", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_stars_takes_no_time() {
        let pattern = format!("{}b", "*a".repeat(126));
        let began = std::time::Instant::now();
        assert!(!fits(&pattern, &"a".repeat(253)));
        assert!(began.elapsed().as_millis() < 1000);
    }
}
