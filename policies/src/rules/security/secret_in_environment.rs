//! A secret that everybody can read who can read the manifest.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{
        Case, Category, Parameter, RawFinding, Report, Rule, RuleInfo, TextForm, TextsParameter,
    },
    view::{Kind, Read, lookup},
};

static NAMES: TextsParameter = TextsParameter {
    name: "names",
    default: &[
        "access_key",
        "account_key",
        "api_key",
        "apikey",
        "auth_key",
        "client_key",
        "credential",
        "credentials",
        "encryption_key",
        "license_key",
        "master_key",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "pwd",
        "secret",
        "secret_key",
        "session_key",
        "signing_key",
        "token",
        "webhook_key",
    ],
    least: 1,
    most: 100,
    form: TextForm {
        passes: "words in small letters with _ between them, such as api_key",
        holds: |text| {
            text.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        },
    },
    meaning: "the words at the end of a variable's name that say its value is a secret",
};

pub(in crate::rules) const NAME: &str = "secret-in-environment";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6011",
    name: NAME,
    title: "a secret stands in the manifest for everybody to read",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[Parameter::Texts(&NAMES)],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].env"),
        Read::pod("initContainers[*].env"),
    ],
    document: include_str!("secret_in_environment.md"),
};

/// Those words that are clear without a separator before them: `PGPASSWORD`.
const CLEAR: [&str; 4] = ["password", "passwd", "passphrase", "apikey"];

struct SecretInEnvironment;

pub(in crate::rules) const RULE: &dyn Rule = &SecretInEnvironment;

impl Rule for SecretInEnvironment {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let names = case.texts(&NAMES);
        for container in case.view.containers() {
            let variables = container.get("env").and_then(Value::as_array);
            for (index, variable) in variables.into_iter().flatten().enumerate() {
                let name = lookup(variable, "name")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let Some(value) = lookup(variable, "value").and_then(Value::as_str) else {
                    continue;
                };
                let Some(what) = secret(name, value, &names) else {
                    continue;
                };
                let path = format!("env[{index}].value");
                let found = format!("{what} (not shown) in {}", shown(name));
                let finding = RawFinding::of_container(
                    case.view,
                    &container,
                    &path,
                    &found,
                    "valueFrom.secretKeyRef, or a file of a mounted Secret",
                );
                // a variable is known by its name, wherever it stands
                report.add(finding.known_as(&path, &format!("env[{name}].value")));
            }
        }
    }
}

/// What makes the variable a secret; the value itself is never told.
fn secret(name: &str, value: &str, names: &[&str]) -> Option<&'static str> {
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if password_in_url(value) {
        return Some("a URL with a password");
    }
    // a name of another variable, a switch, or nothing is no secret
    let reference =
        value.starts_with("$(") && value.ends_with(')') && value.matches("$(").count() == 1;
    if value.trim().is_empty() || reference || matches!(value, "true" | "false") {
        return None;
    }
    named_secret(name, names).then_some("a plain value")
}

/// Whether the name ends in a word for a secret: `DB_PASSWORD` and `githubToken`, but neither `TOKEN_URL` nor `SECRET_NAME`.
fn named_secret(name: &str, secrets: &[&str]) -> bool {
    let name = words(name);
    let ends = |word: &str| {
        name.strip_suffix(word)
            .is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    secrets
        .iter()
        .any(|word| ends(word) || (CLEAR.contains(word) && name.ends_with(word)))
}

/// In lower case, with `_` between the words; camel case is taken apart.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut lower_before = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower_before {
            words.push('_');
        }
        lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        words.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        });
    }
    words
}

/// `scheme://user:password@host`, where the password is no reference to another variable.
fn password_in_url(value: &str) -> bool {
    value.match_indices("://").any(|(at, separator)| {
        let rest = &value[at + separator.len()..];
        let authority = rest
            .split(['/', '?', '#', ' ', '\n', '"', '\''])
            .next()
            .unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else {
            return false;
        };
        user.split_once(':').is_some_and(|(_, password)| {
            let reference = password.starts_with("$(") && password.ends_with(')');
            !password.is_empty() && !reference
        })
    })
}

/// The name of a variable for a message.
fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_name_or_by_shape() {
        for (name, value, expected) in [
            ("DB_PASSWORD", "hunter2", Some("a plain value")),
            ("PGPASSWORD", "hunter2", Some("a plain value")),
            ("githubToken", "ghp_x", Some("a plain value")),
            ("AWS_SECRET_ACCESS_KEY", "x", Some("a plain value")),
            ("api-key", "x", Some("a plain value")),
            ("PASSWORD", "1234", Some("a plain value")),
            ("password", "$(A)$(B)", Some("a plain value")),
            ("DB_PASSWORD", "$(SHARED_PASSWORD)", None),
            ("DB_PASSWORD", "", None),
            ("DB_PASSWORD_FILE", "/run/secrets/db", None),
            ("SECRET_NAME", "checkout", None),
            ("TOKEN_URL", "https://login.example.org/token", None),
            ("TOKEN_TTL", "300", None),
            ("REQUIRE_PASSWORD", "true", None),
            ("SORT_KEY", "name", None),
            ("MONKEY", "x", None),
            ("BROKEN", "x", None),
            (
                "DATABASE_URL",
                "postgres://app:hunter2@db.shop.svc:5432/app",
                Some("a URL with a password"),
            ),
            ("DATABASE_URL", "postgres://app:$(DB_PASSWORD)@db/app", None),
            ("DATABASE_URL", "postgres://app@db.shop.svc/app", None),
            ("PROXY", "http://proxy:3128/?to=a:b@c", None),
            (
                "TLS",
                "-----BEGIN EC PRIVATE KEY-----\nx",
                Some("a private key"),
            ),
            ("CA", "-----BEGIN CERTIFICATE-----\nx", None),
            ("", "", None),
            ("ä", "ö://ü:ß@é", Some("a URL with a password")),
        ] {
            assert_eq!(
                secret(name, value, NAMES.default),
                expected,
                "{name}={value}"
            );
        }
    }
}
