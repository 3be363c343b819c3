//! An Ingress that cannot serve its own certificate because the Secret is not there.

use sluice_api::Action;

use super::named::{list_items, look_up, texts};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const TLS: Read = Read::object("spec.tls");

static INFO: RuleInfo = RuleInfo {
    code: "SLU4010",
    name: "ingress-tls-secret-not-found",
    title: "the Secret with the certificate of an Ingress is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::Ingress],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::Secret)],
    reads: &[TLS],
    document: include_str!("ingress_tls_secret_not_found.md"),
};

struct IngressTlsSecretNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &IngressTlsSecretNotFound;

impl Rule for IngressTlsSecretNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let references = texts(
            list_items(case.view.path(TLS), case.view.written(TLS)),
            "secretName",
        );
        look_up(
            case,
            report,
            Named::Secret,
            references,
            "a Secret that is there",
        );
    }
}
