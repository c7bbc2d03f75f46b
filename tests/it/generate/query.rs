//! Queries: what they read, how they put it together, in which order they answer.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::scalar::{Generator, Relation, Scope};
use super::tree::{Sort, Tree, Type};
use crate::leaks::world::{Condition, Source};

/// The statement of this seed and number over the product as it is in this world.
pub fn statement(seed: u64, number: u64, condition: Condition, source: Source) -> Tree {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut base = vec![
        ("order_id", Type::Int),
        ("region", Type::Text),
        ("customer_id", Type::Int),
        ("amount", Type::Int),
        ("amount", Type::Int),
        ("qty", Type::Int),
        ("note", Type::Text),
        ("note", Type::Text),
        ("email", Type::Text),
        ("risk", Type::Int),
        ("status", Type::Text),
        ("seen_at", Type::Stamp),
    ];
    if source != Source::Csv {
        base.push(("addr['zip']", Type::Text));
    }
    if condition == Condition::Partition {
        base.push(("part", Type::Text));
    }
    let mut generator = Generator { rng, base, aliases: 0 };
    generator.statement()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("c{at}")).collect()
}

impl Generator {
    fn statement(&mut self) -> Tree {
        let count = self.rng.random_range(1..5);
        let types: Vec<Type> = (0..count).map(|_| self.column_type()).collect();
        let depth = self.rng.random_range(0..3);
        if self.chance(2) {
            return self.odd();
        }
        let body = self.body(&types, depth, &[]);
        let order = if self.chance(60) { self.order(types.len(), 30) } else { Tree::nothing() };
        let query = Tree::fill(Sort::Query, "{}{}", vec![body, order]);
        if self.chance(2) { Tree::fill(Sort::Query, "EXPLAIN {}", vec![query]) } else { query }
    }

    /// Names that are not there, and what selects all columns.
    fn odd(&mut self) -> Tree {
        let scope = Scope { relations: vec![self.named("o")], ..Scope::default() };
        let condition = self.scalar(Type::Bool, 2, &scope);
        let what = *self.pick(&[
            "*",
            "o.*",
            "* EXCEPT (note)",
            "* EXCEPT (card_no)",
            "card_no",
            "o.card_no",
            "o",
            "addr",
            "o.addr['street']",
            "count(card_no)",
            "risk, card_n",
        ]);
        let table = *self.pick(&[
            "sales.orders o",
            "sales.orders o",
            "hr.salaries o",
            "sales.nosuch o",
            "sales.orders o NATURAL JOIN (VALUES ('4111')) v(card_no)",
        ]);
        Tree::fill(Sort::Query, &format!("SELECT {what} FROM {table} WHERE {{}}"), vec![condition])
    }

    /// All columns in turn, so that rows it leaves equal are equal.
    fn order(&mut self, columns: usize, limited: u32) -> Tree {
        let parts: Vec<String> = (1..=columns)
            .map(|at| format!("{at}{}", *self.pick(&["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"])))
            .collect();
        let limit = if self.chance(limited) {
            let (rows, skipped) = (self.rng.random_range(0..7), self.rng.random_range(0..3));
            let offset = if self.chance(30) { format!(" OFFSET {skipped}") } else { String::new() };
            Tree::word(Sort::Clause, format!(" LIMIT {rows}{offset}"))
        } else {
            Tree::nothing()
        };
        Tree::fill(Sort::Order, &format!(" ORDER BY {}{{}}", parts.join(", ")), vec![limit])
    }

    /// A query inside another: its columns are `c0`, `c1`, …; with a limit only where the order is total.
    fn inner(&mut self, types: &[Type], depth: usize, outer: &[(String, Type)]) -> Tree {
        let body = self.body(types, depth, outer);
        let order = if self.chance(20) { self.order(types.len(), 80) } else { Tree::nothing() };
        Tree::fill(Sort::Query, "{}{}", vec![body, order])
    }

    fn body(&mut self, types: &[Type], depth: usize, outer: &[(String, Type)]) -> Tree {
        if depth > 0 && self.chance(15) {
            let (left, right) = (self.select(types, depth - 1, outer), self.select(types, depth - 1, outer));
            let operation = *self.pick(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "UNION ALL"]);
            return Tree::fill(Sort::Query, &format!("({{}}) {operation} ({{}})"), vec![left, right]);
        }
        if depth > 0 && outer.is_empty() && self.chance(12) {
            return self.with(types, depth);
        }
        self.select(types, depth, outer)
    }

    fn with(&mut self, types: &[Type], depth: usize) -> Tree {
        let (name, again) = (self.alias(), self.alias());
        if self.chance(20) {
            let scope = Scope { relations: vec![self.named("o")], ..Scope::default() };
            let (start, step) = (self.scalar(Type::Int, 1, &scope), self.scalar(Type::Bool, 1, &scope));
            let relation = derived(&again, &[Type::Int, Type::Int]);
            let select = self.finish(types, depth - 1, Scope { relations: vec![relation], ..Scope::default() }, {
                Tree::word(Sort::Fixed, format!("{name} {again}"))
            });
            return Tree::fill(
                Sort::Query,
                &format!(
                    "WITH RECURSIVE {name} AS (SELECT o.order_id AS c0, {{}} AS c1 FROM sales.orders o WHERE {{}} UNION ALL SELECT c0 + 1, c1 FROM {name} WHERE c0 < 9) {{}}"
                ),
                vec![start, step, select],
            );
        }
        let count = self.rng.random_range(1..4);
        let inside: Vec<Type> = (0..count).map(|_| self.column_type()).collect();
        let query = self.inner(&inside, depth - 1, &[]);
        let relation = derived(&again, &inside);
        let from = if self.chance(30) {
            // Read twice.
            let third = self.alias();
            (format!("{name} {again} CROSS JOIN {name} {third}"), vec![relation, derived(&third, &inside)])
        } else {
            (format!("{name} {again}"), vec![relation])
        };
        let scope = Scope { relations: from.1, ..Scope::default() };
        let select = self.finish(types, depth - 1, scope, Tree::word(Sort::Fixed, from.0));
        Tree::fill(Sort::Query, &format!("WITH {name} AS ({{}}) {{}}"), vec![query, select])
    }

    fn select(&mut self, types: &[Type], depth: usize, outer: &[(String, Type)]) -> Tree {
        let (from, relations) = self.from(depth);
        self.finish(types, depth, Scope { relations, outer: outer.to_vec(), ..Scope::default() }, from)
    }

    /// Everything of a SELECT but what it reads.
    fn finish(&mut self, types: &[Type], depth: usize, scope: Scope, from: Tree) -> Tree {
        // Most ways to correlate anything but a condition are refused by the planner.
        let scope = Scope { correlates: scope.outer.is_empty(), ..scope };
        let plain = Scope { outer: Vec::new(), ..scope.clone() };
        let inside = Scope { correlates: false, ..plain.clone() };
        let size = depth + 1;
        let condition = if !scope.outer.is_empty() || self.chance(45) {
            let random = self.scalar(Type::Bool, size.min(2), &scope);
            let condition = match self.correlation(&scope) {
                Some(equal) => Tree::fill(Sort::Scalar(Type::Bool), "{} AND {}", vec![equal, random]),
                None => random,
            };
            Tree::fill(Sort::Clause, " WHERE {}", vec![condition])
        } else {
            Tree::nothing()
        };
        match self.rng.random_range(0..100) {
            0..25 => self.grouped(types, &inside, from, condition),
            25..45 => {
                let items = types.iter().map(|kind| {
                    if self.chance(60) { self.window(*kind, &inside) } else { self.scalar(*kind, 1, &inside) }
                });
                let items = named(items.collect());
                Tree::fill(Sort::Query, "SELECT {} FROM {}{}", vec![items, from, condition])
            }
            _ => {
                let items = types.iter().map(|kind| self.scalar(*kind, size, &plain));
                let items = named(items.collect());
                let distinct = if self.chance(15) { Tree::word(Sort::Clause, "DISTINCT ") } else { Tree::nothing() };
                Tree::fill(Sort::Query, "SELECT {}{} FROM {}{}", vec![distinct, items, from, condition])
            }
        }
    }

    fn grouped(&mut self, types: &[Type], scope: &Scope, from: Tree, condition: Tree) -> Tree {
        let by_sets = self.chance(25);
        let count = if by_sets { 2 } else { self.rng.random_range(0..3) };
        let keys: Vec<(Type, Tree)> = (0..count)
            .map(|_| {
                let kind = self.column_type();
                let key = self.scalar(kind, usize::from(!by_sets), scope);
                // DataFusion 55 takes a constant among the sets for one in the answer, where it is NULL too, and does not sort by it.
                let (kind, key) = match scope.columns().next() {
                    Some((column, kind))
                        if by_sets && !scope.columns().any(|(column, _)| key.sql().contains(column)) =>
                    {
                        (*kind, Tree::word(Sort::Scalar(*kind), column))
                    }
                    _ => (kind, key),
                };
                // A number written out is the number of a column.
                let is_number = key.sql().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                (kind, if is_number { Tree::word(key.sort, "NULL") } else { key })
            })
            .collect();
        let items = types.iter().map(|kind| {
            let key = keys.iter().find(|(of, _)| of == kind);
            match key {
                Some((_, key)) if self.chance(50) => key.clone(),
                _ => self.aggregate(*kind, scope),
            }
        });
        let items = named(items.collect());
        let keys: Vec<Tree> = keys.into_iter().map(|(_, key)| key).collect();
        let group = if keys.is_empty() {
            Tree::nothing()
        } else if by_sets {
            let template = *self.pick(&[" GROUP BY ROLLUP ({}, {})", " GROUP BY CUBE ({}, {})"]);
            if self.chance(30) {
                let template = " GROUP BY GROUPING SETS (({}, {}), ({}), ())";
                Tree::fill(Sort::Clause, template, vec![keys[0].clone(), keys[1].clone(), keys[0].clone()])
            } else {
                Tree::fill(Sort::Clause, template, keys)
            }
        } else {
            Tree::fill(Sort::Clause, " GROUP BY {}", vec![Tree::list(", ", keys)])
        };
        let having = if self.chance(25) {
            let kept = self.aggregate(Type::Bool, scope);
            Tree::fill(Sort::Clause, " HAVING {}", vec![kept])
        } else {
            Tree::nothing()
        };
        Tree::fill(Sort::Query, "SELECT {} FROM {}{}{}{}", vec![items, from, condition, group, having])
    }

    /// A column of this query against one of a query around it.
    fn correlation(&mut self, scope: &Scope) -> Option<Tree> {
        let pairs: Vec<(String, String)> = scope
            .columns()
            .flat_map(|(own, kind)| {
                scope.outer.iter().filter(move |(_, of)| of == kind).map(move |(other, _)| (own.clone(), other.clone()))
            })
            .collect();
        if pairs.is_empty() || !self.chance(85) {
            return None;
        }
        let (own, other) = self.pick(&pairs).clone();
        Some(Tree::word(Sort::Scalar(Type::Bool), format!("{own} = {other}")))
    }

    /// An expression that asks another query.
    pub fn subquery(&mut self, kind: Type, depth: usize, scope: &Scope) -> Tree {
        let correlated = scope.correlates && self.chance(60);
        let outer: Vec<(String, Type)> = if correlated { scope.columns().cloned().collect() } else { Vec::new() };
        let sort = Sort::Scalar(kind);
        if kind == Type::Bool && self.chance(80) {
            let of = self.column_type();
            let query = self.select(&[of], depth.min(1), &outer);
            let exists = *self.pick(&["EXISTS ({})", "NOT EXISTS ({})", "{} IN ({})", "{} IN ({})", "{} NOT IN ({})"]);
            return if exists.starts_with('{') {
                let value = self.scalar(of, depth, scope);
                Tree::fill(sort, &format!("({exists})"), vec![value, query])
            } else {
                Tree::fill(sort, exists, vec![query])
            };
        }
        // One row, whatever is read.
        let (from, relations) = self.from(0);
        let inner = Scope { relations, outer, correlates: false };
        let mut condition = self.scalar(Type::Bool, depth.min(1), &Scope { outer: Vec::new(), ..inner.clone() });
        if let Some(equal) = self.correlation(&inner) {
            condition = Tree::fill(Sort::Scalar(Type::Bool), "{} AND {}", vec![equal, condition]);
        }
        let value = self.aggregate(kind, &Scope { outer: Vec::new(), ..inner });
        Tree::fill(sort, "(SELECT {} FROM {} WHERE {})", vec![value, from, condition])
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// The product under a name.
    fn named(&mut self, alias: &str) -> Relation {
        Relation {
            columns: self.base.iter().map(|(name, kind)| (format!("{alias}.{name}"), *kind)).collect(),
            key: vec![format!("{alias}.order_id")],
        }
    }

    fn from(&mut self, depth: usize) -> (Tree, Vec<Relation>) {
        let (mut tree, relation) = self.relation(depth);
        let mut relations = vec![relation];
        let joins = match self.rng.random_range(0..100) {
            0..60 => 0,
            60..93 => 1,
            _ => 2,
        };
        for _ in 0..joins.min(depth + 1) {
            (tree, relations) = self.join(tree, relations, depth);
        }
        (tree, relations)
    }

    fn join(&mut self, left: Tree, mut relations: Vec<Relation>, depth: usize) -> (Tree, Vec<Relation>) {
        if self.chance(12) {
            // What stands to the left may be named.
            let outer: Vec<(String, Type)> = relations.iter().flat_map(|relation| relation.columns.clone()).collect();
            let types = [self.column_type(), Type::Int];
            let alias = self.alias();
            let query = self.select(&types, 0, &outer);
            let template = *self.pick(&["{} CROSS JOIN LATERAL ({})", "{} LEFT JOIN LATERAL ({})"]);
            let end = if template.contains("LEFT") { " ON true" } else { "" };
            relations.push(derived(&alias, &types));
            return (Tree::fill(Sort::Relation, &format!("{template} {alias}{end}"), vec![left, query]), relations);
        }
        let (right, relation) = self.relation(depth.saturating_sub(1));
        if self.chance(8) {
            relations.push(relation);
            let template = *self.pick(&["{} CROSS JOIN {}", "{}, {}"]);
            return (Tree::fill(Sort::Relation, template, vec![left, right]), relations);
        }
        let both =
            Scope { relations: relations.iter().cloned().chain([relation.clone()]).collect(), ..Scope::default() };
        let own = Scope { relations: relations.clone(), ..Scope::default() };
        let other = Scope { relations: vec![relation.clone()], ..Scope::default() };
        let kind = self.column_type();
        let sort = Sort::Scalar(Type::Bool);
        let operator = *self.pick(&["=", "=", "=", "=", "<", "<>", "IS NOT DISTINCT FROM"]);
        let mut on = Tree::fill(
            sort,
            &format!("({{}} {operator} {{}})"),
            vec![self.scalar(kind, 1, &own), self.scalar(kind, 1, &other)],
        );
        if self.chance(35) {
            // Most random pairs of columns meet in nothing.
            let numbers = |scope: &Scope| {
                scope.columns().filter(|(_, of)| *of == Type::Int).map(|(name, _)| name.clone()).collect::<Vec<_>>()
            };
            if let ([first, ..], [second, ..]) = (numbers(&own).as_slice(), numbers(&other).as_slice()) {
                on = Tree::word(sort, format!("{first} = {second}"));
            }
        }
        if self.chance(40) {
            let more = self.scalar(Type::Bool, 1, &both);
            let template = if self.chance(50) { "{} AND {}" } else { "({} OR {})" };
            on = Tree::fill(sort, template, vec![on, more]);
        }
        let join = *self.pick(&[
            "JOIN",
            "JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "LEFT SEMI JOIN",
            "LEFT ANTI JOIN",
            "RIGHT SEMI JOIN",
        ]);
        let tree = Tree::fill(Sort::Relation, &format!("{{}} {join} {{}} ON {{}}"), vec![left, right, on]);
        match join {
            "LEFT SEMI JOIN" | "LEFT ANTI JOIN" => {}
            "RIGHT SEMI JOIN" => relations = vec![relation],
            _ => relations.push(relation),
        }
        (tree, relations)
    }

    fn relation(&mut self, depth: usize) -> (Tree, Relation) {
        let alias = self.alias();
        match self.rng.random_range(0..100) {
            0..25 if depth > 0 => {
                let count = self.rng.random_range(1..4);
                let types: Vec<Type> = (0..count).map(|_| self.column_type()).collect();
                let query = self.inner(&types, depth - 1, &[]);
                (Tree::fill(Sort::Relation, &format!("({{}}) {alias}"), vec![query]), derived(&alias, &types))
            }
            25..32 => {
                let text = *self.pick(&[
                    "(VALUES (0, 'EU'), (1, 'x'), (5, NULL))",
                    "(VALUES (7, 'canary'), (10, 'first note'))",
                    "(VALUES (NULL, 'e'), (77, 'open'), (104, 'hidden-region'), (5, ''))",
                ]);
                (
                    Tree::word(Sort::Relation, format!("{text} {alias}(c0, c1)")),
                    derived(&alias, &[Type::Int, Type::Text]),
                )
            }
            32..36 => {
                let scope = Scope { relations: vec![self.named("o")], ..Scope::default() };
                let list = self.scalar(Type::Texts, 1, &scope);
                let tree = Tree::fill(
                    Sort::Relation,
                    &format!("(SELECT o.amount AS c0, unnest({{}}) AS c1 FROM sales.orders o) {alias}"),
                    vec![list],
                );
                (tree, derived(&alias, &[Type::Int, Type::Text]))
            }
            _ => (Tree::word(Sort::Relation, format!("sales.orders {alias}")), self.named(&alias)),
        }
    }
}

fn derived(alias: &str, types: &[Type]) -> Relation {
    let columns: Vec<(String, Type)> =
        types.iter().zip(names(types.len())).map(|(kind, name)| (format!("{alias}.{name}"), *kind)).collect();
    let key = columns.iter().map(|(name, _)| name.clone()).collect();
    Relation { columns, key }
}

/// `first AS c0, second AS c1`.
fn named(items: Vec<Tree>) -> Tree {
    let named =
        items.into_iter().zip(0..).map(|(item, at)| Tree::fill(Sort::Fixed, &format!("{{}} AS c{at}"), vec![item]));
    Tree::list(", ", named.collect())
}
