//! `PolicyException`: which object may break which rule, why, who answers for it, and until when.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, component::LabelSelector};

/// Which object may break which rule, and until when.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "PolicyException",
    namespaced,
    status = "PolicyExceptionStatus",
    derive = "PartialEq",
    shortname = "slexception",
    category = "sluice",
    doc = "Which object may break which rule, why, who answers for it, and until when. In Sluice's own namespace it covers every namespace it matches, elsewhere only its own. What is excepted is let in with a warning; from the second of `expires` on it is refused again.",
    printcolumn(
        name = "Rule",
        type_ = "string",
        json_path = ".spec.rule",
        description = "The rule that may be broken"
    ),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.subject.kind"),
    printcolumn(name = "Subject", type_ = "string", json_path = ".spec.subject.name"),
    printcolumn(
        name = "Owner",
        type_ = "string",
        json_path = ".spec.owner",
        description = "Who answers for it"
    ),
    printcolumn(name = "Until", type_ = "string", json_path = ".spec.expires"),
    printcolumn(
        name = "In force",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"InForce\")].status",
        description = "Whether it counted when its status was last written; the second of `Until` is what decides"
    ),
    printcolumn(
        name = "Used",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Used\")].status",
        description = "Whether an object that exists needs it"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.reason.trim() != '' && self.owner.trim() != ''").message("reason and owner must say something"))]
pub struct PolicyExceptionSpec {
    /// What may break the rule.
    pub subject: ExceptionSubject,
    /// The rule: a built-in one by name or by code, see `sluice rules`; an own one as `policy/rule`, the name of its policy and its own.
    #[schemars(length(min = 1, max = 317))]
    pub rule: String,
    /// Why the rule may be broken.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// Who answers for it: a person, a team, an address. Named in every warning.
    #[schemars(length(min = 1, max = 253))]
    pub owner: String,
    /// From this moment on it counts no more, RFC 3339. It counts only in the last `exceptions.longest` of the configuration before it.
    #[schemars(schema_with = "crate::schema::moment")]
    pub expires: Timestamp,
}

/// What may break a rule: objects of one kind by name, or only a container or a field of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.container) || !has(self.path)").message("set container or path, not both"))]
pub struct ExceptionSubject {
    /// The kind of the object, such as `CronJob`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its name; `*` stands for any text, `?` for one character.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Labels of the namespace; meant for exceptions in Sluice's own namespace. Without them every namespace within reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    /// Only findings about this container; `*` and `?` as in `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub container: Option<String>,
    /// Only findings at this field or below it, such as `spec.template.spec.containers[*].resources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub path: Option<String>,
}

/// Whether the exception counts. Written on change only; never by an admission.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyExceptionStatus {
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`, `InForce`, `Used`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}
