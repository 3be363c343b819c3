//! From an object to a template: the object is written as YAML with marks in it, and each mark becomes an action of Helm's template language. What is not
//! marked stays as it is, so that a chart with its default values says what the object says.

use serde_json::Value;

use crate::generate::{GenerateError, document};

/// What stands in a template instead of a value of the object.
#[derive(Clone, Debug)]
pub enum Hole {
    /// A text as it is given: an action, or a value with one in it.
    Text(String),
    /// The value of a setting, whatever it is: `webhook.resources`.
    Block(&'static str),
    /// As `Block`, and the whole field only where the setting is not empty; the object need not have the field.
    Optional(&'static str),
    /// As `Optional`, for a plain text.
    OptionalText(&'static str),
    /// What follows the field's colon, and the lines below it, at the field's own indentation.
    Lines(&'static str, Vec<String>),
    /// Further entries of the map that holds it, out of a setting; the key means nothing.
    Entries(&'static str),
}

/// An object with its holes, and when it is there at all.
#[derive(Clone, Debug)]
pub struct Template {
    object: Value,
    holes: Vec<Hole>,
    condition: Option<String>,
}

/// What is written where the hole with this number will be: a word that YAML leaves alone, and no manifest uses.
fn mark(number: usize) -> String {
    format!("HOLE-{number}-HOLE")
}

impl Template {
    /// The object as it is.
    #[must_use]
    pub fn new(object: Value) -> Self {
        Self {
            object,
            holes: Vec::new(),
            condition: None,
        }
    }

    /// Only where this is true, such as `.Values.access.secretNames`.
    #[must_use]
    pub fn when(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// Puts `hole` at the field `key` of the map at `pointer`. The map is made where it is missing.
    #[must_use]
    pub fn hole(mut self, pointer: &str, key: &str, hole: Hole) -> Self {
        let mut at = &mut self.object;
        for step in pointer.split('/').skip(1) {
            at = match (step.parse::<usize>(), at.is_array()) {
                (Ok(index), true) => &mut at[index],
                _ => &mut at[step],
            };
        }
        at[key] = Value::String(mark(self.holes.len()));
        self.holes.push(hole);
        self
    }

    /// Further entries for the map at `pointer`, out of a setting.
    #[must_use]
    pub fn entries(self, pointer: &str, setting: &'static str) -> Self {
        // after every other key: fields are written in alphabetical order
        let key = format!("~{}", self.holes.len());
        self.hole(pointer, &key, Hole::Entries(setting))
    }

    /// The text of the template, a document of its own.
    ///
    /// # Errors
    /// When the object cannot be written as YAML.
    pub fn render(&self, what: &str) -> Result<String, GenerateError> {
        let plain = literal(&document(what, &self.object)?);
        let mut text = String::new();
        for line in plain.lines() {
            let hole = self
                .holes
                .iter()
                .enumerate()
                .find(|(number, _)| line.contains(&mark(*number)));
            match hole {
                Some((_, hole)) => text.push_str(&filled(line, hole)),
                None => text.push_str(line),
            }
            text.push('\n');
        }
        Ok(match &self.condition {
            Some(condition) => format!("{{{{- if {condition} }}}}\n---\n{text}{{{{- end }}}}\n"),
            None => format!("---\n{text}"),
        })
    }
}

/// A text that Helm writes as it stands.
#[must_use]
pub fn literal(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

fn filled(line: &str, hole: &Hole) -> String {
    // a dash before the key belongs to the indentation
    let key_at = line.len() - line.trim_start_matches([' ', '-']).len();
    let (lead, rest) = line.split_at(key_at);
    let key = rest.split(':').next().unwrap_or_default();
    let indent = " ".repeat(key_at);
    let below = key_at + 2;
    match hole {
        Hole::Text(text) => format!("{lead}{key}: {text}"),
        Hole::Block(setting) => {
            format!("{lead}{key}:\n{indent}  {{{{- toYaml .Values.{setting} | nindent {below} }}}}")
        }
        Hole::Optional(setting) => format!(
            "{indent}{{{{- with .Values.{setting} }}}}\n{lead}{key}:\n{indent}  {{{{- toYaml . | nindent {below} }}}}\n{indent}{{{{- end }}}}"
        ),
        Hole::OptionalText(setting) => format!(
            "{indent}{{{{- with .Values.{setting} }}}}\n{lead}{key}: {{{{ . | quote }}}}\n{indent}{{{{- end }}}}"
        ),
        Hole::Lines(after, lines) => {
            let mut text = format!("{lead}{key}:{after}");
            for line in lines {
                text.push_str(&format!("\n{indent}{line}"));
            }
            text
        }
        Hole::Entries(setting) => format!(
            "{indent}{{{{- with .Values.{setting} }}}}\n{indent}{{{{- toYaml . | nindent {key_at} }}}}\n{indent}{{{{- end }}}}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn holes_become_actions_and_the_rest_stays() {
        let text = Template::new(json!({
            "kind": "Thing",
            "metadata": {"name": "a", "labels": {"x": "z"}},
            "spec": {"replicas": 2, "list": [{"args": ["--a"], "image": "i"}], "message": "{{ name }}"},
        }))
        .when(".Values.on")
        .hole("/spec", "replicas", Hole::Text("{{ .Values.replicas }}".to_owned()))
        .hole("/spec", "resources", Hole::Block("resources"))
        .hole("/spec", "zone", Hole::Optional("zone"))
        .hole("/spec", "class", Hole::OptionalText("class"))
        .hole("/spec/list/0", "args", Hole::Lines("", vec!["- --b".to_owned()]))
        .entries("/metadata/labels", "labels")
        .render("thing")
        .unwrap();
        assert_eq!(
            text,
            r#"{{- if .Values.on }}
---
kind: Thing
metadata:
  labels:
    x: z
    {{- with .Values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  name: a
spec:
  {{- with .Values.class }}
  class: {{ . | quote }}
  {{- end }}
  list:
  - args:
    - --b
    image: i
  message: "{{ "{{" }} name }}"
  replicas: {{ .Values.replicas }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  {{- with .Values.zone }}
  zone:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
"#
        );
    }
}
