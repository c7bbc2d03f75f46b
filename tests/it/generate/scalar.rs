//! Expressions over what a query may name.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::forms::{self, AGGREGATES, Form, SCALARS, WINDOWS};
use super::tree::{COLUMNS, Sort, Tree, Type};

/// One source of rows.
#[derive(Debug, Clone)]
pub struct Relation {
    /// As they are written behind nothing or an alias.
    pub columns: Vec<(String, Type)>,
    /// Rows that are equal in these are equal.
    pub key: Vec<String>,
}

/// What an expression may name.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub relations: Vec<Relation>,
    /// Columns of the queries around this one.
    pub outer: Vec<(String, Type)>,
    /// Whether the planner takes a query here that names this one's columns.
    pub correlates: bool,
}

impl Scope {
    pub fn columns(&self) -> impl Iterator<Item = &(String, Type)> {
        self.relations.iter().flat_map(|relation| &relation.columns)
    }

    pub fn key(&self) -> Vec<String> {
        self.relations.iter().flat_map(|relation| relation.key.clone()).collect()
    }
}

/// Where the random choices of one statement come from.
pub struct Generator {
    pub rng: ChaCha8Rng,
    /// The columns of `sales.orders` in this world.
    pub base: Vec<(&'static str, Type)>,
    pub aliases: usize,
}

impl Generator {
    /// True in `percent` of a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.rng.random_range(0..choices.len())]
    }

    pub fn column_type(&mut self) -> Type {
        // Numbers and text are what most forms take.
        if self.chance(70) { *self.pick(&[Type::Int, Type::Text]) } else { *self.pick(&COLUMNS) }
    }

    pub fn scalar(&mut self, kind: Type, depth: usize, scope: &Scope) -> Tree {
        if depth == 0 || self.chance(30) {
            return self.leaf(kind, scope);
        }
        if kind != Type::Texts && kind != Type::Ints && self.chance(7) {
            return self.subquery(kind, depth - 1, scope);
        }
        let forms: Vec<&Form> = SCALARS.iter().filter(|(of, _)| *of == kind).collect();
        let (_, form) = **self.pick(&forms);
        self.form(kind, form, depth - 1, scope)
    }

    pub fn aggregate(&mut self, kind: Type, scope: &Scope) -> Tree {
        let forms: Vec<&Form> = AGGREGATES.iter().filter(|(of, _)| *of == kind).collect();
        let (_, form) = **self.pick(&forms);
        let depth = self.rng.random_range(0..2);
        self.form(kind, form, depth, scope)
    }

    pub fn window(&mut self, kind: Type, scope: &Scope) -> Tree {
        let forms: Vec<&Form> = WINDOWS.iter().filter(|(of, _)| *of == kind).collect();
        let (_, form) = **self.pick(&forms);
        let depth = self.rng.random_range(0..2);
        self.form(kind, form, depth, scope)
    }

    fn leaf(&mut self, kind: Type, scope: &Scope) -> Tree {
        let sort = Sort::Scalar(kind);
        if !scope.outer.is_empty() && self.chance(20) {
            let found: Vec<String> =
                scope.outer.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name.clone()).collect();
            if !found.is_empty() {
                return Tree::word(sort, self.pick(&found).clone());
            }
        }
        let found: Vec<String> = scope.columns().filter(|(_, of)| *of == kind).map(|(name, _)| name.clone()).collect();
        if !found.is_empty() && self.chance(85) {
            return Tree::word(sort, self.pick(&found).clone());
        }
        // Types that no column of the product has are made of those that one has.
        if self.chance(60) && !scope.relations.is_empty() {
            let made = match kind {
                Type::Float => Some(("({} * 0.5)", Type::Int)),
                Type::Bool => Some(("({} > 30)", Type::Int)),
                Type::Date => Some(("CAST({} AS DATE)", Type::Stamp)),
                Type::Texts => Some(("string_to_array({}, ' ')", Type::Text)),
                Type::Ints => Some(("make_array({}, 5)", Type::Int)),
                Type::Int | Type::Text | Type::Stamp => None,
            };
            if let Some((template, from)) = made {
                let inner = self.leaf(from, scope);
                return Tree::fill(sort, template, vec![inner]);
            }
        }
        let literals = match kind {
            Type::Int => forms::INTS,
            Type::Float => forms::FLOATS,
            Type::Text => forms::TEXTS,
            Type::Bool => forms::BOOLS,
            Type::Date => forms::DATES,
            Type::Stamp => forms::STAMPS,
            Type::Texts | Type::Ints => return Tree::word(sort, kind.plain()),
        };
        Tree::word(sort, *self.pick(literals))
    }

    /// Puts something into each hole of a form.
    pub fn form(&mut self, kind: Type, form: &str, depth: usize, scope: &Scope) -> Tree {
        let mut template = String::new();
        let mut children: Vec<Tree> = Vec::new();
        let mut rest = form;
        while let Some((before, after)) = rest.split_once('{') {
            let (hole, after) = after.split_once('}').expect("a hole has an end");
            template += before;
            rest = after;
            let child = match hole {
                "int" => self.scalar(Type::Int, depth, scope),
                "text" => self.scalar(Type::Text, depth, scope),
                "float" => self.scalar(Type::Float, depth, scope),
                "bool" => self.scalar(Type::Bool, depth, scope),
                "date" => self.scalar(Type::Date, depth, scope),
                "stamp" => self.scalar(Type::Stamp, depth, scope),
                "texts" => self.scalar(Type::Texts, depth, scope),
                "ints" => self.scalar(Type::Ints, depth, scope),
                "any" => {
                    let any = self.column_type();
                    self.scalar(any, depth, scope)
                }
                "=" => children.last().expect("something before it").clone(),
                "n" => Tree::word(Sort::Fixed, *self.pick(&["0", "1", "2", "3", "5", "7"])),
                "like" => Tree::word(Sort::Fixed, *self.pick(forms::LIKES)),
                "regex" => Tree::word(Sort::Fixed, *self.pick(forms::REGEXES)),
                "unit" => Tree::word(Sort::Fixed, *self.pick(forms::UNITS)),
                "total" => self.over(true, scope),
                "some" => self.over(false, scope),
                other => panic!("nothing fits the hole `{other}` of `{form}`"),
            };
            template += "{}";
            children.push(child);
        }
        template += rest;
        Tree::fill(Sort::Scalar(kind), &template, children)
    }

    /// The inside of `OVER ( … )`.
    fn over(&mut self, total: bool, scope: &Scope) -> Tree {
        let partition = if self.chance(40) {
            let kind = self.column_type();
            let by = self.scalar(kind, 1, scope);
            Tree::fill(Sort::Clause, "PARTITION BY {} ", vec![by])
        } else {
            Tree::nothing()
        };
        let kind = self.column_type();
        let first = self.scalar(kind, 1, scope);
        let direction = *self.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        if !total {
            return Tree::fill(Sort::Fixed, &format!("{{}}ORDER BY {{}}{direction}"), vec![partition, first]);
        }
        let key = scope.key().join(", ");
        if key.is_empty() || self.chance(30) {
            // Equal in the key is equal in all.
            let by = if key.is_empty() { "1" } else { &key };
            return Tree::fill(Sort::Fixed, &format!("{{}}ORDER BY {by}"), vec![partition]);
        }
        let leading = Tree::fill(Sort::Clause, &format!("{{}}{direction}, "), vec![first]);
        Tree::fill(Sort::Fixed, &format!("{{}}ORDER BY {{}}{key}"), vec![partition, leading])
    }
}
