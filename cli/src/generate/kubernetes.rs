//! The fields of the built-in kinds, read from the sources of the k8s-openapi crate, which are generated from the OpenAPI documents of Kubernetes,
//! one tree per version.
//!
//! Decides: which part of a source file is a schema, and what a schema means. Leaves the format of the table to [`sluice_policies::schema::table::pack`].
//! I/O only in [`source_folder`] and [`table`].

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use sluice_policies::schema::table::pack::{
    Fields, PackError, Release, Written, WrittenKind, pack,
};

/// The table in the checkout.
pub const PATH: &str = "policies/src/schema/kubernetes.table";

/// Why the table could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// `cargo metadata` could not be asked, or says nothing of the crate.
    #[error("cargo metadata does not tell where the sources of k8s-openapi are: {0}")]
    Metadata(String),
    /// A file or folder could not be read.
    #[error("{path} cannot be read")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A schema is not written as expected.
    #[error("{path}: {problem}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The table cannot be packed.
    #[error("Kubernetes 1.{minor} cannot be packed")]
    Pack {
        /// The newest version.
        minor: u8,
        /// Why.
        #[source]
        source: PackError,
    },
}

/// The folder of the crate's sources, as the lock file of the checkout names it.
///
/// # Errors
/// When cargo does not say.
pub fn source_folder(root: &Path) -> Result<PathBuf, TableError> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let answer = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // what only other platforms need was never downloaded
        .args(["--filter-platform", "host-tuple"])
        .current_dir(root)
        .output()
        .map_err(|error| TableError::Metadata(error.to_string()))?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        return Err(TableError::Metadata(said.trim().to_owned()));
    }
    let metadata: Value = serde_json::from_slice(&answer.stdout)
        .map_err(|error| TableError::Metadata(error.to_string()))?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "k8s-openapi")
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or_else(|| TableError::Metadata("no such package".to_owned()))?;
    Ok(Path::new(manifest)
        .parent()
        .unwrap_or(Path::new("."))
        .join("src"))
}

/// The table of every version that the sources have.
///
/// # Errors
/// When a source cannot be read or understood.
pub fn table(source: &Path) -> Result<Vec<u8>, TableError> {
    let mut releases = Vec::new();
    for name in names(source)? {
        let minor = name
            .strip_prefix("v1_")
            .and_then(|minor| minor.parse::<u8>().ok());
        if let Some(minor) = minor {
            releases.push(release(&source.join(&name), minor)?);
        }
    }
    pack(&releases).map_err(|source| TableError::Pack {
        minor: releases
            .iter()
            .map(|release| release.minor)
            .max()
            .unwrap_or_default(),
        source,
    })
}

fn names(folder: &Path) -> Result<Vec<String>, TableError> {
    let failed = |source| TableError::File {
        path: folder.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// One type of the sources.
struct Source {
    /// Its name in the OpenAPI document.
    name: String,
    /// Its schema, references as `{"$ref": path in Rust}`.
    schema: Value,
    kind: Option<WrittenKind>,
}

fn release(folder: &Path, minor: u8) -> Result<Release, TableError> {
    let mut sources = BTreeMap::new();
    collect(folder, "crate", &mut sources)?;
    let mut release = Release {
        minor,
        ..Release::default()
    };
    for (path, source) in &sources {
        let problem = |problem: String| TableError::Schema {
            path: folder.join(path.replace("::", "/")),
            problem,
        };
        if let Some(kind) = &source.kind {
            release.kinds.push(kind.clone());
        }
        if let Some(fields) = fields(source, &sources).map_err(problem)? {
            release.definitions.insert(source.name.clone(), fields);
        }
    }
    Ok(release)
}

fn collect(
    folder: &Path,
    module: &str,
    sources: &mut BTreeMap<String, Source>,
) -> Result<(), TableError> {
    for name in names(folder)? {
        let path = folder.join(&name);
        let Some(stem) = name.strip_suffix(".rs") else {
            collect(&path, &format!("{module}::{name}"), sources)?;
            continue;
        };
        if matches!(stem, "mod" | "list") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|source| TableError::File {
            path: path.clone(),
            source,
        })?;
        if let Some((rust, source)) =
            read(&text).map_err(|problem| TableError::Schema { path, problem })?
        {
            sources.insert(format!("{module}::{rust}"), source);
        }
    }
    Ok(())
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

/// The type of a source file, by its name in Rust.
fn read(text: &str) -> Result<Option<(String, Source)>, String> {
    let Some((head, tail)) = text.split_once("impl crate::schemars::JsonSchema for ") else {
        return Ok(None);
    };
    let rust = tail
        .split_once(" {")
        .ok_or("no name of a type")?
        .0
        .to_owned();
    let name = between(
        tail,
        "schema_name() -> std::borrow::Cow<'static, str> {\n        \"",
        "\"",
    )
    .ok_or("no name of a schema")?
    .to_owned();
    let body = tail
        .split_once("crate::schemars::json_schema!(")
        .ok_or("no schema")?
        .1;
    let mut reader = Reader { rest: body };
    let schema = reader.value()?;
    // a kind has metadata of its own; lists and answers of the API server do not
    let has_metadata =
        head.contains("type Ty = crate::apimachinery::pkg::apis::meta::v1::ObjectMeta;");
    let constant = |name: &str| {
        between(head, &format!("const {name}: &'static str = \""), "\"").map(str::to_owned)
    };
    let kind = (has_metadata && head.contains("impl crate::Resource for "))
        .then(|| {
            Some(WrittenKind {
                group: constant("GROUP")?,
                version: constant("VERSION")?,
                kind: constant("KIND")?,
                definition: name.clone(),
                namespaced: head.contains("type Scope = crate::NamespaceResourceScope;"),
            })
        })
        .flatten();
    Ok(Some((rust, Source { name, schema, kind })))
}

/// Reads the literal of a schema: JSON with commas after the last entry, and references as calls.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, sign: char) -> bool {
        self.blank();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.blank();
        if self.eat('{') {
            let mut fields = serde_json::Map::new();
            while !self.eat('}') {
                let key = self.text()?;
                if !self.eat(':') {
                    return Err(format!("no value after {key:?}"));
                }
                fields.insert(key, self.value()?);
                self.eat(',');
            }
            return Ok(Value::Object(fields));
        }
        if self.eat('[') {
            let mut items = Vec::new();
            while !self.eat(']') {
                items.push(self.value()?);
                self.eat(',');
            }
            return Ok(Value::Array(items));
        }
        if self.rest.starts_with('"') {
            return self.text().map(Value::String);
        }
        if self.rest.starts_with('(') || self.rest.starts_with("__gen") {
            return self.reference();
        }
        let end = self
            .rest
            .find([',', '}', ']', '\n'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        serde_json::from_str(word.trim()).map_err(|error| format!("{word:?}: {error}"))
    }

    /// A string; of its escapes only the quote matters here, for names hold none.
    fn text(&mut self) -> Result<String, String> {
        if !self.eat('"') {
            let near: String = self.rest.chars().take(20).collect();
            return Err(format!("no string at {near:?}"));
        }
        let mut escaped = false;
        for (at, sign) in self.rest.char_indices() {
            match sign {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let (text, rest) = self.rest.split_at(at);
                    self.rest = &rest[1..];
                    return Ok(text.to_owned());
                }
                _ => {}
            }
        }
        Err("a string has no end".to_owned())
    }

    fn reference(&mut self) -> Result<Value, String> {
        let target = between(self.rest, "__gen.subschema_for::<", ">()").ok_or("no reference")?;
        let target = serde_json::json!({ "$ref": target });
        if !self.rest.starts_with('(') {
            let end = self.rest.find(">()").ok_or("no reference")?;
            self.rest = &self.rest[end + 3..];
            return Ok(target);
        }
        let mut depth = 0_usize;
        loop {
            let at = self
                .rest
                .find(['(', ')', '"'])
                .ok_or("a reference has no end")?;
            let sign = self.rest.as_bytes()[at];
            if sign == b'"' {
                self.rest = &self.rest[at..];
                self.text()?;
                continue;
            }
            self.rest = &self.rest[at + 1..];
            if sign == b'(' {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return Ok(target);
                }
            }
        }
    }
}

/// What the types mean whose schema does not say it.
fn known(name: &str) -> Option<Written> {
    const PROPS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
    let short = name.rsplit('.').next()?;
    Some(match short {
        "Quantity" => Written::Quantity,
        "IntOrString" => Written::IntOrString,
        // any JSON value, though its schema says object
        "JSON" => Written::Any,
        "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrStringArray" => {
            Written::Loose(PROPS.to_owned())
        }
        _ => return None,
    })
}

/// The fields of a type; `None` when it is no object of its own, but something that is written the same wherever it is used.
fn fields(source: &Source, sources: &BTreeMap<String, Source>) -> Result<Option<Fields>, String> {
    let properties = source.schema["properties"].as_object();
    let (None, Some(properties)) = (known(&source.name), properties) else {
        return Ok(None);
    };
    let mut fields = Fields::new();
    for (name, schema) in properties {
        let typ = written(schema, sources).map_err(|problem| format!("{name}: {problem}"))?;
        fields.insert(name.clone(), typ);
    }
    Ok(Some(fields))
}

fn written(schema: &Value, sources: &BTreeMap<String, Source>) -> Result<Written, String> {
    if let Some(path) = schema["$ref"].as_str() {
        let source = sources.get(path).ok_or_else(|| format!("no type {path}"))?;
        if let Some(known) = known(&source.name) {
            return Ok(known);
        }
        if source.schema["properties"].is_object() {
            return Ok(Written::Ref(source.name.clone()));
        }
        return written(&source.schema, sources);
    }
    Ok(match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("byte")) => Written::Bytes,
        (Some("string"), Some("date-time")) => Written::Time,
        (Some("string"), _) => Written::Text,
        (Some("boolean"), _) => Written::Bool,
        (Some("integer"), Some("int32")) => Written::Int32,
        (Some("integer"), _) => Written::Int64,
        (Some("number"), _) => Written::Number,
        (Some("array"), _) => Written::List(Box::new(written(&schema["items"], sources)?)),
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            Written::Map(Box::new(written(&schema["additionalProperties"], sources)?))
        }
        (Some("object"), _) => Written::Open,
        (None, _) if schema["x-kubernetes-int-or-string"] == true => Written::IntOrString,
        _ => return Err(format!("a schema that says nothing: {schema}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_matches_its_source() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let made = table(&source_folder(root).unwrap()).unwrap();
        let stored = fs::read(root.join(PATH)).unwrap();
        assert!(
            made == stored,
            "run `cargo run -p sluice-cli --bin sluice-schema-table` ({} bytes made, {} stored)",
            made.len(),
            stored.len()
        );
        assert!(made.len() < 300 << 10, "{} bytes", made.len());
    }

    #[test]
    fn reads_the_literals_of_the_source() {
        let text = r#"{
            "description": "a \"quoted\" text (with) {signs}",
            "type": "object",
            "properties": {
                "a": ({
                    let mut schema_obj = __gen.subschema_for::<crate::A>();
                    schema_obj.ensure_object().insert("description".into(), "not an end: )".into());
                    schema_obj
                }),
                "b": {
                    "items": (__gen.subschema_for::<crate::B>()),
                },
                "c": __gen.subschema_for::<crate::C>(),
            },
            "required": [
                "a",
            ],
            "x": true,
        })"#;
        let value = Reader { rest: text }.value().unwrap();
        assert_eq!(value["properties"]["a"]["$ref"], "crate::A");
        assert_eq!(value["properties"]["b"]["items"]["$ref"], "crate::B");
        assert_eq!(value["properties"]["c"]["$ref"], "crate::C");
        assert_eq!(value["required"][0], "a");
        assert_eq!(value["x"], true);
    }
}
