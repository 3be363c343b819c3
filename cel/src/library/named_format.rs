//! Named formats: the checks of names that Kubernetes has.

use super::{Gives, Overload, Takes, global, member, time};
use crate::{
    eval::{Raised, Scope},
    library::url::Url,
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

/// A named format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedFormat {
    Dns1123Label,
    Dns1123LabelPrefix,
    Dns1123Subdomain,
    Dns1123SubdomainPrefix,
    Dns1035Label,
    Dns1035LabelPrefix,
    QualifiedName,
    LabelValue,
    Uri,
    Uuid,
    Byte,
    Date,
    Datetime,
}

macro_rules! constants {
    ($($name:literal => $format:ident),* $(,)?) => {
        const NAMES: &[(&str, NamedFormat)] = &[$(($name, NamedFormat::$format)),*];

        pub(super) const TABLE: &[Overload] = &[
            $(
                global(concat!("format.", $name), &[], Takes::Format, 31, |_, _| {
                    Ok(Value::Format(NamedFormat::$format))
                }),
            )*
            global("format.named", &[Takes::String], Takes::Optional, 31, named)
                .giving(Gives::OptionalFormat),
            member("validate", &[Takes::Format, Takes::String], Takes::Optional, 31, validate)
                .giving(Gives::OptionalStrings),
        ];
    };
}

constants! {
    "dns1123Label" => Dns1123Label,
    "dns1123LabelPrefix" => Dns1123LabelPrefix,
    "dns1123Subdomain" => Dns1123Subdomain,
    "dns1123SubdomainPrefix" => Dns1123SubdomainPrefix,
    "dns1035Label" => Dns1035Label,
    "dns1035LabelPrefix" => Dns1035LabelPrefix,
    "qualifiedName" => QualifiedName,
    "labelValue" => LabelValue,
    "uri" => Uri,
    "uuid" => Uuid,
    "byte" => Byte,
    "date" => Date,
    "datetime" => Datetime,
}

impl NamedFormat {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, format)| *format == self)
            .map_or("", |(name, _)| name)
    }

    /// What is wrong with a text; `None` when nothing is.
    fn problem(self, text: &str) -> Option<String> {
        // a prefix may end where more is to come
        let prefix = |text: &str| match text.strip_suffix('-') {
            Some(before) => format!("{before}a"),
            None => text.to_owned(),
        };
        match self {
            Self::Dns1123Label => label(text),
            Self::Dns1123LabelPrefix => label(&prefix(text)),
            Self::Dns1123Subdomain => subdomain(text),
            Self::Dns1123SubdomainPrefix => subdomain(&prefix(text)),
            Self::Dns1035Label => older_label(text),
            Self::Dns1035LabelPrefix => older_label(&prefix(text)),
            Self::QualifiedName => qualified_name(text),
            Self::LabelValue => label_value(text),
            Self::Uri => Url::parse(text)
                .is_none()
                .then(|| format!("parse {text:?}: invalid URI for request")),
            Self::Uuid => (!is_uuid(text)).then(|| "does not match the UUID format".to_owned()),
            Self::Byte => (!is_base64(text)).then(|| "invalid base64".to_owned()),
            Self::Date => text
                .parse::<jiff::civil::Date>()
                .ok()
                .filter(|_| text.len() == 10)
                .is_none()
                .then(|| "invalid date".to_owned()),
            Self::Datetime => time::timestamp(text)
                .is_err()
                .then(|| "invalid datetime".to_owned()),
        }
    }
}

fn named<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Str(name)] = args else {
        return Err(Raised::overload("format.named", args));
    };
    match NAMES.iter().find(|(own, _)| own == name) {
        Some((_, format)) => scope.some(Value::Format(*format)),
        None => Ok(Value::Optional(None)),
    }
}

fn validate<'a>(scope: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let [Value::Format(format), Value::Str(text)] = args else {
        return Err(Raised::overload("validate", args));
    };
    scope.charge(1 + text.len() as u64 / 8)?;
    scope.room(text.len() / 8)?;
    match format.problem(text) {
        None => Ok(Value::Optional(None)),
        Some(problem) => {
            let told = scope.text(&problem)?;
            let list = scope.list(&[told])?;
            scope.some(list)
        }
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn longer(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} bytes"))
}

fn label(text: &str) -> Option<String> {
    longer(text, 63).or_else(|| {
        (!is_label(text)).then(|| {
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')".to_owned()
        })
    })
}

fn subdomain(text: &str) -> Option<String> {
    longer(text, 253).or_else(|| {
        (!text.split('.').all(is_label)).then(|| {
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".to_owned()
        })
    })
}

fn older_label(text: &str) -> Option<String> {
    longer(text, 63).or_else(|| {
        (!(is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()))).then(|| {
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')".to_owned()
        })
    })
}

/// Letters, digits, `-`, `_`, `.`, with a letter or digit at both ends.
fn is_name(text: &str) -> bool {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && end(text.chars().next())
        && end(text.chars().next_back())
}

fn qualified_name(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("prefix part must be non-empty".to_owned());
        }
        if let Some(problem) = subdomain(prefix) {
            return Some(format!("prefix part {problem}"));
        }
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    longer(name, 63).map(|problem| format!("name part {problem}")).or_else(|| {
        (!is_name(name)).then(|| {
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')".to_owned()
        })
    })
}

fn label_value(text: &str) -> Option<String> {
    longer(text, 63).or_else(|| {
        (!text.is_empty() && !is_name(text)).then(|| {
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')".to_owned()
        })
    })
}

fn is_uuid(text: &str) -> bool {
    let bare: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
    let dashes: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    bare.len() == 32
        && bare.iter().all(u8::is_ascii_hexdigit)
        && (dashes.is_empty() || dashes == [8, 13, 18, 23])
}

fn is_base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - bare.len() <= 2
        && bare
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}
