//! With `--principals`: products that none of them can read, or could publish a change of.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::mesh::{Product, Snapshot};
use crate::name::QualifiedProduct;
use crate::policy::{Decision, Described, PolicyStore, Principals, ProductAction};

pub fn findings(snapshot: &Snapshot, policies: &PolicyStore, principals: &Principals, now: i64) -> Vec<Diagnostic> {
    // Every version of a product, and whether somebody reads one of them.
    let mut products: BTreeMap<&QualifiedProduct, (Vec<&Product>, bool)> = BTreeMap::new();
    for entry in snapshot.tables.values() {
        let (versions, readable) = products.entry(&entry.product.name).or_default();
        if !versions.iter().any(|known| known.contract.file == entry.product.contract.file) {
            versions.push(&entry.product);
        }
        *readable = *readable
            || principals.iter().any(|who| {
                let decision = policies.authorize(&who.principal, &who.purpose, now, entry);
                matches!(decision, Decision::Exposed(_))
            });
    }
    let start = |versions: &[&Product]| {
        let file = versions.last().map(|product| product.contract.file.clone()).unwrap_or_default();
        Place { file, line: 1, column: 1 }
    };
    let mut findings = Vec::new();
    let unread = products.iter().filter(|(_, (_, readable))| !readable);
    findings.extend(unread.map(|(name, (versions, _))| {
        Diagnostic::warning(Kind::Invalid, format!("none of the principals can read `{name}`"))
            .hint("add a permit for `read`, or add who may read it to the principals")
            .at(start(versions))
    }));
    if !policies.permits_some(ProductAction::Edit) {
        findings.push(
            Diagnostic::warning(Kind::Invalid, "no policy permits `edit`: none of the principals may publish changes")
                .hint("add a permit for `action == Action::\"edit\"`, for example to a domain's owners"),
        );
        return findings;
    }
    for (name, (versions, _)) in &products {
        let edits = |who: &Described| {
            versions.iter().any(|product| policies.may(ProductAction::Edit, &who.principal, &who.purpose, now, product))
        };
        if !principals.iter().any(edits) {
            let message = format!("none of the principals may `edit` the product `{name}`");
            findings.push(
                Diagnostic::error(Kind::Invalid, message)
                    .hint(
                        "with this change none of them could publish the next one; leave somebody a permit for `edit`",
                    )
                    .at(start(versions)),
            );
        }
    }
    findings
}
