//! The most memory that containers of workloads were seen to use.
//!
//! Metrics know pods, rules know workloads. Which workload a pod is of is told by its name alone ([`ObservedPeak::of_pod`]), as controllers make it: metrics
//! carry no owner, and pods of last week cannot be asked any more. A name that no controller would make is of nobody.

use sluice_tree::Value;

use super::{items, text};
use crate::{capacity::Quantity, view::Kind};

/// The letters of what controllers append to a name: no vowels, and nothing that looks like one.
const SUFFIX: &str = "bcdfghjklmnpqrstvwxz2456789";

/// The most that the containers of one name of one workload were seen to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedPeak {
    /// The kind of the workload.
    pub kind: Kind,
    /// Its name.
    pub workload: String,
    /// The container.
    pub container: String,
    /// How much.
    pub memory: Quantity,
}

impl ObservedPeak {
    /// What an `ObservedPeaks` document says under `memory`; what is no peak is left out.
    #[must_use]
    pub fn all_of(document: &Value) -> Vec<Self> {
        items(document, "memory")
            .iter()
            .filter_map(|item| Self::read(item).ok())
            .collect()
    }

    /// What of an `ObservedPeaks` document is no peak: its path, what is there and what would pass.
    #[must_use]
    pub fn misfits_of(document: &Value) -> Vec<(String, String)> {
        if !document.get("memory").is_some_and(Value::is_array) {
            let says = "memory: no list; passes: a list of kind, name, container and peak";
            return vec![("memory".to_owned(), says.to_owned())];
        }
        let misfit = |(place, item)| {
            let (field, says) = Self::read(item).err()?;
            let path = format!("memory[{place}]{field}");
            Some((path.clone(), format!("{path}: {says}")))
        };
        items(document, "memory")
            .iter()
            .enumerate()
            .filter_map(misfit)
            .collect()
    }

    fn read(item: &Value) -> Result<Self, (&'static str, String)> {
        const FIELDS: [&str; 4] = ["kind", "name", "container", "peak"];
        let strange = |name: &sluice_tree::Key| !FIELDS.contains(&name.as_str());
        match item.as_object() {
            Some(fields) if !fields.keys().any(strange) => {}
            _ => {
                return Err((
                    "",
                    "passes: a map of kind, name, container and peak".to_owned(),
                ));
            }
        }
        let named = |field, path| match text(item, field) {
            empty if empty.is_empty() => Err((path, "absent; passes: a name".to_owned())),
            name => Ok(name),
        };
        let kind = text(item, "kind");
        let found = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        let Some(kind) = found else {
            let short: String = kind.chars().take(80).collect();
            return Err((
                ".kind",
                format!("{short:?}; passes: the kind of a workload"),
            ));
        };
        let memory = Quantity::of(item.get("peak").unwrap_or(&Value::Null));
        Ok(Self {
            kind,
            workload: named("name", ".name")?,
            container: named("container", ".container")?,
            memory: memory.map_err(|error| (".peak", error.to_string()))?,
        })
    }

    /// The peak of a container of a pod, for the workload that the pod is of. `None` where its name does not tell, or the amount is none.
    #[must_use]
    pub fn of_pod(pod: &str, container: &str, bytes: f64) -> Option<Self> {
        let (kind, workload) = owner(pod)?;
        if !bytes.is_finite() || bytes < 0.0 || container.is_empty() {
            return None;
        }
        // whole Mi, as people write limits; a float of this size is exact
        let mebibytes = (bytes / f64::from(1 << 20)).ceil();
        Some(Self {
            kind,
            workload: workload.to_owned(),
            container: container.to_owned(),
            memory: format!("{mebibytes:.0}Mi").parse().ok()?,
        })
    }

    /// What it is about, in the order of a list that is searched.
    #[must_use]
    pub fn about(&self) -> (Kind, &str, &str) {
        (self.kind, &self.workload, &self.container)
    }

    /// Puts a peak into a sorted list; of two about the same the greater one counts.
    pub fn put(self, sorted: &mut Vec<Self>) {
        match sorted.binary_search_by(|known| known.about().cmp(&self.about())) {
            Ok(place) if sorted[place].memory < self.memory => sorted[place] = self,
            Ok(_) => {}
            Err(place) => sorted.insert(place, self),
        }
    }
}

/// What was observed in one namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peaks<'a> {
    sorted: &'a [ObservedPeak],
    /// Why there may be others; empty where nobody observes anything.
    pub missing: &'a str,
}

impl<'a> Peaks<'a> {
    /// These were observed; `missing` says why others may not have been. They must be sorted by [`ObservedPeak::about`].
    #[must_use]
    pub const fn new(sorted: &'a [ObservedPeak], missing: &'a str) -> Self {
        Self { sorted, missing }
    }

    /// What was observed.
    #[must_use]
    pub const fn items(&self) -> &'a [ObservedPeak] {
        self.sorted
    }

    /// The peak of a container; `None` when none was observed, which says nothing about how much it uses.
    #[must_use]
    pub fn of(&self, kind: Kind, workload: &str, container: &str) -> Option<Quantity> {
        let about = (kind, workload, container);
        let place = self
            .sorted
            .binary_search_by(|known| known.about().cmp(&about));
        place.ok().map(|place| self.sorted[place].memory)
    }
}

/// The workload of a pod.
fn owner(pod: &str) -> Option<(Kind, &str)> {
    let random = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.chars().all(|c| SUFFIX.contains(c))
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (rest, last) = pod.rsplit_once('-').filter(|(rest, _)| !rest.is_empty())?;
    if random(last, 5, 5) {
        // name-hash-suffix of a Deployment, name-minutes-suffix of a CronJob: a DaemonSet whose own name ends so is taken for one of these
        return Some(
            match rest.rsplit_once('-').filter(|(name, _)| !name.is_empty()) {
                Some((name, minutes)) if digits(minutes) && minutes.len() == 8 => {
                    (Kind::CronJob, name)
                }
                Some((name, hash)) if random(hash, 6, 10) => (Kind::Deployment, name),
                _ => (Kind::DaemonSet, rest),
            },
        );
    }
    digits(last).then_some((Kind::StatefulSet, rest))
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn the_name_of_a_pod_says_whose_it_is() {
        for (pod, expected) in [
            (
                "checkout-7d9f8b6c5d-x2v4q",
                Some((Kind::Deployment, "checkout")),
            ),
            (
                "checkout-api-7d9f8b6c5d-x2v4q",
                Some((Kind::Deployment, "checkout-api")),
            ),
            ("reports-29384760-x2v4q", Some((Kind::CronJob, "reports"))),
            ("db-0", Some((Kind::StatefulSet, "db"))),
            ("db-12", Some((Kind::StatefulSet, "db"))),
            (
                "node-exporter-x2v4q",
                Some((Kind::DaemonSet, "node-exporter")),
            ),
            ("kube-proxy-x2v4q", Some((Kind::DaemonSet, "kube-proxy"))),
            ("agent-x2v4q", Some((Kind::DaemonSet, "agent"))),
            // by hand
            ("toolbox", None),
            ("tool-box", None),
            ("agent-abcde", None),
            ("-0", None),
            ("-x2v4q", None),
            ("", None),
        ] {
            let peak = ObservedPeak::of_pod(pod, "main", 1.0);
            let found = peak
                .as_ref()
                .map(|peak| (peak.kind, peak.workload.as_str()));
            assert_eq!(found, expected, "{pod}");
        }
    }

    #[test]
    fn amounts_are_whole_mebibytes_and_what_is_none_is_left_out() {
        let of =
            |bytes| ObservedPeak::of_pod("db-0", "main", bytes).map(|peak| peak.memory.to_string());
        for (bytes, expected) in [
            (0.0, Some("0Mi")),
            (1.0, Some("1Mi")),
            (f64::from(1 << 20), Some("1Mi")),
            (500.5 * f64::from(1 << 20), Some("501Mi")),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (-1.0, None),
        ] {
            let expected = expected.map(|text| text.parse::<Quantity>().unwrap().to_string());
            assert_eq!(of(bytes), expected, "{bytes}");
        }
        assert_eq!(ObservedPeak::of_pod("db-0", "", 1.0), None);
    }

    #[test]
    fn the_greatest_of_several_counts_and_what_was_not_observed_is_not_known() {
        let mut sorted = Vec::new();
        for (pod, mebibytes) in [("b-0", 3.0), ("a-0", 9.0), ("b-1", 7.0), ("b-2", 5.0)] {
            let peak = ObservedPeak::of_pod(pod, "main", mebibytes * f64::from(1 << 20));
            peak.unwrap().put(&mut sorted);
        }
        assert_eq!(sorted.len(), 2);
        let peaks = Peaks::new(&sorted, "");
        let of = |workload| peaks.of(Kind::StatefulSet, workload, "main");
        assert_eq!(of("b"), "7Mi".parse().ok());
        assert_eq!(of("a"), "9Mi".parse().ok());
        assert_eq!(of("c"), None);
        assert_eq!(peaks.of(Kind::Deployment, "b", "main"), None);
        assert_eq!(peaks.of(Kind::StatefulSet, "b", "other"), None);
    }

    #[test]
    fn a_document_lists_peaks_and_what_is_none_is_left_out() {
        let document = json!({"memory": [
            {"kind": "Deployment", "name": "a", "container": "main", "peak": "420Mi"},
            {"kind": "Deployment", "name": "a", "container": "main", "peak": "much"},
            {"kind": "Service", "name": "a", "container": "main", "peak": "1Mi"},
            {"kind": "Job"}, 3,
        ]});
        let found = ObservedPeak::all_of(&document);
        let misfits = ObservedPeak::misfits_of(&document);
        let paths: Vec<&str> = misfits.iter().map(|(path, _)| path.as_str()).collect();
        let expected = [
            "memory[1].peak",
            "memory[2].kind",
            "memory[3].name",
            "memory[4]",
        ];
        assert_eq!(paths, expected, "{misfits:?}");
        assert_eq!(ObservedPeak::misfits_of(&json!({})).len(), 1);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].about(), (Kind::Deployment, "a", "main"));
        assert_eq!(ObservedPeak::all_of(&json!({"memory": "x"})), []);
    }
}
