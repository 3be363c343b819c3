//! One file of policies: YAML or JSON, several documents, lists taken apart. Pure.
//!
//! What admission would refuse quarantines the file, in the same words. Fields that the definition does not have are refused too: the API server would
//! drop them and warn, and here nobody would read the warning.

use std::{
    sync::Arc,
    thread::{self, ScopedJoinHandle},
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_api::{
    GROUP, Policy, PolicyException, PolicyExceptionSpec, PolicySpec, VERSION, crd, reading,
};
use sluice_policies::{
    ExceptionBounds, ExceptionSource, Exceptions, PolicySet, is_admission_policy,
};

use sluice_tree::Value as Tree;

use super::Written;

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A Policy.
    Policy(Written<PolicySpec>),
    /// A PolicyException.
    Exception(Written<PolicyExceptionSpec>),
    /// A ValidatingAdmissionPolicy, or the binding of one.
    Admission(Tree),
    /// Anything else; a ValidatingAdmissionPolicy may take its parameters from it.
    Other(Tree),
}

impl Document {
    /// As `namespace/name`.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Policy(Written {
                namespace, name, ..
            })
            | Self::Exception(Written {
                namespace, name, ..
            }) => format!("{namespace}/{name}"),
            Self::Admission(object) => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                name.to_owned()
            }
            Self::Other(_) => String::new(),
        }
    }
}

/// The stack on which a file is parsed: a hundred nested values take some 3 MiB in a debug build, more than the threads of a server have.
const STACK: usize = 64 << 20;

/// The objects of a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn documents(text: &str, system_namespace: &str) -> Result<Vec<Document>, Vec<String>> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("policy-file".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || all(text, system_namespace));
        match worker.map(ScopedJoinHandle::join) {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(vec!["not readable: the YAML parser gave up".to_owned()]),
            Err(error) => Err(vec![format!("not readable now: {error}")]),
        }
    })
}

fn all(text: &str, system_namespace: &str) -> Result<Vec<Document>, Vec<String>> {
    let options = serde_saphyr::options! {
        // as kubectl reads numbers
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: 100, max_nodes: 500_000, max_events: 2_000_000 },
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let values: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| vec![format!("not readable as YAML: {}", error.without_snippet())])?;
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for value in values {
        take(value, system_namespace, &mut documents, &mut problems);
    }
    if problems.is_empty() {
        Ok(documents)
    } else {
        Err(problems)
    }
}

fn take(
    value: Value,
    system_namespace: &str,
    documents: &mut Vec<Document>,
    problems: &mut Vec<String>,
) {
    if value.is_null() {
        return;
    }
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version.is_empty() || kind.is_empty() {
        problems.push(
            "no Kubernetes object: a manifest is a map with apiVersion, kind and metadata"
                .to_owned(),
        );
        return;
    }
    if kind.ends_with("List") && value.get("items").is_some_and(Value::is_array) {
        let Some(Value::Array(items)) = value.get("items").cloned() else {
            return;
        };
        for item in items {
            take(item, system_namespace, documents, problems);
        }
        return;
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let tree = Tree::from(&value);
    if is_admission_policy(&tree) {
        let title = format!(
            "{kind} {}",
            value["metadata"]["name"].as_str().unwrap_or("-")
        );
        let found = PolicySet::check_document(&tree);
        if found.is_empty() {
            documents.push(Document::Admission(tree));
        }
        problems.extend(found.iter().map(|problem| format!("{title}: {problem}")));
        return;
    }
    if group != GROUP || !matches!(kind, "Policy" | "PolicyException") {
        documents.push(Document::Other(tree));
        return;
    }
    let metadata = |field: &str| {
        value["metadata"][field]
            .as_str()
            .filter(|text| !text.is_empty())
    };
    let namespace = metadata("namespace").unwrap_or(system_namespace).to_owned();
    let name = metadata("name").unwrap_or_default().to_owned();
    let word = if kind == "Policy" {
        "policy"
    } else {
        "exception"
    };
    let mut found = Vec::new();
    if version != VERSION {
        found.push(format!(
            "apiVersion: {api_version}; passes: {GROUP}/{VERSION}"
        ));
    }
    if name.is_empty() {
        found.push("metadata.name: Required value".to_owned());
    }
    if kind == "PolicyException" && metadata("namespace").is_none() {
        // left out it would cover every namespace
        found.push(format!(
            "metadata.namespace: absent; passes: the namespace that the exception covers, {system_namespace} for every one"
        ));
    }
    found.extend(unknown_fields(kind, &value));
    let document = match kind {
        "Policy" => read::<Policy>(&value).map(|policy| {
            found.extend(
                PolicySet::check(&policy.spec)
                    .iter()
                    .map(ToString::to_string),
            );
            Document::Policy(Written {
                namespace: namespace.clone(),
                name: name.clone(),
                spec: Arc::new(policy.spec),
            })
        }),
        _ => read::<PolicyException>(&value).map(|exception| {
            // how far away its end may be is a matter of time, and so of every single judgement
            let source = ExceptionSource {
                namespace: "",
                name: "",
                spec: &exception.spec,
                cluster_wide: false,
            };
            let (_, wrong) = Exceptions::compile([source], ExceptionBounds::default());
            found.extend(wrong.iter().map(|problem| {
                format!(
                    "{}: {}; passes: {}",
                    problem.path, problem.found, problem.passes
                )
            }));
            Document::Exception(Written {
                namespace: namespace.clone(),
                name: name.clone(),
                spec: Arc::new(exception.spec),
            })
        }),
    };
    match document {
        Ok(document) if found.is_empty() => documents.push(document),
        Ok(_) => {}
        Err(why) => found.push(why),
    }
    let title = if name.is_empty() {
        "without a name"
    } else {
        name.as_str()
    };
    problems.extend(
        found
            .into_iter()
            .map(|problem| format!("{word} {namespace}/{title}: {problem}")),
    );
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    reading::read(value).map_err(|unreadable| unreadable.to_string())
}

/// Fields that the definition of the kind does not have, and values of free fields that are no object.
fn unknown_fields(kind: &str, value: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let Some(schema) = crd::schema_of_kind(kind) else {
        return unknown;
    };
    for (name, field) in value.as_object().into_iter().flatten() {
        match (name.as_str(), schema["properties"].get(name)) {
            ("apiVersion" | "kind" | "metadata" | "status", _) => {}
            (_, Some(schema)) => below(schema, field, name, &mut unknown),
            (_, None) => unknown.push(format!("unknown field \"{name}\"")),
        }
    }
    unknown
}

fn below(schema: &Value, value: &Value, path: &str, unknown: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        // a free field is read as whatever it is, and only the definition says that it is an object
        if schema["type"] == "object" && !value.is_object() && !value.is_null() {
            let is = reading::type_of(value);
            unknown.push(format!(
                "{path}: Invalid value: \"{is}\": {path} in body must be of type object: \"{is}\""
            ));
        }
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                match (
                    schema["properties"].get(name),
                    schema.get("additionalProperties"),
                ) {
                    (Some(schema), _) => below(schema, field, &path, unknown),
                    (None, Some(values)) => below(values, field, &path, unknown),
                    (None, None) if schema["properties"].is_object() => {
                        unknown.push(format!("unknown field \"{path}\""));
                    }
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                below(&schema["items"], item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}
