use serde_json::Value as Json;

use super::{Key, Map, Reader, Text, Value, json};

fn read(text: &str) -> Value {
    Reader::default().read(text).unwrap()
}

#[test]
fn a_value_takes_three_words_and_an_entry_six() {
    assert_eq!(size_of::<Value>(), 24);
    assert_eq!(size_of::<(Key, Value)>(), 48);
}

/// Texts with everything that a JSON may hold, the same in every run.
fn texts() -> Vec<String> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    (0..500).map(|_| text(&mut next, 5)).collect()
}

fn text(next: &mut impl FnMut(u64) -> u64, depth: u64) -> String {
    let kinds = if depth == 0 { 7 } else { 10 };
    match next(kinds) {
        0 => "null".into(),
        1 => "true".into(),
        2 => "false".into(),
        3 => format!("-{}", next(u64::MAX / 2)),
        4 => u64::MAX.to_string(),
        5 => format!("{}.5e{}", next(100), next(20)),
        6 => Json::from(
            ["", "a", "ü\n\"\\", "a longer text of some words", "\u{0}"][next(5) as usize],
        )
        .to_string(),
        7 => {
            let items: Vec<String> = (0..next(5)).map(|_| text(next, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            // names in any order, some of them twice
            let entries: Vec<String> = (0..next(8))
                .map(|_| {
                    let name = ["z", "a", "name", "k\\u0041", "ü", "", "kA"][next(7) as usize];
                    format!("\"{name}\": {}", text(next, depth - 1))
                })
                .collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

#[test]
fn a_tree_reads_and_writes_what_serde_json_reads_and_writes() {
    for text in texts() {
        let expected: Json = serde_json::from_str(&text).unwrap();
        let tree = read(&text);
        assert_eq!(tree, expected, "{text}");
        assert_eq!(tree.to_string(), expected.to_string());
        assert_eq!(format!("{tree:#}"), format!("{expected:#}"));
        assert_eq!(Value::from(&expected), tree);
        assert_eq!(Json::from(&tree), expected);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), tree);
        assert_eq!(serde_json::to_value(&tree).unwrap(), expected);
    }
}

#[test]
fn what_serde_json_refuses_is_refused_in_its_words() {
    let deep = "[".repeat(200);
    for text in [
        "",
        "{",
        "[1,]",
        "{\"a\" 1}",
        "1e400",
        "nul",
        "{} {}",
        "\"\\ud800\"",
        &deep,
    ] {
        let expected = serde_json::from_str::<Json>(text).unwrap_err().to_string();
        assert_eq!(
            Reader::default().read(text).unwrap_err().to_string(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_text_of_more_values_than_it_may_hold_is_refused() {
    let reader = |most| {
        Reader::default()
            .at_most(most)
            .read(r#"{"a": [1, {"b": "c"}]}"#)
    };
    assert!(reader(5).is_ok());
    let error = reader(4).unwrap_err().to_string();
    assert!(error.starts_with("more than 4 values at line 1"), "{error}");
    // what is left out does not count
    let without = Reader::default().without("a", "b").at_most(2);
    assert_eq!(
        without.read(r#"{"a": {"b": [1, 2, 3]}}"#).unwrap(),
        json!({"a": {}})
    );
    assert_eq!(
        Reader::default()
            .without("a", "b")
            .read(r#"{"b": 1, "c": {"a": {"b": 2}}, "a": {"b": 3, "d": {"b": 4}}}"#)
            .unwrap(),
        json!({"b": 1, "c": {"a": {"b": 2}}, "a": {"d": {"b": 4}}})
    );
}

#[test]
fn texts_of_up_to_24_bytes_lie_in_their_value() {
    for (length, inside) in [(0, true), (23, true), (24, true), (25, false)] {
        let text = Text::from("x".repeat(length));
        let start = (&raw const text).addr();
        let lies = (start..start + size_of::<Text>()).contains(&text.as_str().as_ptr().addr());
        assert_eq!(lies, inside, "{length}");
    }
}

#[test]
fn a_change_is_seen_by_its_owner_alone_and_leaves_the_rest_shared() {
    let whole = read(r#"{"spec": {"replicas": 1, "list": [1, 2]}, "big": {"a": ["x"]}}"#);
    let mut other = whole.clone();
    other["spec"]["replicas"] = 2.into();
    other["spec"]["new"]["deep"] = true.into();
    other["spec"]["list"][1] = json!({"a": 1});
    assert_eq!(whole["spec"], json!({"replicas": 1, "list": [1, 2]}));
    assert_eq!(
        other["spec"],
        json!({"replicas": 2, "list": [1, {"a": 1}], "new": {"deep": true}})
    );
    let below = |of: &Value| of["big"]["a"].as_array().unwrap().as_ptr();
    assert_eq!(below(&whole), below(&other));
}

#[test]
fn maps_do_what_their_names_say() {
    let mut map = Map::new();
    for (name, value) in [("b", 1), ("a", 2), ("c", 3), ("a", 4)] {
        map.insert(name, value.into());
    }
    assert_eq!(Value::from(map.clone()), json!({"a": 4, "b": 1, "c": 3}));
    assert_eq!(map.keys().map(Key::as_str).collect::<String>(), "abc");
    assert_eq!(map.remove("b"), Some(1.into()));
    assert_eq!(
        (map.remove("b"), map.len(), map.contains_key("c")),
        (None, 2, true)
    );
    *map.entry("d").or_insert(5.into()) = 6.into();
    assert_eq!(*map.entry("d").or_insert(7.into()), 6);
    map.values_mut().for_each(|value| *value = true.into());
    map.retain(|name, _| name != "c");
    assert_eq!(Value::from(map.clone()), json!({"a": true, "d": true}));
    map.extend([(Key::from("a"), Value::Null)]);
    assert_eq!(map["a"], Value::Null);
    map.remove("a");
    map.remove("d");
    assert!(map.is_empty() && map == Map::new());
    let twice: Map = [("a", 1.into()), ("b", 2.into()), ("a", 3.into())]
        .into_iter()
        .collect();
    assert_eq!(Value::from(twice), json!({"a": 3, "b": 2}));
}

#[test]
fn values_are_found_by_name_place_and_pointer() {
    let tree = read(r#"{"a/b": [{"~": "x"}, 7], "t": true, "n": null}"#);
    assert_eq!(tree.pointer("/a~1b/0/~0").unwrap(), "x");
    assert_eq!(tree.pointer("").unwrap(), &tree);
    for nowhere in ["a", "/a", "/a~1b/2", "/a~1b/x", "/t/x"] {
        assert_eq!(tree.pointer(nowhere), None, "{nowhere}");
    }
    assert_eq!(tree["a/b"][1], 7);
    assert!(tree["a/b"]["x"].is_null() && tree["x"][3]["y"].is_null() && tree["n"].is_null());
    assert_eq!(tree.get("n"), Some(&Value::Null));
    assert_eq!(tree.get("m"), None);
    let mut changed = tree.clone();
    *changed.pointer_mut("/a~1b/0/~0").unwrap() = 1.5.into();
    assert_eq!(changed["a/b"][0]["~"], 1.5);
    assert_eq!(changed["t"].take(), true);
    assert!(changed["t"].is_null());
}

#[test]
fn every_name_is_found_however_many_there_are() {
    for length in 0..40_usize {
        let names = || (0..length).map(|at| format!("name-{at:02}"));
        let mut map: Map = names()
            .zip(0..)
            .map(|(name, at)| (name, Value::from(at)))
            .collect();
        for (at, name) in names().enumerate() {
            assert_eq!(map.get(&name), Some(&Value::from(at)), "{name} of {length}");
            assert!(map.contains_key(&name) && map.get_mut(&name).is_some());
        }
        for other in ["", "name", "name-99", "zzz"] {
            assert!(
                map.get(other).is_none() && !map.contains_key(other),
                "{other} of {length}"
            );
        }
    }
}
