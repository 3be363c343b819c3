//! The table of Kubernetes' fields as it is packed and read.

use crate::schema::table::{
    Table,
    pack::{Fields, PackError, Release, Written, WrittenKind, pack},
};

use super::hostile::Dice;

fn small() -> Release {
    let of = |name: &str| format!("io.example.{name}");
    Release {
        minor: 1,
        definitions: [
            (
                of("Root"),
                Fields::from([
                    ("spec".to_owned(), Written::Ref(of("Spec"))),
                    ("a".to_owned(), Written::Text),
                ]),
            ),
            (
                of("Spec"),
                Fields::from([
                    (
                        "items".to_owned(),
                        Written::List(Box::new(Written::Ref(of("Spec")))),
                    ),
                    ("n".to_owned(), Written::Int32),
                ]),
            ),
            (
                of("Unreached"),
                Fields::from([("secret".to_owned(), Written::Text)]),
            ),
        ]
        .into(),
        kinds: vec![WrittenKind {
            group: String::new(),
            version: "v1".into(),
            kind: "Root".into(),
            definition: of("Root"),
            namespaced: true,
        }],
    }
}

#[test]
fn a_table_is_read_as_it_was_packed_and_shares_what_versions_have_in_common() {
    let mut newer = small();
    newer.minor = 2;
    let one = pack(&[small()]).unwrap();
    let both = pack(&[newer.clone(), small()]).unwrap();
    // the second version costs its number and one place per definition
    assert_eq!(both.len(), one.len() + 2 + 2 * 4);
    newer
        .definitions
        .get_mut("io.example.Spec")
        .unwrap()
        .remove("n");
    let bytes = pack(&[small(), newer]).unwrap();
    let table = Table::of(&bytes).unwrap();
    assert_eq!(table.minors().collect::<Vec<_>>(), [1, 2]);
    let fields = |release: usize| {
        let root = table.kind(release, "v1", "Root").unwrap().object().unwrap();
        let spec = root.field("spec").unwrap().object().unwrap();
        let items = spec.field("items").unwrap().inner().object().unwrap();
        assert_eq!(items.name(), "Spec");
        items.fields().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(fields(0), ["items", "n"]);
    assert_eq!(fields(1), ["items"]);
    assert!(table.kind(0, "v2", "Root").is_none() && table.kind(0, "v1", "Rot").is_none());
    assert!(
        !String::from_utf8_lossy(&bytes).contains("secret"),
        "what no kind reaches is left out"
    );
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let mut release = small();
    release.definitions.remove("io.example.Spec");
    assert_eq!(
        pack(&[release]),
        Err(PackError::Undefined("io.example.Spec".into()))
    );
    assert_eq!(
        pack(&vec![small(); 17]),
        Err(PackError::TooMany("versions"))
    );
}

#[test]
fn a_broken_table_is_read_without_a_panic() {
    let bytes = pack(&[small()]).unwrap();
    let mut dice = Dice(0x5eed_0001);
    for _ in 0..20_000 {
        let mut broken = bytes.clone();
        for _ in 0..=dice.roll(4) {
            let at = 4 + dice.roll(broken.len() - 4);
            broken[at] = u8::try_from(dice.roll(256)).unwrap();
        }
        broken.truncate(4 + dice.roll(broken.len() - 3));
        let table = Table::of(&broken).unwrap();
        assert!(table.minors().count() <= usize::from(u16::MAX));
        if let Some(object) = table.kind(0, "v1", "Root").and_then(|typ| typ.object()) {
            let _ = (
                object.name(),
                object.field("spec"),
                object.fields().take(100).count(),
            );
        }
    }
    assert!(Table::of(b"nonsense").is_none() && Table::of(b"").is_none());
}
