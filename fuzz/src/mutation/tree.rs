//! Mutations of values: what can be read, and says what nobody would.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// The value of a JSON or YAML text of one document; `None` when it is none, or a plain one.
pub(super) fn parse(text: &str) -> Option<Value> {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => serde_saphyr::from_str(text).ok()?,
    };
    (value.is_object() || value.is_array()).then_some(value)
}

/// Changes one thing somewhere; `donor` is another value to take parts of. What stands near the root mostly stays: without it the rest is not looked at.
pub(super) fn mutate(value: &mut Value, donor: &Value, words: &[String], random: &mut Random) {
    at_level(value, 0, donor, words, random);
}

fn at_level(value: &mut Value, level: usize, donor: &Value, words: &[String], random: &mut Random) {
    let seldom = if level < 2 { 10 } else { 1 };
    match value {
        Value::Object(map) if !map.is_empty() && !random.once_in(7 * seldom) => {
            let Some(key) = key_of(map, random) else {
                return;
            };
            if random.once_in(6 * seldom) {
                in_map(map, key, donor, words, random);
            } else if let Some(inside) = map.get_mut(&key) {
                at_level(inside, level + 1, donor, words, random);
            }
        }
        Value::Array(list) if !list.is_empty() && !random.once_in(6) => {
            let at = random.below(list.len());
            match random.below(12) {
                0 => {
                    list.remove(at);
                }
                1 => {
                    let times = if random.once_in(16) { 200 } else { 1 };
                    for _ in 0..times {
                        list.push(list[at].clone());
                    }
                }
                2 => list.insert(at, part(donor, random).clone()),
                _ => at_level(&mut list[at], level + 1, donor, words, random),
            }
        }
        other => *other = odd(other, donor, words, random),
    }
}

/// A key, mostly one with more below it: most fields are plain, and most of what can go wrong is not about them.
fn key_of(map: &Map<String, Value>, random: &mut Random) -> Option<String> {
    let mut chosen = None;
    for _ in 0..4 {
        chosen = map.iter().nth(random.below(map.len()));
        if chosen.is_some_and(|(_, value)| value.is_object() || value.is_array()) {
            break;
        }
    }
    chosen.map(|(key, _)| key.clone())
}

/// One key less, one more, or another name for one.
fn in_map(
    map: &mut Map<String, Value>,
    key: String,
    donor: &Value,
    words: &[String],
    random: &mut Random,
) {
    let word = random.pick(words).cloned().unwrap_or_default();
    match random.below(5) {
        0 => {
            map.remove(&key);
        }
        1 => {
            let value = map.remove(&key).unwrap_or_default();
            map.insert(word, value);
        }
        2 => {
            map.insert(word, part(donor, random).clone());
        }
        3 => {
            // a key that is meant for another place
            if let Value::Object(other) = part(donor, random)
                && let Some((key, value)) = other.iter().nth(random.below(other.len()))
            {
                map.insert(key.clone(), value.clone());
            }
        }
        _ => {
            let mut deep = map.remove(&key).unwrap_or_default();
            let times = if random.once_in(8) { 90 } else { 1 };
            for _ in 0..times {
                deep = if random.once_in(2) {
                    json!([deep])
                } else {
                    json!({ key.as_str(): deep })
                };
            }
            map.insert(key, deep);
        }
    }
}

/// Something that does not belong in the place of a value.
fn odd(value: &Value, donor: &Value, words: &[String], random: &mut Random) -> Value {
    match random.below(16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(i64::MAX),
        5 => json!(1e300),
        6 => json!([]),
        7 => json!({}),
        8 => json!([null]),
        9 => json!("ä\u{0}\n\u{1b}[31m\u{202e}"),
        10 => json!("x".repeat(1 + random.below(2000))),
        11 => part(donor, random).clone(),
        12 => json!(value.to_string()),
        _ => json!(random.pick(words)),
    }
}

/// Some part of a value.
fn part<'v>(value: &'v Value, random: &mut Random) -> &'v Value {
    let inside = match value {
        Value::Object(map) if !random.once_in(4) => map.values().nth(random.below(map.len())),
        Value::Array(list) if !random.once_in(4) => random.pick(list),
        _ => None,
    };
    inside.map_or(value, |inside| part(inside, random))
}
