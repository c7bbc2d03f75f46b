//! A mesh of a hundred and one products with as many policies as wanted. Seven of them apply to the analyst who asks for
//! `sales.orders`; of the others one in fifty is about the same dataset for other roles.

use std::fmt::Write as _;

use meshgate::mesh::Files;

const ROLES: usize = 50;
const OTHERS: usize = 100;

const GOVERNANCE: &str = r#"
@id("pii-is-masked") @mask("hash") forbid (principal, action == Action::"read", resource)
when { context.column.tags.contains("pii") }
unless { principal in Role::"officer" || (principal in Role::"r1" && context.column.name == "c13") };
@id("confidential-needs-clearance") forbid (principal, action == Action::"read", resource)
when { context.column.classification == "confidential" }
unless { principal has clearance && principal.clearance >= 2 };
@id("finance-needs-a-purpose") @mask("null") forbid (principal, action == Action::"read", resource)
when { context.column.tags.contains("finance") && context.purpose != "closing" };
@id("officers-read-everything") permit (principal in Role::"officer", action == Action::"read", resource);
"#;

const SALES: &str = r#"
@id("analysts-read-their-region")
permit (principal in Role::"analyst", action == Action::"read", resource is sales::orders)
when { principal has region && resource.region == principal.region };
@id("analysts-read-large-amounts-roughly") @mask("bucket(100)")
permit (principal in Role::"analyst", action == Action::"read", resource is sales::orders)
when { context.column.name == "amount" && resource.amount > 1000 };
@id("analysts-read-what-is-public")
permit (principal in Role::"analyst", action == Action::"read", resource in Product::"sales.orders")
when { context.column.classification == "public" };
@id("withheld-rows")
forbid (principal, action == Action::"read", resource is sales::orders)
when { resource has withheld && resource.withheld };
"#;

pub const PRINCIPALS: &str = "ana: { roles: [analyst], attributes: { region: EU, clearance: 1 } }\n";

fn contract(domain: &str, name: &str, properties: &str) -> String {
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {domain}-{name}\nname: {name}\nversion: 1.0.0\nstatus: active\ndomain: {domain}\n\
         servers: [{{server: local, type: local, path: \"{{model}}.parquet\", format: parquet}}]\n\
         schema:\n  - name: {name}\n    properties:\n{properties}"
    )
}

fn wide(columns: usize) -> String {
    let mut out = "      - {name: order_id, logicalType: integer, required: true, classification: public}\n      \
                   - {name: region, logicalType: string, required: true}\n      \
                   - {name: amount, logicalType: integer, required: true}\n      \
                   - {name: withheld, logicalType: boolean}\n"
        .to_owned();
    for at in 4..columns {
        let kind = ["string", "integer", "date", "number"][at % 4];
        let facts = match at % 10 {
            1 => ", tags: [pii]",
            2 => ", tags: [finance]",
            3 => ", classification: confidential",
            _ => "",
        };
        let _ = writeln!(out, "      - {{name: c{at}, logicalType: {kind}{facts}}}");
    }
    out
}

/// Contracts and policies; the dataset asked for has this many columns.
pub fn files(policies: usize, columns: usize) -> Files {
    let mut files = Files::default();
    let mut put = |path: String, text: String| files.texts.insert(path, text);
    let roles: Vec<String> = (0..ROLES).map(|role| format!("r{role}")).collect();
    put(
        "mesh.yaml".to_owned(),
        format!(
            "roles: [analyst, officer, {}]\ntags: [pii, finance]\nclassifications: [public, internal, confidential]\n\
             defaultClassification: internal\nprincipal_attributes: {{ region?: String, clearance?: Long }}\n",
            roles.join(", ")
        ),
    );
    let owner = |name: &str| format!("name: {name}\nowner: {{team: t}}\nsupport: [{{channel: '#c'}}]\n");
    put("sales/domain.yaml".to_owned(), owner("sales"));
    put("sales/orders.odcs.yaml".to_owned(), contract("sales", "orders", &wide(columns)));
    put("governance/all.cedar".to_owned(), GOVERNANCE.to_owned());
    let small = "      - {name: id, logicalType: integer, required: true}\n      - {name: region, logicalType: string, required: true}\n";
    let mut texts = vec![String::new(); OTHERS / 10];
    for domain in 0..OTHERS / 10 {
        put(format!("d{domain}/domain.yaml"), owner(&format!("d{domain}")));
    }
    for product in 0..OTHERS {
        let domain = format!("d{}", product % 10);
        put(format!("{domain}/p{product}.odcs.yaml"), contract(&domain, &format!("p{product}"), small));
    }
    let mut sales = SALES.to_owned();
    for at in 0..policies.saturating_sub(8) {
        // Those about the dataset of the bench are of every role in turn, too.
        let role = if at % 50 == 0 { at / 50 % ROLES } else { at % ROLES };
        let head =
            format!("@id(\"x{at}\") permit (principal in Role::\"r{role}\", action == Action::\"read\", resource is");
        let when = format!("when {{ resource.region == \"v{at}\" }};\n");
        if at % 50 == 0 {
            let _ = write!(sales, "{head} sales::orders) {when}");
        } else {
            let product = at % OTHERS;
            let _ = write!(texts[product % 10], "{head} d{}::p{product}) {when}", product % 10);
        }
    }
    put("sales/policies/all.cedar".to_owned(), sales);
    for (domain, text) in texts.into_iter().enumerate() {
        put(format!("d{domain}/policies/all.cedar"), text);
    }
    files
}
