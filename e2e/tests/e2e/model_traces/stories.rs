//! What is played: written by hand where a rule of the controller is meant, and drawn from fixed seeds where nobody thought of it.
//!
//! Only stories that end in the same states however quick the controllers are. The one race found is left out: a template with available pods is written
//! back under the pin, and the Deployment controller may or may not see that they no longer count. Its outcomes are in the model's own tests.

use serde_json::{Value, json};

use super::trace::{Act, Pods};
use crate::dice::Dice;

pub struct Story {
    pub name: String,
    pub steps: Vec<(String, Act)>,
}

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;
/// Values of the users.
const QUARTER: (&str, &str) = ("25%", "25%");
const NEVER_READY: &str = "a:v2--never-ready";
/// Ends before it is ever ready.
const CRASHES: &str = "a:v2--crash-loop--slow-start-5s";

pub fn all() -> Vec<Story> {
    let mut stories = vec![
        stepped(),
        replaced(),
        all_kept(),
        scaled_by_numbers(),
        scaled_by_percents(),
        held(),
        paused_halfway(),
        superseded(),
        reverted(),
        never_ready(),
        crashing(),
        sick_old_version(),
        deleted_pods(),
        short_history(),
        no_history(),
        recreated(),
        ready_for_a_second(),
    ];
    stories.extend(SEEDS.map(drawn));
    stories
}

fn story(name: &str, steps: Vec<(&str, Act)>) -> Story {
    Story {
        name: name.to_owned(),
        steps: steps
            .into_iter()
            .map(|(tells, act)| (tells.to_owned(), act))
            .collect(),
    }
}

fn template(image: &str) -> Value {
    json!({"spec": {"containers": [{"name": "main", "image": image}]}})
}

fn limits(surge: impl Into<Value>, unavailable: impl Into<Value>) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge.into(), "maxUnavailable": unavailable.into()}})
}

fn new(replicas: u32) -> (&'static str, Act) {
    let spec = json!({
        "replicas": replicas, "template": template("a:v1"), "strategy": limits(QUARTER.0, QUARTER.1), "progressDeadlineSeconds": 600,
    });
    ("v1 is made", Act::Write(spec))
}

fn write(spec: Value) -> Act {
    Act::Write(spec)
}

fn hold(image: &str) -> Act {
    write(json!({"paused": true, "template": template(image)}))
}

fn pin(surge: impl Into<Value>, unavailable: impl Into<Value>) -> Act {
    write(json!({
        "paused": false, "minReadySeconds": 2_147_483_646, "progressDeadlineSeconds": 2_147_483_647,
        "strategy": limits(surge, unavailable),
    }))
}

fn limit(surge: impl Into<Value>, unavailable: impl Into<Value>) -> Act {
    write(json!({"strategy": limits(surge, unavailable)}))
}

fn scale(replicas: u32) -> Act {
    write(json!({"replicas": replicas}))
}

fn apply(image: &str) -> Act {
    write(json!({"template": template(image)}))
}

fn paused(paused: bool) -> Act {
    write(json!({"paused": paused}))
}

/// What the user wrote, again; with the template of a rollback when one is named.
fn restored(back: Option<&str>) -> Act {
    let mut spec = json!({
        "paused": false, "minReadySeconds": 0, "progressDeadlineSeconds": 600, "strategy": limits(QUARTER.0, QUARTER.1),
    });
    if let Some(image) = back {
        spec["template"] = template(image);
    }
    write(spec)
}

fn sicken(image: &str, pods: usize) -> Act {
    Act::Sicken(Pods {
        image: image.to_owned(),
        pods,
    })
}

fn delete(image: &str, pods: usize) -> Act {
    Act::Delete(Pods {
        image: image.to_owned(),
        pods,
    })
}

fn stepped() -> Story {
    story(
        "stepped",
        vec![
            new(10),
            ("v2 is held at zero", hold("a:v2")),
            ("one beside", pin(1, 0)),
            ("one retires", limit(0, 1)),
            ("two beside", limit(2, 1)),
            ("two retire", limit(0, 3)),
            ("three beside", limit(3, 3)),
            ("three retire", limit("0%", "60%")),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn replaced() -> Story {
    story(
        "replaced",
        vec![
            new(7),
            ("v2 is held at zero", hold("a:v2")),
            ("one is replaced", pin(0, 1)),
            ("three are replaced", limit(0, 3)),
            ("more than there are", limit(0, 9)),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn all_kept() -> Story {
    story(
        "all-kept",
        vec![
            new(6),
            ("v2 is held at zero", hold("a:v2")),
            ("a third beside", pin("34%", 0)),
            ("all beside", limit("100%", 0)),
            ("more than all", limit(9, 0)),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn scaled_by_numbers() -> Story {
    story(
        "scaled-by-numbers",
        vec![
            new(10),
            ("v2 is held at zero", hold("a:v2")),
            ("two are replaced", pin(0, 2)),
            ("scaled up", scale(20)),
            ("scaled down", scale(5)),
            ("scaled up again", scale(11)),
            ("one beside", limit(1, 4)),
            ("scaled up with a surge", scale(16)),
            ("scaled down with a surge", scale(9)),
            ("scaled to zero", scale(0)),
            ("scaled from zero", scale(6)),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn scaled_by_percents() -> Story {
    story(
        "scaled-by-percents",
        vec![
            new(10),
            ("v2 is held at zero", hold("a:v2")),
            ("a fifth is replaced", pin(0, "20%")),
            ("scaled up", scale(20)),
            ("scaled down", scale(5)),
            ("scaled up again", scale(17)),
            ("half is replaced", limit(0, "50%")),
            ("scaled down again", scale(8)),
            ("scaled to one", scale(1)),
            ("scaled from one", scale(12)),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn held() -> Story {
    story(
        "held",
        vec![
            new(8),
            ("v2 is held at zero", hold("a:v2")),
            ("scaled up while held", scale(13)),
            ("scaled down while held", scale(3)),
            ("another template while held", hold("a:v3")),
            ("scaled to zero while held", scale(0)),
            ("scaled from zero while held", scale(4)),
            ("resumed", paused(false)),
        ],
    )
}

fn paused_halfway() -> Story {
    story(
        "paused-halfway",
        vec![
            new(10),
            ("a version that is never ready", apply(NEVER_READY)),
            ("paused", paused(true)),
            ("scaled up while paused", scale(15)),
            ("scaled down while paused", scale(7)),
            ("other limits while paused", limit(1, 0)),
            ("scaled by one while paused", scale(8)),
            ("resumed", paused(false)),
            ("the first version again", apply("a:v1")),
        ],
    )
}

fn superseded() -> Story {
    story(
        "superseded",
        vec![
            new(10),
            ("v2 is held at zero", hold("a:v2")),
            ("two are replaced", pin(0, 2)),
            ("a third template", apply("a:v3")),
            ("one more beside", limit(1, 2)),
            ("four are replaced", limit(0, 4)),
            ("a fourth template, held", hold("a:v4")),
            ("let go within the same limits", paused(false)),
            ("scaled up with three versions", scale(14)),
            ("the second again", apply("a:v2")),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn reverted() -> Story {
    story(
        "reverted",
        vec![
            new(10),
            ("v2 is held at zero", hold("a:v2")),
            ("three beside", pin(3, 0)),
            ("three retire", limit(0, 3)),
            ("back in one write", restored(Some("a:v1"))),
            ("v2 is held at zero again", hold("a:v2")),
            ("back from zero", restored(Some("a:v1"))),
            ("v2 under the pin", hold("a:v2")),
            ("half is replaced", pin(0, "50%")),
            ("back from half", restored(Some("a:v1"))),
        ],
    )
}

fn never_ready() -> Story {
    story(
        "never-ready",
        vec![
            new(10),
            ("a version that is never ready", apply(NEVER_READY)),
            ("scaled up", scale(18)),
            ("scaled down", scale(6)),
            ("wider limits", limit("50%", "50%")),
            ("a fix", apply("a:v3")),
            ("never ready again", apply(NEVER_READY)),
            ("back", apply("a:v3")),
        ],
    )
}

fn crashing() -> Story {
    story(
        "crashing",
        vec![
            new(10),
            ("v2 is held at zero", hold(CRASHES)),
            ("one beside crashes", pin(1, 0)),
            ("one retires all the same", limit(0, 1)),
            ("scaled up", scale(12)),
            ("back in one write", restored(Some("a:v1"))),
        ],
    )
}

fn sick_old_version() -> Story {
    story(
        "sick-old-version",
        vec![
            new(10),
            ("three of v1 are sick", sicken("a:v1", 3)),
            ("v2 is held at zero", hold("a:v2")),
            ("one beside", pin(1, 0)),
            ("one retires", limit(0, 1)),
            ("one of v2 is sick", sicken("a:v2", 1)),
            ("two more are replaced", limit(0, 3)),
            ("one more of v1 is sick", sicken("a:v1", 1)),
            ("five are replaced", limit(0, 5)),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn deleted_pods() -> Story {
    story(
        "deleted-pods",
        vec![
            new(9),
            ("v2 is held at zero", hold("a:v2")),
            ("three are replaced", pin(0, 3)),
            ("two of v2 are deleted", delete("a:v2", 2)),
            ("three of v1 are deleted", delete("a:v1", 3)),
            ("one beside", limit(1, 3)),
            ("all of v2 are deleted", delete("a:v2", 4)),
            ("five are replaced", limit(0, 5)),
            ("all of v1 are deleted", delete("a:v1", 4)),
            ("the originals are restored", restored(None)),
        ],
    )
}

fn short_history() -> Story {
    let keep = |count: u32| write(json!({"revisionHistoryLimit": count}));
    story(
        "short-history",
        vec![
            new(3),
            ("one old version is kept", keep(1)),
            ("v2", apply("a:v2")),
            ("v3", apply("a:v3")),
            ("v4 is held at zero", hold("a:v4")),
            ("let go", paused(false)),
            ("v5 under the pin", hold("a:v5")),
            ("one is replaced", pin(0, 1)),
            ("v6 instead", apply("a:v6")),
            ("more are kept", keep(3)),
            ("the originals are restored", restored(None)),
            ("v7", apply("a:v7")),
        ],
    )
}

fn no_history() -> Story {
    story(
        "no-history",
        vec![
            new(4),
            (
                "no old version is kept",
                write(json!({"revisionHistoryLimit": 0})),
            ),
            ("v2 is held at zero", hold("a:v2")),
            ("one is replaced", pin(0, 1)),
            ("v3 instead", apply("a:v3")),
            ("all beside", limit(4, 1)),
            ("the originals are restored", restored(None)),
            ("v4, held", hold("a:v4")),
            ("scaled to zero while held", scale(0)),
            ("scaled from zero while held", scale(2)),
            ("let go", paused(false)),
        ],
    )
}

fn recreated() -> Story {
    let recreate = || write(json!({"strategy": {"type": "Recreate", "rollingUpdate": null}}));
    story(
        "recreated",
        vec![
            new(5),
            ("all or nothing", recreate()),
            ("v2", apply("a:v2")),
            ("scaled up", scale(8)),
            ("v3 is held at zero", hold("a:v3")),
            ("scaled down while held", scale(4)),
            ("let go", paused(false)),
            ("a version that is never ready", apply(NEVER_READY)),
            ("back", apply("a:v3")),
            ("step by step again", limit(1, 0)),
            ("v4", apply("a:v4")),
        ],
    )
}

fn ready_for_a_second() -> Story {
    story(
        "ready-for-a-second",
        vec![
            new(6),
            (
                "available after a second",
                write(json!({"minReadySeconds": 1})),
            ),
            ("v2", apply("a:v2")),
            ("the pin without a release", pin(1, 0)),
            ("v3 under the pin", apply("a:v3")),
            ("two retire", limit(0, 2)),
            ("the originals are restored", restored(None)),
        ],
    )
}

/// A story nobody thought of; the same seed tells the same one.
fn drawn(seed: u64) -> Story {
    let mut dice = Dice::new(seed);
    let mut replicas = dice.between(3, 12);
    let mut image = "a:v2".to_owned();
    let mut version = 2;
    let first = new(u32::try_from(replicas).unwrap_or(3));
    let mut steps = vec![
        (first.0.to_owned(), first.1),
        ("v2 is held".to_owned(), hold("a:v2")),
    ];
    let mut held = true;
    for _ in 0..dice.between(9, 11) {
        // a hold is soon let go, or nothing would happen
        let what = if held && dice.chance(60) {
            5
        } else {
            dice.between(0, 11)
        };
        held = false;
        steps.push(match what {
            0..=2 => {
                replicas = dice.between(1, 16);
                let spec = json!({"replicas": replicas});
                (format!("scaled to {replicas}"), write(spec))
            }
            3 => {
                version += 1;
                let words = if dice.chance(40) { "--never-ready" } else { "" };
                image = format!("a:v{version}{words}");
                held = true;
                (format!("{image} is held"), hold(&image))
            }
            4 => {
                version += 1;
                image = format!("a:v{version}");
                (
                    format!("{image} within the limits that stand"),
                    apply(&image),
                )
            }
            5 => {
                let (surge, unavailable) = (dice.between(1, 3), dice.between(0, replicas / 2));
                let tells = format!("{surge} beside, {unavailable} retire");
                (tells, pin(surge, unavailable))
            }
            6 | 7 => {
                let percent = format!("{}%", dice.between(10, 80));
                (format!("{percent} are replaced"), pin(0, percent))
            }
            8 => {
                let count = usize::try_from(dice.between(1, 2)).unwrap_or(1);
                (
                    format!("{count} of {image} are deleted"),
                    delete(&image, count),
                )
            }
            9 => ("one of v1 is sick".to_owned(), sicken("a:v1", 1)),
            10 => ("the first version again".to_owned(), restored(Some("a:v1"))),
            _ => ("the originals are restored".to_owned(), restored(None)),
        });
    }
    steps.push(("all is over".to_owned(), restored(Some("a:v1"))));
    Story {
        name: format!("drawn-{seed}"),
        steps,
    }
}
