//! Kinds that a definition defines.

use sluice_tree::{Value, json};

use super::{newest, told};
use crate::documents::yaml;

pub(super) fn definition() -> Value {
    yaml(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size, mode]
            properties:
              size: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
              mode: {type: string, enum: [a, b], default: a}
              count: {type: integer, format: int32, minimum: 1, maximum: 10, exclusiveMaximum: true}
              ratio: {type: number}
              every: {type: string, format: duration}
              since: {type: string, format: date-time}
              blob: {type: string, format: byte}
              short: {type: string, minLength: 2, maxLength: 4}
              tags: {type: array, maxItems: 2, items: {type: string}}
              labels: {type: object, additionalProperties: {type: string}}
              free: {type: object, additionalProperties: true}
              open: {type: object, x-kubernetes-preserve-unknown-fields: true}
              half: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: boolean}}}
              empty: {type: object}
              any: {x-kubernetes-preserve-unknown-fields: true}
              template: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}
          status: {type: object, properties: {size: {type: integer}}}
  - {name: v2}
",
    )
}

#[test]
fn custom_objects_are_judged_by_their_definition() {
    let mut schemas = newest();
    schemas.learn(&definition());
    for (spec, expected) in [
        ("{size: 5}", ""),
        ("{size: 5Gi}", ""),
        (
            "{size: 5.5}",
            "wrong-type spec.size: the number 5.5; a whole number or a string",
        ),
        (
            "{}",
            "refused-by-definition spec.size: absent; a value: it is required",
        ),
        (
            "{size: null}",
            "refused-by-definition spec.size: absent; a value: it is required",
        ),
        (
            "{size: 1, mode: c}",
            "refused-by-definition spec.mode: the string \"c\"; one of a, b",
        ),
        (
            "{size: 1, count: 0}",
            "refused-by-definition spec.count: the number 0; at least 1",
        ),
        (
            "{size: 1, count: 10}",
            "refused-by-definition spec.count: the number 10; less than 10",
        ),
        (
            "{size: 1, count: many}",
            "wrong-type spec.count: the string \"many\"; a whole number",
        ),
        ("{size: 1, ratio: 0.5}", ""),
        (
            "{size: 1, ratio: half}",
            "wrong-type spec.ratio: the string \"half\"; a number",
        ),
        ("{size: 1, every: 5m}", ""),
        (
            "{size: 1, every: 5}",
            "wrong-type spec.every: the number 5; a span of time such as 1h30m, in quotes",
        ),
        (
            "{size: 1, every: soon}",
            "unreadable-value spec.every: no span of time: the string \"soon\"; a span of time such as 1h30m",
        ),
        (
            "{size: 1, since: yesterday}",
            "unreadable-value spec.since: no time: the string \"yesterday\"; a time such as 2026-01-31T12:00:00Z",
        ),
        (
            "{size: 1, blob: '!'}",
            "unreadable-value spec.blob: no base64; base64",
        ),
        (
            "{size: 1, short: abcde}",
            "refused-by-definition spec.short: 5 characters; at most 4 characters",
        ),
        (
            "{size: 1, short: ''}",
            "refused-by-definition spec.short: 0 characters; at least 2 characters",
        ),
        (
            "{size: 1, tags: [a, b, c]}",
            "refused-by-definition spec.tags: 3 items; at most 2 items",
        ),
        (
            "{size: 1, tags: [a, 1]}",
            "wrong-type spec.tags[1]: the number 1; a string, in quotes",
        ),
        (
            "{size: 1, labels: {a: b, c: 1}}",
            "wrong-type spec.labels.c: the number 1; a string, in quotes",
        ),
        ("{size: 1, free: {a: [1, {b: c}]}}", ""),
        ("{size: 1, open: {a: [1, {b: c}]}}", ""),
        (
            "{size: 1, open: []}",
            "wrong-type spec.open: a list; an object",
        ),
        ("{size: 1, half: {known: true, other: 1}}", ""),
        (
            "{size: 1, half: {known: 1}}",
            "wrong-type spec.half.known: the number 1; true or false",
        ),
        (
            "{size: 1, empty: {a: 1}}",
            "unknown-field spec.empty.a: no field there; no field at all",
        ),
        ("{size: 1, any: [1, a, {b: c}]}", ""),
        (
            "{size: 1, template: {apiVersion: v1, kind: A, metadata: {name: a}, spec: {}}}",
            "",
        ),
        (
            "{size: 1, template: {metadata: {nam: a}}}",
            "unknown-field spec.template.metadata.nam: no field of ObjectMeta; did you mean name?",
        ),
        (
            "{size: 1, tag: [a]}",
            "unknown-field spec.tag: no field there; did you mean tags?",
        ),
        (
            "{size: 1, empty: {ratio: 1}}",
            "misplaced-field spec.empty.ratio: nothing reads it there; it belongs at spec.ratio",
        ),
    ] {
        let object = json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": yaml(spec)});
        assert_eq!(told(&schemas, &object).join(" | "), expected, "{spec}");
    }
    let none = json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}});
    assert_eq!(
        told(&schemas, &none),
        ["refused-by-definition spec: absent; a value: it is required"]
    );
    let unknown =
        json!({"apiVersion": "example.org/v2", "kind": "Thing", "metadata": {"name": "a"}});
    assert_eq!(
        schemas.check(&unknown),
        None,
        "a version without a schema is not judged"
    );
}
