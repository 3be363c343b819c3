use std::collections::BTreeSet;

use super::*;

fn refusal(text: &str) -> String {
    parse("sluice.yaml", text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "\n", "---\n", "# nothing yet\n", "{}\n"] {
        assert_eq!(
            parse("sluice.yaml", text).unwrap(),
            Config::default(),
            "{text:?}"
        );
    }
}

#[test]
fn reads_what_it_writes() {
    let config = parse("sluice.yaml", reference::EXAMPLE).unwrap();
    assert_eq!(config.prometheus.len(), 1);
    assert_eq!(config.probes.concurrency, 512);
    assert_eq!(config.namespaces.off.len(), 4);
    let written = serde_saphyr::to_string(&config).unwrap();
    assert_eq!(parse("sluice.yaml", &written).unwrap(), config, "{written}");
}

#[test]
fn values_written_in_code_pass_their_own_checks() {
    let written = serde_saphyr::to_string(&Config::default()).unwrap();
    assert_eq!(parse("sluice.yaml", &written).unwrap(), Config::default());
}

#[test]
fn says_file_line_and_column_of_what_cannot_work() {
    for (text, place, part) in [
        (
            "probes:\n  alowTargets: []\n",
            "sluice.yaml:2:3: ",
            "alowTargets",
        ),
        ("colour: blue\n", "sluice.yaml:1:1: ", "colour"),
        (
            "prometheus:\n  main: {url: \"http://\"}\n",
            "sluice.yaml:2:15: ",
            "`http://` is no URL",
        ),
        (
            "prometheus:\n  main:\n    url: prometheus:9090\n",
            "sluice.yaml:3:10: ",
            "has no scheme",
        ),
        (
            "prometheus:\n  main:\n    url: ftp://prometheus\n",
            "sluice.yaml:3:10: ",
            "has a scheme that is not spoken here",
        ),
        (
            "prometheus:\n  main:\n    url: http://u:p@prometheus\n",
            "sluice.yaml:3:10: ",
            "carries a user",
        ),
        (
            "prometheus:\n  main:\n    url: http://prometheus:99999\n",
            "sluice.yaml:3:10: ",
            "port",
        ),
        (
            "prometheus:\n  main: {timeout: 5s}\n",
            "sluice.yaml:2:",
            "url",
        ),
        (
            "prometheus:\n  Main: {url: \"http://p\"}\n",
            "sluice.yaml:2:3: ",
            "`Main` is no name",
        ),
        (
            "prometheus:\n  main: {url: \"http://p\", timeout: 5 s}\n",
            "sluice.yaml:2:",
            "is not a duration",
        ),
        (
            "probes:\n  concurrency: 1\n  concurrency: 2\n",
            "sluice.yaml:3:3: ",
            "concurrency",
        ),
        (
            "probes:\n  concurrency: 0\n",
            "sluice.yaml:2:16: ",
            "use 1 to 65536",
        ),
        (
            "probes:\n  allowTargets: [\"*.svc\", 10.0.0.0/33]\n",
            "sluice.yaml:2:27: ",
            "`10.0.0.0/33` is no probe target",
        ),
        (
            "webhook: {service: {port: 70000}}\n",
            "sluice.yaml:1:27: ",
            "is no port",
        ),
        (
            "webhook: {url: \"http://127.0.0.1:9443\"}\n",
            "sluice.yaml:1:16: ",
            "is not https",
        ),
        (
            "namespaces: {off: [Kube-System]}\n",
            "sluice.yaml:1:20: ",
            "is no name",
        ),
        ("probes: [\n", "sluice.yaml:", ""),
        ("probes:\n\tconcurrency: 1\n", "sluice.yaml:2:", ""),
        ("{}\n---\n{}\n", "sluice.yaml:", "document"),
        ("- a\n", "sluice.yaml:1:1: ", ""),
    ] {
        let refusal = refusal(text);
        assert!(
            refusal.starts_with(place) && refusal.contains(part),
            "{text:?} gave\n{refusal}\nexpected {place}…{part}"
        );
    }
}

#[test]
fn shows_the_line_with_a_caret() {
    assert_eq!(
        refusal("probes:\n  concurrency: none\n")
            .lines()
            .skip(1)
            .collect::<Vec<_>>(),
        ["2 |   concurrency: none", "  |                ^"]
    );
}

#[test]
fn targets_are_hosts_suffixes_addresses_and_networks() {
    for (text, passes) in [
        ("*.svc", true),
        ("status.example.com", true),
        ("10.1.2.3", true),
        ("10.0.0.0/8", true),
        ("fd00::/8", true),
        ("::1", true),
        ("*", false),
        ("*.", false),
        ("", false),
        ("a..b", false),
        ("10.0.0.0/33", false),
        ("10.0.0", false),
        ("http://a", false),
        ("a b", false),
        ("-a", false),
        ("pods-*.svc", false),
    ] {
        assert_eq!(text.parse::<TargetPattern>().is_ok(), passes, "{text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load_file(Path::new("/does/not/exist.yaml")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration /does/not/exist.yaml cannot be read"
    );
}

/// Paths of all fields that serde writes, with map keys as NAME and lists as leaves.
fn paths(value: &serde_json::Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let key = if path == "prometheus" { "NAME" } else { key };
                let below = if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                };
                paths(value, &below, into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

#[test]
fn the_reference_names_every_field_and_no_other() {
    let mut config = parse("sluice.yaml", reference::EXAMPLE).unwrap();
    config.probes.http_proxy = Some("http://proxy:3128".parse().unwrap());
    config.webhook.url = Some("https://127.0.0.1:9443".parse().unwrap());
    let mut written = BTreeSet::new();
    paths(&serde_json::to_value(&config).unwrap(), "", &mut written);
    let documented: BTreeSet<String> = reference::FIELDS
        .iter()
        .map(|(path, ..)| (*path).to_owned())
        .collect();
    assert_eq!(documented, written);
    let page = reference_markdown();
    for path in documented {
        assert!(page.contains(&format!("`{path}`")), "{path}");
    }
}
