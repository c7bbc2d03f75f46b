//! What Cedar's validator lets pass and a mesh must not: closed names, scope, annotations, constructs without a filter.

use std::collections::BTreeSet;

use cedar_policy::pst::{
    ActionConstraint, BinaryOp, EntityOrSlot, EntityType, EntityUID, Expr, Literal, PatternElem, PrincipalConstraint,
    ResourceConstraint, Template, UnaryOp, Var,
};

use super::scope::{ACTIONS, Reach, actions};
use super::vocabulary::{Vocabulary, suggestion};

/// One thing wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub message: String,
    pub hint: String,
    /// The text to look for inside the policy, so that the finding points at it.
    pub near: Option<String>,
    /// The head itself cannot be trusted: what the policy was meant to reach is not known.
    pub in_head: bool,
}

/// What the conditions of a policy mention.
#[derive(Debug, Clone, Default)]
pub(super) struct Mentions {
    pub clock: bool,
    pub column_name: bool,
    /// Entity types of rows.
    pub row_types: BTreeSet<String>,
    /// Dotted paths below `resource`.
    pub attributes: BTreeSet<String>,
    /// Those asked with `has`.
    pub has: BTreeSet<String>,
    /// The row is used as a value, so any of its columns may bear on the condition.
    pub whole_row: bool,
    /// A word of a domain whose contract is broken: the policy is set aside, not refused.
    pub set_aside: Option<String>,
}

impl Mentions {
    /// True when a top-level column, or a field inside it, is named.
    pub fn names_column(&self, name: &str) -> bool {
        self.attributes
            .iter()
            .any(|path| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Tag,
    Classification,
    Column,
    Product,
    Status,
}

const STATUSES: [&str; 5] = ["proposed", "draft", "active", "deprecated", "retired"];

/// Checks one policy against the words of the mesh. `home` is the domain whose file it stands in; none for governance.
pub(super) fn lint(policy: &Template, home: Option<&str>, words: &Vocabulary) -> (Vec<Problem>, Mentions) {
    let mut walk = Walk {
        words,
        home,
        in_head: true,
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
            PrincipalConstraint::Is(kind) => self.entity_type(kind),
            PrincipalConstraint::Eq(target) | PrincipalConstraint::In(target) => self.target(target),
            PrincipalConstraint::IsIn(kind, target) => {
                self.entity_type(kind);
                self.target(target);
            }
        }
        match &policy.action {
            ActionConstraint::Any => {}
            ActionConstraint::Eq(uid) => self.entity(uid),
            ActionConstraint::In(uids) => uids.iter().for_each(|uid| self.entity(uid)),
        }
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
        if reach.is_none() && self.problems.is_empty() {
            self.problem(
                "the policy's resource is neither rows nor a product nor a domain".to_owned(),
                "write `resource is sales::orders`, `resource in Product::\"sales.orders\"` or \
                 `resource in Domain::\"sales\"`",
                None,
            );
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
                    let known: Vec<String> = ACTIONS.into_iter().map(str::to_owned).collect();
                    self.problem(format!("there is no action `{eid}`"), suggestion(eid, &known), near);
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
            self.mentions.set_aside = Some(format!("product `{eid}`"));
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
            self.mentions.set_aside = Some(format!("dataset `{}`", name.replace("::", ".")));
            return;
        }
        let hint = suggestion(&name, &self.words.row_types);
        self.problem(format!("there is no dataset for the row type `{name}`"), hint, Some(name));
    }

    /// Only a domain's own policies may name what its broken contract took away.
    fn is_broken(&self, domain: Option<&str>) -> bool {
        domain.is_some_and(|domain| self.home == Some(domain) && self.words.broken.contains(domain))
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
            Expr::Like { expr, pattern } if words_of(expr, self.products) == Some(Words::Column) => {
                self.column_pattern(pattern);
            }
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
                let hint = suggestion(word, &self.words.products);
                self.problem(missing("product"), hint, near);
            }
            Words::Status if !STATUSES.contains(&word) => {
                let known: Vec<String> = STATUSES.into_iter().map(str::to_owned).collect();
                self.problem(missing("status"), suggestion(word, &known), near);
            }
            Words::Column => {
                let Some(reach) = self.reach.clone() else { return };
                let mut reached = self.words.reached(&reach).peekable();
                if reached.peek().is_none() || reached.any(|known| known.cells.contains(word)) {
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

    /// `resource has regon` is simply false to Cedar.
    fn unknown_columns(&mut self) {
        let Some(reach) = self.reach.clone() else { return };
        for path in self.mentions.has.clone() {
            let mut reached = self.words.reached(&reach).peekable();
            if reached.peek().is_none() || reached.any(|known| known.attributes.contains_key(&path)) {
                continue;
            }
            let names: BTreeSet<String> =
                self.words.reached(&reach).flat_map(|known| known.attributes.keys().cloned()).collect();
            let hint = suggestion(&path, &names);
            self.problem(format!("no dataset that this policy reaches has a column `{path}`"), hint, Some(path));
        }
    }
}

/// `resource` in `resource.x`, `resource has x`, `resource is t` and `resource in e` is no value of its own.
fn is_only_asked(parent: &Expr, child: &Expr) -> bool {
    let asked = match parent {
        Expr::GetAttr { expr, .. } | Expr::HasAttr { expr, .. } | Expr::Is { expr, .. } => expr,
        Expr::BinaryOp { op: BinaryOp::In, left, .. } => left,
        _ => return false,
    };
    matches!(child, Expr::Var(Var::Resource)) && std::ptr::eq(asked.as_ref(), child)
}

fn plain_unary(op: UnaryOp) -> bool {
    matches!(
        op,
        UnaryOp::Not
            | UnaryOp::Neg
            | UnaryOp::IsEmpty
            | UnaryOp::Datetime
            | UnaryOp::Decimal
            | UnaryOp::Duration
            | UnaryOp::Ip
    )
}

pub(super) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Is { expr, in_expr, .. } => std::iter::once(expr).chain(in_expr).map(AsRef::as_ref).collect(),
        Expr::IfThenElse { cond, then_expr, else_expr } => vec![cond, then_expr, else_expr],
        Expr::Set(items) => items.iter().map(AsRef::as_ref).collect(),
        Expr::Record(fields) => fields.values().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

fn reads_row(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Resource)) || children(expr).into_iter().any(reads_row)
}

/// The variable and the names of a chain of attributes.
pub(super) fn path_of(expr: &Expr) -> Option<(Var, Vec<&str>)> {
    match expr {
        Expr::Var(var) => Some((var.clone(), Vec::new())),
        Expr::GetAttr { expr, attr } => {
            let (var, mut path) = path_of(expr)?;
            path.push(attr.as_str());
            Some((var, path))
        }
        _ => None,
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

/// Cedar's `like`.
pub(super) fn matches(pattern: &[PatternElem], text: &str) -> bool {
    fn step(pattern: &[PatternElem], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((PatternElem::Wildcard, rest)) => {
                (0..=text.len()).any(|skip| text.get(skip..).is_some_and(|text| step(rest, text)))
            }
            Some((PatternElem::Char(c), rest)) => {
                text.split_first().is_some_and(|(first, text)| first == c && step(rest, text))
            }
        }
    }
    step(pattern, &text.chars().collect::<Vec<_>>())
}
