//! What kubectl prints of Sluice's answers, taken apart.

use anyhow::Context;
use sluice_e2e::plane::Output;

/// How kubectl begins to tell that a webhook refused.
const REFUSED: &str = " denied the request: ";

/// The message of the webhook that refused, to the byte; `None` when no webhook did.
pub fn refusal(output: &Output) -> Option<&str> {
    let (_, message) = output.stderr.split_once(REFUSED)?;
    Some(message.strip_suffix('\n').unwrap_or(message))
}

/// The warnings, each as it was before it was cut into lines that the API server passes on whole.
pub fn warnings(output: &Output) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for line in output.stderr.lines() {
        let Some(line) = line.strip_prefix("Warning: ") else {
            continue;
        };
        match (told.last_mut(), line.split_once(" … ")) {
            (Some(last), Some((code, rest))) if last.starts_with(&format!("{code} ")) => {
                last.push(' ');
                last.push_str(rest);
            }
            _ => told.push(line.to_owned()),
        }
    }
    told
}

/// The numbered lines of a refusal, without their numbers.
pub fn lines(refusal: &str) -> Vec<&str> {
    refusal
        .lines()
        .filter_map(|line| {
            let (number, finding) = line.strip_prefix("  ")?.split_once(". ")?;
            number.parse::<u32>().ok().map(|_| finding)
        })
        .collect()
}

/// The refusal, where there must be one.
pub fn refused(output: &Output) -> anyhow::Result<&str> {
    refusal(output).with_context(|| format!("no webhook refused: {output:?}"))
}
