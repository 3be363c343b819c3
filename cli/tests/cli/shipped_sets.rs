//! The shipped sets as a pipeline uses them, by name.

use crate::folder::{Folder, text};

/// Not the one of the rule's document, which SARIF carries.
const SECRET: &str = "hunter7";

#[test]
fn no_form_of_the_verdict_shows_a_secret() {
    let folder = Folder::new("secret");
    // the second finding, about the image, is shown with the same line
    folder.write(
        "d.yaml",
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: d, namespace: shop}}\nspec:\n  containers:\n  - {{name: app, image: nginx, env: [{{name: DB_PASSWORD, value: {SECRET}}}]}}\n  - name: next\n    image: nginx\n    env:\n    - name: API_TOKEN\n      value: {SECRET}\n"
        ),
    );
    for form in [
        "text", "concise", "json", "yaml", "sarif", "junit", "github", "gitlab",
    ] {
        let output = folder.sluice(&format!(
            "check d.yaml --policies security-basics -o {form}"
        ));
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{form}: {said}");
        assert!(said.contains("SLU6011"), "{form}: {said}");
        assert!(!said.contains(SECRET), "{form}: {said}");
        if form == "text" {
            assert!(said.contains("value: •••••••}]}"), "{said}");
            assert!(said.contains("      value: •••••••\n"), "{said}");
        }
    }
}

#[test]
fn an_api_version_that_is_gone_is_found_for_any_kind() {
    let folder = Folder::new("gone");
    let schema = |version: &str| {
        format!(
            "apiVersion: flowcontrol.apiserver.k8s.io/{version}\nkind: FlowSchema\nmetadata: {{name: a}}\nspec: {{}}\n"
        )
    };
    folder.write("gone.yaml", schema("v1beta3"));
    folder.write("here.yaml", schema("v1"));
    for (file, code, words) in [
        (
            "gone.yaml",
            1,
            "gone.yaml:1:1: deny: SLU7001 api-version-removed at apiVersion: flowcontrol.apiserver.k8s.io/v1beta3 of FlowSchema, gone since Kubernetes 1.32; passes: flowcontrol.apiserver.k8s.io/v1",
        ),
        (
            "here.yaml",
            0,
            "no rule knows FlowSchema of flowcontrol.apiserver.k8s.io/v1",
        ),
    ] {
        let output = folder.sluice(&format!("check {file}"));
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{file}: {said}");
        assert!(said.contains(words), "{file}: {said}");
    }
}
