//! A statement as a tree of text, so that it can be made smaller by its structure.

/// What a value is to SQL, as far as the generator tells types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    Int,
    Float,
    Text,
    Bool,
    Date,
    Stamp,
    /// A list of text; not a column of any relation, since it cannot take part in a total order.
    Texts,
    Ints,
}

/// The types of columns.
pub const COLUMNS: [Type; 6] = [Type::Int, Type::Text, Type::Bool, Type::Float, Type::Stamp, Type::Date];

impl Type {
    /// The plainest value, which an expression is replaced by when it is not what matters.
    pub fn plain(self) -> &'static str {
        match self {
            Self::Int => "1",
            Self::Float => "1.5",
            Self::Text => "'x'",
            Self::Bool => "true",
            Self::Date => "DATE '2026-01-03'",
            Self::Stamp => "TIMESTAMP '2026-01-03T00:00:00'",
            Self::Texts => "make_array('x')",
            Self::Ints => "make_array(1)",
        }
    }
}

/// What a tree may be replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A plain value of its type, or any expression of that type inside it.
    Scalar(Type),
    /// Nothing.
    Clause,
    /// As `Clause`; where the outermost query has one, the order of its rows is total.
    Order,
    /// Any query inside it.
    Query,
    /// Any relation inside it.
    Relation,
    /// It stays.
    Fixed,
}

#[derive(Debug, Clone)]
enum Part {
    Word(String),
    Tree(Tree),
    /// Elements, of which some can be left out.
    List(&'static str, Vec<Tree>),
}

#[derive(Debug, Clone)]
pub struct Tree {
    pub sort: Sort,
    parts: Vec<Part>,
}

impl Tree {
    pub fn word(sort: Sort, text: impl Into<String>) -> Self {
        Self { sort, parts: vec![Part::Word(text.into())] }
    }

    pub fn nothing() -> Self {
        Self { sort: Sort::Fixed, parts: Vec::new() }
    }

    /// `{}` in the template stands for the next child.
    pub fn fill(sort: Sort, template: &str, children: Vec<Tree>) -> Self {
        let mut children = children.into_iter();
        let mut parts = Vec::new();
        for (at, word) in template.split("{}").enumerate() {
            if at > 0 {
                parts.push(Part::Tree(children.next().expect("a child for each hole")));
            }
            if !word.is_empty() {
                parts.push(Part::Word(word.to_owned()));
            }
        }
        assert!(children.next().is_none(), "a hole for each child: {template}");
        Self { sort, parts }
    }

    /// At least one element always stays.
    pub fn list(separator: &'static str, elements: Vec<Tree>) -> Self {
        Self { sort: Sort::Fixed, parts: vec![Part::List(separator, elements)] }
    }

    pub fn sql(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Word(word) => out.push_str(word),
                Part::Tree(tree) => tree.write(out),
                Part::List(separator, elements) => {
                    for (at, element) in elements.iter().enumerate() {
                        if at > 0 {
                            out.push_str(separator);
                        }
                        element.write(out);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn children(&self) -> impl Iterator<Item = &Tree> {
        self.parts.iter().flat_map(|part| match part {
            Part::Word(_) => &[],
            Part::Tree(tree) => std::slice::from_ref(tree),
            Part::List(_, elements) => elements.as_slice(),
        })
    }

    /// True where this query itself, not one inside it, ends in a total order.
    pub fn is_ordered(&self) -> bool {
        self.sorts_by() > 0
    }

    /// How many columns this query itself sorts by, the first ones of its answer.
    pub fn sorts_by(&self) -> usize {
        let order = self.children().find(|child| child.sort == Sort::Order && !child.is_empty());
        order.map_or(0, |order| match order.parts.first() {
            Some(Part::Word(columns)) => columns.split(", ").count(),
            _ => 0,
        })
    }

    /// Every tree that is this one with one thing less, the largest steps first.
    pub fn smaller(&self) -> Vec<Tree> {
        let mut out = self.replacements();
        for (at, part) in self.parts.iter().enumerate() {
            let with = |part: Part| {
                let mut whole = self.clone();
                whole.parts[at] = part;
                whole
            };
            match part {
                Part::Word(_) => {}
                Part::Tree(tree) => out.extend(tree.smaller().into_iter().map(|tree| with(Part::Tree(tree)))),
                Part::List(separator, elements) => {
                    for (place, element) in elements.iter().enumerate() {
                        let mut others = elements.clone();
                        others.remove(place);
                        if !others.is_empty() {
                            out.push(with(Part::List(separator, others)));
                        }
                        for smaller in element.smaller() {
                            let mut others = elements.clone();
                            others[place] = smaller;
                            out.push(with(Part::List(separator, others)));
                        }
                    }
                }
            }
        }
        out
    }

    fn replacements(&self) -> Vec<Tree> {
        let mut out = Vec::new();
        match self.sort {
            Sort::Fixed => {}
            Sort::Clause | Sort::Order => {
                if !self.is_empty() {
                    out.push(Self { sort: self.sort, parts: Vec::new() });
                }
            }
            Sort::Scalar(kind) => {
                if self.sql() != kind.plain() {
                    out.push(Self::word(self.sort, kind.plain()));
                }
                self.within(self.sort, &mut out);
            }
            Sort::Query | Sort::Relation => self.within(self.sort, &mut out),
        }
        out
    }

    fn within(&self, sort: Sort, out: &mut Vec<Tree>) {
        for child in self.children() {
            if child.sort == sort {
                out.push(child.clone());
            }
            child.within(sort, out);
        }
    }
}

#[test]
fn a_statement_gets_smaller_by_its_structure() {
    let sum = Tree::fill(
        Sort::Scalar(Type::Int),
        "({} / {})",
        vec![Tree::word(Sort::Scalar(Type::Int), "a"), Tree::word(Sort::Scalar(Type::Int), "b")],
    );
    let clause = Tree::fill(Sort::Clause, " WHERE {} > 0", vec![sum]);
    let items = Tree::list(", ", vec![Tree::word(Sort::Fixed, "c"), Tree::word(Sort::Fixed, "d")]);
    let tree = Tree::fill(Sort::Query, "SELECT {} FROM t{}", vec![items, clause]);
    assert_eq!(tree.sql(), "SELECT c, d FROM t WHERE (a / b) > 0");
    let smaller: Vec<String> = tree.smaller().iter().map(Tree::sql).collect();
    for expected in [
        "SELECT d FROM t WHERE (a / b) > 0",
        "SELECT c, d FROM t",
        "SELECT c, d FROM t WHERE 1 > 0",
        "SELECT c, d FROM t WHERE b > 0",
        "SELECT c, d FROM t WHERE (a / 1) > 0",
    ] {
        assert!(smaller.contains(&expected.to_owned()), "{expected}: {smaller:#?}");
    }
    assert!(smaller.iter().all(|sql| sql.len() <= tree.sql().len()));
}
