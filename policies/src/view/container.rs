//! The containers of a pod and the part each of them plays.

use sluice_tree::Value;

use super::lookup;

/// The part a container plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: stays beside the main containers.
    Sidecar,
    /// An ordinary container.
    Main,
}

/// One container.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    /// Its object.
    pub value: &'a Value,
    /// The part it plays.
    pub role: Role,
    /// Its place in its list.
    pub index: usize,
}

impl<'a> Container<'a> {
    /// Its name; empty when it has none.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.value
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The list of the pod it stands in.
    #[must_use]
    pub const fn list(&self) -> &'static str {
        match self.role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::Main => "containers",
        }
    }

    /// The value at a dotted path of the container.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&'a Value> {
        lookup(self.value, path)
    }
}

pub(super) fn of_pod<'a>(pod: Option<&'a Value>) -> impl Iterator<Item = Container<'a>> + use<'a> {
    let list = move |name: &str| {
        pod.and_then(|pod| lookup(pod, name))
            .and_then(Value::as_array)
            .unwrap_or_default()
    };
    let init = list("initContainers")
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let always = value.get("restartPolicy").and_then(Value::as_str) == Some("Always");
            Container {
                value,
                role: if always { Role::Sidecar } else { Role::Init },
                index,
            }
        });
    let main = list("containers")
        .iter()
        .enumerate()
        .map(|(index, value)| Container {
            value,
            role: Role::Main,
            index,
        });
    init.chain(main)
}
