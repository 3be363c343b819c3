//! The placeholders of a PromQL query. Pure.

/// What a query has to look like when a placeholder is wrong.
pub const PASSES: &str = "{{canaryHash}} or {{stableHash}}";

/// Why a query cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A placeholder that nobody fills.
    #[error("unknown placeholder {{{{{0}}}}}")]
    UnknownPlaceholder(String),
    /// `{{` without `}}`.
    #[error("placeholder without an end at `{0}`")]
    Unclosed(String),
    /// The hash is not there: no release is on, or there is no stable version.
    #[error("there is no {0} version now, and the query needs its hash")]
    NoHash(&'static str),
    /// A hash that would change the meaning of the query.
    #[error("`{0}` is not a pod-template-hash")]
    BadHash(String),
}

/// What stands in a query between its placeholders.
enum Part<'a> {
    Text(&'a str),
    Canary,
    Stable,
}

fn parts(query: &str) -> Result<Vec<Part<'_>>, QueryError> {
    let mut parts = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find("{{") {
        let (text, placeholder) = rest.split_at(start);
        parts.push(Part::Text(text));
        let end = placeholder
            .find("}}")
            .ok_or_else(|| QueryError::Unclosed(placeholder.chars().take(40).collect()))?;
        let name = placeholder[2..end].trim();
        parts.push(match name {
            "canaryHash" => Part::Canary,
            "stableHash" => Part::Stable,
            other => {
                return Err(QueryError::UnknownPlaceholder(
                    other.chars().take(40).collect(),
                ));
            }
        });
        rest = &placeholder[end + 2..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// Whether every placeholder of `query` is known.
///
/// # Errors
/// [`QueryError::UnknownPlaceholder`] and [`QueryError::Unclosed`].
pub fn check(query: &str) -> Result<(), QueryError> {
    parts(query).map(drop)
}

/// `query` with the hashes in place.
///
/// # Errors
/// All of [`QueryError`]: a hash that is needed and absent is an error, never an empty string, which would select other pods.
pub fn fill(
    query: &str,
    canary_hash: Option<&str>,
    stable_hash: Option<&str>,
) -> Result<String, QueryError> {
    let mut filled = String::with_capacity(query.len());
    for part in parts(query)? {
        filled.push_str(match part {
            Part::Text(text) => text,
            Part::Canary => hash("canary", canary_hash)?,
            Part::Stable => hash("stable", stable_hash)?,
        });
    }
    Ok(filled)
}

fn hash<'a>(version: &'static str, hash: Option<&'a str>) -> Result<&'a str, QueryError> {
    let hash = hash
        .filter(|hash| !hash.is_empty())
        .ok_or(QueryError::NoHash(version))?;
    if hash.len() <= 63 && hash.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(hash)
    } else {
        Err(QueryError::BadHash(crate::outcome::plain(hash)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_both_hashes_and_leaves_promql_alone() {
        let query = r#"rate(e{hash="{{canaryHash}}",a=~"x{2}"}[1m]) / rate(e{hash="{{ stableHash }}"}[1m])"#;
        assert_eq!(
            fill(query, Some("abc1"), Some("def2")).unwrap(),
            r#"rate(e{hash="abc1",a=~"x{2}"}[1m]) / rate(e{hash="def2"}[1m])"#
        );
    }

    #[test]
    fn refuses_what_it_cannot_fill() {
        for (query, canary, stable, error) in [
            (
                "{{canaryHash}}",
                None,
                Some("a"),
                QueryError::NoHash("canary"),
            ),
            (
                "{{canaryHash}}",
                Some(""),
                None,
                QueryError::NoHash("canary"),
            ),
            (
                "{{stableHash}}",
                Some("a"),
                None,
                QueryError::NoHash("stable"),
            ),
            (
                "{{hash}}",
                Some("a"),
                None,
                QueryError::UnknownPlaceholder("hash".into()),
            ),
            (
                "a{b=\"{{canaryHash}\"}",
                Some("a"),
                None,
                QueryError::Unclosed("{{canaryHash}\"}".into()),
            ),
            (
                "{{canaryHash}}",
                Some("a\"}"),
                None,
                QueryError::BadHash("a\"}".into()),
            ),
        ] {
            assert_eq!(fill(query, canary, stable), Err(error), "{query}");
        }
        assert_eq!(fill("up == 1", None, None).unwrap(), "up == 1");
    }
}
