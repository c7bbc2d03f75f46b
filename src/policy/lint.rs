//! What Cedar's validator lets pass and a mesh must not: closed names, scope, annotations, constructs without a filter.

use std::collections::BTreeSet;

use cedar_policy::pst::{
    ActionConstraint, BinaryOp, EntityOrSlot, EntityType, EntityUID, Expr, Literal, PatternElem, PrincipalConstraint,
    ResourceConstraint, Template, Var,
};

use super::mentions::{Mentions, Problem};
use super::scope::{ACTIONS, Reach, actions};
use super::syntax::{children, is_only_asked, matches, path_of, plain_unary, reads_row};
use super::vocabulary::{Vocabulary, suggestion};
use crate::contract::Status;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Tag,
    Classification,
    Column,
    Product,
    Status,
    Purpose,
}

/// Checks one policy against the words of the mesh. `home` is the domain whose file it stands in; none for governance.
pub(super) fn lint(policy: &Template, home: Option<&str>, words: &Vocabulary) -> (Vec<Problem>, Mentions) {
    let mut walk = Walk {
        words,
        home,
        in_head: false,
        problems: Vec::new(),
        mentions: Mentions::default(),
        reach: None,
        products: !actions(&policy.action).contains(&"read"),
    };
    walk.head(policy);
    walk.in_head = false;
    walk.reach = Reach::of(&policy.resource);
    for clause in policy.clauses() {
        let (cedar_policy::pst::Clause::When(expr) | cedar_policy::pst::Clause::Unless(expr)) = clause;
        walk.expr(expr);
    }
    walk.unknown_columns();
    (walk.problems, walk.mentions)
}

struct Walk<'a> {
    words: &'a Vocabulary,
    home: Option<&'a str>,
    in_head: bool,
    problems: Vec<Problem>,
    mentions: Mentions,
    reach: Option<Reach>,
    /// It does not speak of rows, so `resource` is a product.
    products: bool,
}

impl Walk<'_> {
    fn problem(&mut self, message: String, hint: impl Into<String>, near: Option<String>) {
        let problem = Problem { message, hint: hint.into(), near, in_head: self.in_head };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn head(&mut self, policy: &Template) {
        match &policy.principal {
            PrincipalConstraint::Any => {}
            PrincipalConstraint::Is(kind) => self.caller(kind),
            PrincipalConstraint::Eq(target) | PrincipalConstraint::In(target) => {
                self.target(target);
                self.caller_target(target);
            }
            PrincipalConstraint::IsIn(kind, target) => {
                self.caller(kind);
                self.target(target);
                self.caller_target(target);
            }
        }
        match &policy.action {
            ActionConstraint::Any => {}
            ActionConstraint::Eq(uid) => self.entity(uid),
            ActionConstraint::In(uids) => uids.iter().for_each(|uid| self.entity(uid)),
        }
        self.in_head = true;
        match &policy.resource {
            ResourceConstraint::Any => {}
            ResourceConstraint::Is(kind) => self.entity_type(kind),
            ResourceConstraint::Eq(target) | ResourceConstraint::In(target) => self.target(target),
            ResourceConstraint::IsIn(kind, target) => {
                self.entity_type(kind);
                self.target(target);
            }
        }
        let reach = Reach::of(&policy.resource);
        let speakable = reach
            .as_ref()
            .is_some_and(|reach| reach.only.as_ref().is_none_or(|only| only == "Product" || only.contains("::")));
        if !speakable && !self.problems.iter().any(|problem| problem.in_head) {
            self.problem(
                "the policy's resource is neither rows nor a product nor a domain".to_owned(),
                "write `resource is sales::orders`, `resource in Product::\"sales.orders\"` or \
                 `resource in Domain::\"sales\"`",
                None,
            );
        }
        if let Some(only) = reach.as_ref().and_then(|reach| reach.only.as_ref()) {
            let actions = actions(&policy.action);
            let rows = only != "Product";
            if !actions.is_empty() && !actions.iter().any(|action| (*action == "read") == rows) {
                let (wrong, right) = if rows { ("rows", "products") } else { ("products", "rows") };
                self.problem(
                    format!("the actions of this policy are asked about {right}, its resource is {wrong}"),
                    "`read` is asked about rows; `discover`, `audit` and `edit` about products",
                    None,
                );
            }
        }
        if let (Some(home), Some(reach)) = (self.home, reach)
            && !reach.is_confined_to(home)
        {
            self.problem(
                format!("a policy in the folder of `{home}` reaches outside its domain"),
                format!(
                    "confine its head with `resource in Domain::\"{home}\"` or `resource is {home}::…`; only files in \
                     `governance/` may speak of all domains"
                ),
                None,
            );
        }
    }

    fn caller(&mut self, kind: &EntityType) {
        if kind.to_string() != "User" {
            let hint = "write `principal is User` or `principal in Role::\"…\"`";
            self.problem(format!("a caller is never a `{kind}`"), hint, Some(kind.to_string()));
        }
    }

    fn caller_target(&mut self, target: &EntityOrSlot) {
        if let EntityOrSlot::Entity(uid) = target
            && !matches!(uid.ty.to_string().as_str(), "User" | "Role")
        {
            let hint = "write `principal in Role::\"…\"`";
            self.problem(format!("a caller is never in `{uid}`"), hint, Some(uid.to_string()));
        }
    }

    fn target(&mut self, target: &EntityOrSlot) {
        match target {
            EntityOrSlot::Entity(uid) => self.entity(uid),
            EntityOrSlot::Slot(_) => self.problem(
                "policy templates are not supported".to_owned(),
                "write the entity instead of `?principal` or `?resource`",
                Some("?".to_owned()),
            ),
        }
    }

    fn entity(&mut self, uid: &EntityUID) {
        let kind = uid.ty.to_string();
        let eid = uid.eid.as_str();
        let near = Some(uid.to_string());
        let (what, known): (&str, &BTreeSet<String>) = match kind.as_str() {
            "User" => return,
            "Action" => {
                if !ACTIONS.contains(&eid) {
                    self.problem(format!("there is no action `{eid}`"), suggestion(eid, ACTIONS), near);
                }
                return;
            }
            "Role" => ("role", &self.words.roles),
            "Domain" => ("domain", &self.words.domains),
            "Product" => ("product", &self.words.products),
            _ => {
                self.entity_type(&uid.ty);
                if self.words.row_types.contains(&kind) {
                    self.problem(
                        format!("a row of `{kind}` has no name of its own"),
                        format!("write `resource is {kind}` and compare its columns"),
                        near,
                    );
                }
                return;
            }
        };
        if known.contains(eid) {
            return;
        }
        if what == "product" && self.is_broken(eid.split_once('.').map(|(domain, _)| domain)) {
            self.mentions.set_aside.insert(format!("product `{eid}`"));
            return;
        }
        let hint = suggestion(eid, known);
        self.problem(format!("there is no {what} `{eid}` in this mesh"), hint, near);
    }

    fn entity_type(&mut self, kind: &EntityType) {
        let name = kind.to_string();
        if matches!(name.as_str(), "User" | "Role" | "Domain" | "Product") {
            return;
        }
        if name.contains("::") {
            self.mentions.row_types.insert(name.clone());
        }
        if self.words.row_types.contains(&name) {
            return;
        }
        if self.is_broken(name.split_once("::").map(|(domain, _)| domain)) {
            self.mentions.set_aside.insert(format!("dataset `{}`", name.replace("::", ".")));
            return;
        }
        let hint = suggestion(&name, &self.words.row_types);
        self.problem(format!("there is no dataset for the row type `{name}`"), hint, Some(name));
    }

    /// Only a domain's own policies may name what its broken contract took away.
    fn is_broken(&self, domain: Option<&str>) -> bool {
        domain.is_some_and(|domain| self.home == Some(domain) && self.words.broken.contains(domain))
    }

    /// A column may be of a dataset that a broken contract took away; then nothing can be said of its name.
    fn may_reach_broken(&self, reach: &Reach) -> bool {
        reach.only.is_none()
            && match reach.domain_name() {
                Some(domain) => self.words.broken.contains(domain),
                None => !self.words.broken.is_empty(),
            }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(Literal::EntityUID(uid)) => self.entity(uid),
            Expr::Var(Var::Resource) => self.mentions.whole_row = true,
            Expr::Slot(_) => self.target(&EntityOrSlot::Slot(cedar_policy::pst::SlotId::Resource)),
            Expr::Is { entity_type, .. } => self.entity_type(entity_type),
            Expr::GetAttr { .. } => self.attribute(expr, None),
            Expr::HasAttr { expr, attrs } => {
                let names: Vec<&str> = attrs.iter().map(AsRef::as_ref).collect();
                self.attribute(expr, Some(&names));
            }
            Expr::BinaryOp { op, left, right } => self.operation(*op, left, right),
            Expr::Like { expr, pattern } => match words_of(expr, self.products) {
                Some(Words::Column) => self.column_pattern(pattern),
                Some(Words::Purpose) => self.purpose_pattern(pattern),
                _ => {}
            },
            Expr::UnaryOp { op, expr } if !plain_unary(*op) && reads_row(expr) => self.no_filter(expr),
            _ => {}
        }
        for child in children(expr) {
            if !is_only_asked(expr, child) {
                self.expr(child);
            }
        }
    }

    fn attribute(&mut self, expr: &Expr, below: Option<&[&str]>) {
        let Some((Var::Resource, mut path)) = path_of(expr) else {
            match path_of(expr) {
                Some((Var::Context, path)) if path.first() == Some(&"now") => self.mentions.clock = true,
                Some((Var::Context, path)) if path == ["column", "name"] => self.mentions.column_name = true,
                _ => {}
            }
            return;
        };
        if let Some(names) = below {
            path.extend(names);
        }
        let path = path.join(".");
        if below.is_some() {
            self.mentions.has.insert(path.clone());
        }
        self.mentions.attributes.insert(path);
    }

    fn operation(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        match op {
            BinaryOp::Offset | BinaryOp::DurationSince if reads_row(left) || reads_row(right) => self.no_filter(left),
            BinaryOp::IsInRange | BinaryOp::GetTag | BinaryOp::HasTag if reads_row(left) => self.no_filter(left),
            BinaryOp::Eq | BinaryOp::NotEq | BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny => {}
            _ => return,
        }
        for (asked, given) in [(left, right), (right, left)] {
            if let Some(kind) = words_of(asked, self.products) {
                for word in literals_of(given) {
                    self.word(kind, word);
                }
            }
            if matches!(op, BinaryOp::Eq | BinaryOp::NotEq)
                && let Some((Var::Context, path)) = path_of(asked)
                && matches!(path.as_slice(), [] | ["column" | "product"])
            {
                self.problem(
                    "the context is compared as a whole".to_owned(),
                    "compare its parts, for example `context.column.name == \"email\"`",
                    None,
                );
            }
        }
    }

    fn no_filter(&mut self, expr: &Expr) {
        self.problem(
            "this construct over a column cannot become a filter".to_owned(),
            "compare the column itself with a value, for example `resource.at < context.now`",
            path_of(expr).map(|(_, path)| path.join(".")),
        );
    }

    fn word(&mut self, kind: Words, word: &str) {
        let near = Some(format!("\"{word}\""));
        let missing = |what: &str| format!("there is no {what} `{word}` in this mesh");
        match kind {
            Words::Tag if !self.words.tags.contains(word) => {
                let hint = suggestion(word, &self.words.tags);
                self.problem(missing("tag"), hint, near);
            }
            Words::Classification if !self.words.classifications.contains(word) => {
                let hint = suggestion(word, &self.words.classifications);
                self.problem(missing("classification"), hint, near);
            }
            Words::Product if !self.words.products.contains(word) => {
                if self.is_broken(word.split_once('.').map(|(domain, _)| domain)) {
                    self.mentions.set_aside.insert(format!("product `{word}`"));
                    return;
                }
                let hint = suggestion(word, &self.words.products);
                self.problem(missing("product"), hint, near);
            }
            Words::Status if !Status::ALL.map(Status::as_str).contains(&word) => {
                self.problem(missing("status"), suggestion(word, Status::ALL.map(Status::as_str)), near);
            }
            Words::Purpose => {
                // No purpose at all is the empty text.
                if let Some(known) = &self.words.purposes
                    && !word.is_empty()
                    && !known.contains(word)
                {
                    self.problem(missing("purpose"), suggestion(word, known), near);
                }
            }
            Words::Column => {
                let Some(reach) = self.reach.clone() else { return };
                let mut reached = self.words.reached(&reach).peekable();
                if reached.peek().is_none() || reached.any(|known| known.cells.contains(word)) {
                    return;
                }
                if self.may_reach_broken(&reach) {
                    self.mentions.set_aside.insert(format!("column `{word}`"));
                    return;
                }
                let cells: BTreeSet<String> =
                    self.words.reached(&reach).flat_map(|known| known.cells.iter().cloned()).collect();
                let below: Vec<&String> = cells.iter().filter(|cell| cell.starts_with(&format!("{word}."))).collect();
                let hint = match below.first() {
                    Some(field) => format!("a struct is decided by its fields, for example `{field}`"),
                    None => suggestion(word, &cells),
                };
                self.problem(format!("no dataset that this policy reaches has a column `{word}`"), hint, near);
            }
            _ => {}
        }
    }

    fn column_pattern(&mut self, pattern: &[PatternElem]) {
        let Some(reach) = self.reach.clone() else { return };
        let mut reached = self.words.reached(&reach).peekable();
        if reached.peek().is_none() || reached.any(|known| known.cells.iter().any(|cell| matches(pattern, cell))) {
            return;
        }
        self.problem(
            "no column that this policy reaches is named like this pattern".to_owned(),
            "check the pattern; column names compare exactly",
            Some("like".to_owned()),
        );
    }

    fn purpose_pattern(&mut self, pattern: &[PatternElem]) {
        if self.words.purposes.as_ref().is_none_or(|known| known.iter().any(|word| matches(pattern, word))) {
            return;
        }
        self.problem(
            "no purpose of this mesh is like this pattern".to_owned(),
            "check the pattern, or add the purpose to `purposes` in mesh.yaml; they compare exactly",
            Some("like".to_owned()),
        );
    }

    /// `resource has regon` is simply false to Cedar.
    fn unknown_columns(&mut self) {
        let Some(reach) = self.reach.clone() else { return };
        for path in self.mentions.has.clone() {
            let mut reached = self.words.reached(&reach).peekable();
            if reached.peek().is_none() || reached.any(|known| known.attributes.contains_key(&path)) {
                continue;
            }
            if self.may_reach_broken(&reach) {
                self.mentions.set_aside.insert(format!("column `{path}`"));
                continue;
            }
            let names: BTreeSet<String> =
                self.words.reached(&reach).flat_map(|known| known.attributes.keys().cloned()).collect();
            let hint = suggestion(&path, &names);
            self.problem(format!("no dataset that this policy reaches has a column `{path}`"), hint, Some(path));
        }
    }
}

fn words_of(expr: &Expr, products: bool) -> Option<Words> {
    match expr {
        Expr::IfThenElse { then_expr, else_expr, .. } => {
            words_of(then_expr, products).or_else(|| words_of(else_expr, products))
        }
        Expr::Set(items) => items.iter().find_map(|item| words_of(item, products)),
        _ => match path_of(expr)? {
            // A row may have columns of these names, but no policy can speak of rows and products at once.
            (Var::Resource, path) if products => Some(match path.as_slice() {
                ["tags"] => Words::Tag,
                ["classification"] => Words::Classification,
                ["status"] => Words::Status,
                _ => return None,
            }),
            (Var::Context, path) => Some(match path.as_slice() {
                ["column" | "product", "tags"] => Words::Tag,
                ["column" | "product", "classification"] => Words::Classification,
                ["column", "name"] => Words::Column,
                ["product", "name"] => Words::Product,
                ["product", "status"] => Words::Status,
                ["purpose"] => Words::Purpose,
                _ => return None,
            }),
            _ => None,
        },
    }
}

fn literals_of(expr: &Expr) -> Vec<&str> {
    match expr {
        Expr::Literal(Literal::String(word)) => vec![word.as_str()],
        Expr::Set(items) => items.iter().flat_map(|item| literals_of(item)).collect(),
        Expr::IfThenElse { then_expr, else_expr, .. } => {
            literals_of(then_expr).into_iter().chain(literals_of(else_expr)).collect()
        }
        _ => Vec::new(),
    }
}
