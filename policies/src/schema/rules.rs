//! The rules that judge files only: what they say about themselves.

/// A rule that judges files only. It is in force in every check of files; no policy uses it, for in the cluster there is nothing left to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RawRule {
    /// A known field in the wrong place.
    MisplacedField,
    /// A field that nobody knows.
    UnknownField,
    /// A value of a type that cannot be decoded.
    WrongType,
    /// A key twice in a map.
    DuplicateKey,
    /// A text that should be a quantity, a span, a time or base64 and is not.
    UnreadableValue,
    /// A value that the definition of a custom kind refuses.
    RefusedByDefinition,
}

/// What such a rule says about itself.
#[derive(Debug)]
pub struct RawRuleInfo {
    /// Stable code, such as `SLU8001`.
    pub code: &'static str,
    /// Stable kebab name of the bad pattern.
    pub name: &'static str,
    /// One line for lists.
    pub title: &'static str,
    /// Its document, Markdown.
    pub document: &'static str,
}

/// Every rule that judges files only, by code.
pub const RAW_RULES: [RawRule; 6] = [
    RawRule::MisplacedField,
    RawRule::UnknownField,
    RawRule::WrongType,
    RawRule::DuplicateKey,
    RawRule::UnreadableValue,
    RawRule::RefusedByDefinition,
];

impl RawRule {
    /// What it says about itself.
    #[must_use]
    pub const fn info(self) -> &'static RawRuleInfo {
        match self {
            Self::MisplacedField => &RawRuleInfo {
                code: "SLU8001",
                name: "misplaced-field",
                title: "a field stands where nothing reads it, and is known elsewhere in the object",
                document: include_str!("rules/misplaced_field.md"),
            },
            Self::UnknownField => &RawRuleInfo {
                code: "SLU8002",
                name: "unknown-field",
                title: "nothing in the kind has a field of this name",
                document: include_str!("rules/unknown_field.md"),
            },
            Self::WrongType => &RawRuleInfo {
                code: "SLU8003",
                name: "wrong-type",
                title: "a value is of a type that the API server cannot decode",
                document: include_str!("rules/wrong_type.md"),
            },
            Self::DuplicateKey => &RawRuleInfo {
                code: "SLU8004",
                name: "duplicate-key",
                title: "a key occurs twice, and the first value is lost",
                document: include_str!("rules/duplicate_key.md"),
            },
            Self::UnreadableValue => &RawRuleInfo {
                code: "SLU8005",
                name: "unreadable-value",
                title: "a quantity, span, time or base64 text cannot be read",
                document: include_str!("rules/unreadable_value.md"),
            },
            Self::RefusedByDefinition => &RawRuleInfo {
                code: "SLU8006",
                name: "refused-by-definition",
                title: "a custom object lacks or breaks what its definition asks",
                document: include_str!("rules/refused_by_definition.md"),
            },
        }
    }
}

/// The rule of this name.
#[must_use]
pub fn raw_rule_by_name(name: &str) -> Option<RawRule> {
    RAW_RULES.into_iter().find(|rule| rule.info().name == name)
}

/// The rule of this code, in any case of letters.
#[must_use]
pub fn raw_rule_by_code(code: &str) -> Option<RawRule> {
    RAW_RULES
        .into_iter()
        .find(|rule| rule.info().code.eq_ignore_ascii_case(code))
}
