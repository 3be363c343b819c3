//! Goes through one object beside its type and says what the API server would drop or could not decode.

use sluice_tree::{Map, Value};

use super::{
    RawRule, SchemaFinding, Schemas,
    path::{push_index, push_key},
    place::{self, Frame},
    text,
    types::{Object, Shape, Type},
    version::KubernetesVersion,
    words::{described, list_of, noun},
};
use crate::suggestion::{near, nearest};

/// Findings in one object; who has more has another problem.
const MOST: usize = 1000;
/// Only a schema that refers to itself goes deeper, and no manifest does.
const DEEPEST: usize = 200;
/// Fields that are listed when no name is near.
const LISTED: usize = 8;

pub(super) fn check(schemas: &Schemas, kind: Type<'_>, object: &Value) -> Vec<SchemaFinding> {
    let mut walk = Walk {
        schemas,
        root: object,
        secret: object["kind"] == "Secret",
        frames: Vec::new(),
        findings: Vec::new(),
    };
    walk.value(kind, object, &mut String::new(), 0);
    walk.findings
}

struct Walk<'a> {
    schemas: &'a Schemas,
    root: &'a Value,
    /// Whether values are not to be printed.
    secret: bool,
    /// The objects around the value at hand, the root first.
    frames: Vec<Frame<'a>>,
    findings: Vec<SchemaFinding>,
}

impl<'a> Walk<'a> {
    fn say(
        &mut self,
        rule: RawRule,
        path: &str,
        found: impl Into<String>,
        passes: impl Into<String>,
    ) {
        if self.findings.len() < MOST {
            self.findings.push(SchemaFinding {
                rule,
                path: if path.is_empty() {
                    "-".to_owned()
                } else {
                    path.to_owned()
                },
                found: found.into(),
                passes: passes.into(),
            });
        } else if self.findings.len() == MOST {
            self.findings.push(SchemaFinding {
                rule,
                path: "-".to_owned(),
                found: format!("more than {MOST} findings, the rest is not listed"),
                passes: format!(
                    "an object of kind {}",
                    self.root["kind"].as_str().unwrap_or("-")
                ),
            });
        }
    }

    /// What a finding says is there.
    fn shown(&self, path: &str, value: &Value) -> String {
        let hidden = self.secret && (path.starts_with("data") || path.starts_with("stringData"));
        described(value, hidden)
    }

    fn value(&mut self, typ: Type<'a>, value: &'a Value, path: &mut String, depth: usize) {
        // null is absence: the API server takes it everywhere
        if value.is_null() || self.findings.len() > MOST {
            return;
        }
        if depth > DEEPEST {
            self.say(
                RawRule::WrongType,
                path,
                "nested too deep",
                format!("at most {DEEPEST} levels"),
            );
            return;
        }
        let shape = typ.shape();
        let length = path.len();
        match (shape, value) {
            (Shape::Object(object) | Shape::Loose(object), Value::Object(fields)) => {
                self.object(object, fields, path, depth);
            }
            (Shape::Any | Shape::Loose(_), _) | (Shape::Open, Value::Object(_)) => {}
            (Shape::List(item), Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    push_index(path, index);
                    self.value(item, value, path, depth + 1);
                    path.truncate(length);
                }
            }
            (Shape::Map(inner), Value::Object(entries)) => {
                for (key, value) in entries {
                    push_key(path, key);
                    self.value(inner, value, path, depth + 1);
                    path.truncate(length);
                }
            }
            _ => self.scalar(shape, value, path),
        }
        if let Type::Custom(custom) = typ {
            for (at, found, passes) in super::limits::broken(custom, value, self.secret) {
                if let Some(name) = at {
                    push_key(path, name);
                }
                self.say(RawRule::RefusedByDefinition, path, found, passes);
                path.truncate(length);
            }
        }
    }

    fn object(&mut self, object: Object<'a>, fields: &'a Map, path: &mut String, depth: usize) {
        self.frames.push(Frame {
            object,
            path: path.clone(),
        });
        let length = path.len();
        for (name, value) in fields {
            if self.findings.len() > MOST {
                break;
            }
            push_key(path, name);
            match object.field(name) {
                Some(typ) => self.value(typ, value, path, depth + 1),
                None if object.keeps_unknown() => {}
                None => self.unknown(object, name, value, path),
            }
            path.truncate(length);
        }
        self.frames.pop();
    }

    fn unknown(&mut self, object: Object<'a>, name: &str, value: &Value, path: &str) {
        let all = object.fields();
        // a name that differs in its letters only, then the indentation, then a slip of the finger, then what is known farther off
        let same = all
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(field, _)| *field);
        let here = || {
            all.iter()
                .filter(|(_, typ)| place::fits(*typ, value))
                .map(|(field, _)| *field)
        };
        let places = if same.is_none() {
            place::search(&self.frames, name, value, self.root)
        } else {
            place::Places::default()
        };
        let bound = if name.len() < 6 { 1 } else { 2 };
        let every = || all.iter().map(|(field, _)| *field);
        // a value of the wrong type under a name with a slip: the name comes first
        let slip = near(name, here(), bound).or_else(|| {
            (places.paths.len() != 1)
                .then(|| near(name, every(), bound))
                .flatten()
        });
        if let Some(meant) = same {
            return self.say_unknown(object, path, format!("did you mean {meant}?"));
        }
        if !places.paths.is_empty() && (places.above || slip.is_none()) {
            let told: Vec<String> = places
                .paths
                .into_iter()
                .map(|path| match place::lookup(self.root, &path) {
                    Some(_) => format!("{path} (set already)"),
                    None => path,
                })
                .collect();
            return self.say(
                RawRule::MisplacedField,
                path,
                "nothing reads it there",
                format!("it belongs at {}", told.join(" or ")),
            );
        }
        let meant = slip
            .or_else(|| begun(name, here()))
            .or_else(|| nearest(name, here()))
            .or_else(|| nearest(name, every()));
        if let Some(meant) = meant {
            return self.say_unknown(object, path, format!("did you mean {meant}?"));
        }
        if let Some(versions) = self.known_elsewhen(path) {
            return self.say_unknown(object, path, versions);
        }
        let names: Vec<&str> = all.iter().map(|(field, _)| *field).collect();
        let passes = match names.len() {
            0 => "no field at all".to_owned(),
            count if count <= LISTED => names.join(", "),
            count => format!(
                "one of its {count} fields: {}, …",
                names.get(..LISTED).unwrap_or_default().join(", ")
            ),
        };
        self.say_unknown(object, path, passes);
    }

    fn say_unknown(&mut self, object: Object<'_>, path: &str, passes: String) {
        let found = match object.name() {
            Some(name) => format!("no field of {name}"),
            None => "no field there".to_owned(),
        };
        self.say(RawRule::UnknownField, path, found, passes);
    }

    /// The versions of Kubernetes that know a field which the one at hand does not.
    fn known_elsewhen(&self, path: &str) -> Option<String> {
        let (api_version, kind) = (
            self.root["apiVersion"].as_str()?,
            self.root["kind"].as_str()?,
        );
        let knowing: Vec<KubernetesVersion> = KubernetesVersion::shipped()
            .filter(|version| {
                *version != self.schemas.version()
                    && Schemas::new(*version).field_exists(api_version, kind, path) == Some(true)
            })
            .collect();
        let (oldest, newest) = (*knowing.first()?, *knowing.last()?);
        Some(if newest < self.schemas.version() {
            format!(
                "Kubernetes {newest} or older; {} is asked for",
                self.schemas.version()
            )
        } else {
            format!(
                "Kubernetes {oldest} or newer; {} is asked for",
                self.schemas.version()
            )
        })
    }

    fn scalar(&mut self, shape: Shape<'a>, value: &Value, path: &str) {
        let wrong = match (shape, value) {
            (Shape::Text, Value::String(_)) | (Shape::Bool, Value::Bool(_)) => return,
            (Shape::Int32, Value::Number(_)) => match whole(value) {
                Some(number) if i32::try_from(number).is_ok() => return,
                _ => "a whole number from -2147483648 to 2147483647".to_owned(),
            },
            (Shape::Int64 | Shape::IntOrString, Value::Number(_)) if whole(value).is_some() => {
                return;
            }
            (Shape::Number, Value::Number(_)) | (Shape::IntOrString, Value::String(_)) => return,
            (Shape::Quantity, Value::String(_) | Value::Number(_)) => {
                if !text::is_quantity(value) {
                    let passes = value
                        .as_str()
                        .and_then(text::meant_quantity)
                        .map_or_else(|| noun(shape), |meant| format!("did you mean {meant}?"));
                    let found = format!("no quantity: {}", self.shown(path, value));
                    self.say(RawRule::UnreadableValue, path, found, passes);
                }
                return;
            }
            (Shape::Time | Shape::Duration | Shape::Bytes, Value::String(written)) => {
                let (readable, what) = match shape {
                    Shape::Time => (text::is_time(written), "no time"),
                    Shape::Duration => (text::is_duration(written), "no span of time"),
                    _ => (text::is_base64(written), "no base64"),
                };
                if !readable {
                    // what should be base64 is often a secret
                    let found = match shape {
                        Shape::Bytes => what.to_owned(),
                        _ => format!("{what}: {}", self.shown(path, value)),
                    };
                    let passes = match shape {
                        Shape::Bytes if self.secret && path.starts_with("data") => {
                            "the value in base64, or the value as it is under stringData".to_owned()
                        }
                        _ => noun(shape),
                    };
                    self.say(RawRule::UnreadableValue, path, found, passes);
                }
                return;
            }
            (
                Shape::Text | Shape::Time | Shape::Duration | Shape::Bytes,
                Value::Number(_) | Value::Bool(_),
            ) => {
                format!("{}, in quotes", noun(shape))
            }
            (Shape::Bool, Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
                format!("{text} without quotes")
            }
            (Shape::Int32 | Shape::Int64 | Shape::Number, Value::String(text))
                if text.len() < 20 && text.parse::<i64>().is_ok() =>
            {
                format!("{text} without quotes")
            }
            (Shape::List(item), _) => list_of(item),
            _ => noun(shape),
        };
        let found = self.shown(path, value);
        self.say(RawRule::WrongType, path, found, wrong);
    }
}

/// The only field that begins with a name, such as `initialDelaySeconds` with `initialDelay`.
fn begun<'n>(name: &str, fields: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut longer = fields.filter(|field| name.len() > 3 && field.starts_with(name));
    longer.next().filter(|_| longer.next().is_none())
}

/// The whole number that a number is; YAML may write `1e3` or `3.0` for one.
fn whole(value: &Value) -> Option<i64> {
    /// Whole numbers up to here are exact in a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        #[allow(clippy::cast_possible_truncation, reason = "a whole number in bounds")]
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}
