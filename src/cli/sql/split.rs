//! A script cut into statements and backslash commands.

use super::lexer::{Class, Piece, scan};

/// One thing to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Sql(Statement),
    /// A backslash command, from its backslash to the end of its line.
    Meta(String),
}

/// One statement without its semicolon and without comments around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    /// Where it starts in the script, from 1.
    pub(super) line: u32,
    pub(super) column: u32,
}

/// Everything in `text`, in order; text that is only white space and comments gives nothing.
///
/// What the tokenizer cannot read is the end of the last statement, so that the server can say what is wrong.
pub(super) fn split(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut base = 0;
    'scan: loop {
        let rest = text.get(base..).unwrap_or_default();
        let mut current: Vec<Piece> = Vec::new();
        for piece in scan(rest) {
            if current.is_empty() && piece.text(rest).starts_with('\\') {
                let line = rest.get(piece.range.start..).and_then(|line| line.lines().next()).unwrap_or_default();
                items.push(Item::Meta(line.trim_end().to_owned()));
                // Its arguments are no SQL, a quote in them opens nothing: read on after the line.
                base += piece.range.start + line.len();
                continue 'scan;
            }
            match piece.class {
                Class::Semicolon => items.extend(statement(text, base, &std::mem::take(&mut current))),
                _ if piece.is_significant() || !current.is_empty() => current.push(piece),
                _ => {}
            }
        }
        items.extend(statement(text, base, &current));
        return items;
    }
}

fn statement(text: &str, base: usize, pieces: &[Piece]) -> Option<Item> {
    let mut significant = pieces.iter().filter(|piece| piece.is_significant());
    let first = significant.next()?;
    let start = base + first.range.start;
    let end = base + significant.next_back().unwrap_or(first).range.end;
    let before = text.get(..start)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(Item::Sql(Statement {
        text: text.get(start..end)?.trim_end().to_owned(),
        line: small(line),
        column: small(column),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let got: Vec<String> = split(text)
            .into_iter()
            .map(|item| match item {
                Item::Sql(statement) => statement.text,
                Item::Meta(line) => line,
            })
            .collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn semicolons_end_statements_only_outside_strings_and_comments() {
        check("select 1; select 2", &["select 1", "select 2"]);
        check(
            "select ';', \"a;b\", $$x;y$$, $t$;$$;$t$; select 2;",
            &["select ';', \"a;b\", $$x;y$$, $t$;$$;$t$", "select 2"],
        );
        check("select 1 -- one; two\n, 2; /* a;b /* ; */ ; */ select 3", &["select 1 -- one; two\n, 2", "select 3"]);
        check("select 'it''s; fine';", &["select 'it''s; fine'"]);
    }

    #[test]
    fn nothing_to_run_gives_nothing() {
        for text in ["", "  \n", ";;", "-- only a comment", "/* only; a comment */ ; -- more"] {
            check(text, &[]);
        }
    }

    #[test]
    fn an_unfinished_string_stays_one_statement() {
        check("select 1; select 'oh; no; select 2;", &["select 1", "select 'oh; no; select 2;"]);
    }

    #[test]
    fn backslash_commands_end_with_their_line() {
        check("\\timing\nselect 1;\n  \\o it's.csv\nselect 2;", &["\\timing", "select 1", "\\o it's.csv", "select 2"]);
        check("-- note\n\\x on", &["\\x on"]);
        check("select E'\\\\x';", &["select E'\\\\x'"]);
    }

    #[test]
    fn a_statement_knows_where_it_starts() {
        let items = split("select 1;\n\n-- é\n  select 2");
        let Some(Item::Sql(second)) = items.get(1) else { panic!("{items:?}") };
        assert_eq!((second.line, second.column), (4, 3));
    }

    #[test]
    fn many_statements_are_split_in_linear_time() {
        let script = "select 1; ".repeat(2_000);
        assert_eq!(split(&script).len(), 2_000);
    }
}
