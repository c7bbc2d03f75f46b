//! `WINDOW w AS (…)`: named windows, written out where they are used.
//!
//! The planner does it for the select list alone, and there also for the windows of queries inside; of `OVER (w ORDER BY x)` it drops `w`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Function, Ident, NamedWindowDefinition, NamedWindowExpr, OrderBy, Query, Select, VisitMut,
    VisitorMut, WindowSpec, WindowType,
};

use super::syntax::decline;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Each use of a window copies it: how much of a statement may be copies, in bytes of its text.
const COPIES: usize = 1 << 20;

/// # Errors
/// `Invalid` for a window that is not defined, or twice; `Unsupported` for clauses that two definitions both have, `Exhausted` where
/// the windows written out are too long.
pub(super) fn write_out(select: &mut Select, order_by: Option<&mut OrderBy>) -> Result<()> {
    let mut windows = Windows { known: Vec::new(), depth: 0, copied: 0 };
    for NamedWindowDefinition(name, window) in std::mem::take(&mut select.named_window) {
        let spec = match window {
            NamedWindowExpr::NamedWindow(other) => windows.find(&other)?,
            NamedWindowExpr::WindowSpec(spec) => windows.merged(spec)?,
        };
        let name = folded(&name);
        if windows.known.iter().any(|known| known.name == name) {
            return Err(Diagnostic::error(Kind::Invalid, format!("the window `{name}` is defined twice"))
                .hint("give each window a name of its own"));
        }
        let length = spec.to_string().len();
        windows.known.push(Known { name, spec, length });
    }
    let on = match &mut select.distinct {
        Some(Distinct::On(expressions)) => Some(expressions),
        _ => None,
    };
    let mut walked = select.projection.visit(&mut windows);
    if walked.is_continue() {
        walked = select.qualify.visit(&mut windows);
    }
    if let (Some(on), true) = (on, walked.is_continue()) {
        walked = on.visit(&mut windows);
    }
    if let (Some(order_by), true) = (order_by, walked.is_continue()) {
        walked = order_by.visit(&mut windows);
    }
    match walked {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(*refused),
    }
}

/// As the planner compares names.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

struct Known {
    name: String,
    spec: WindowSpec,
    /// Bytes of its text.
    length: usize,
}

struct Windows {
    known: Vec<Known>,
    /// Queries inside define their own.
    depth: usize,
    /// Bytes of text that were copied.
    copied: usize,
}

impl Windows {
    fn find(&mut self, name: &Ident) -> Result<WindowSpec> {
        let folded = folded(name);
        let Some(known) = self.known.iter().find(|known| known.name == folded) else {
            return Err(Diagnostic::error(Kind::Invalid, format!("there is no window `{folded}`"))
                .hint("define it with `WINDOW name AS (…)` in the same query, before others that use it"));
        };
        self.copied += known.length;
        if self.copied > COPIES {
            return Err(Diagnostic::error(
                Kind::Exhausted,
                "the windows of the statement are too long for how often they are used",
            )
            .hint("compute what they order by in a `WITH` query first"));
        }
        Ok(known.spec.clone())
    }

    /// `(w ORDER BY x)`: what `w` says, and what is added to it.
    fn merged(&mut self, spec: WindowSpec) -> Result<WindowSpec> {
        let WindowSpec { window_name, partition_by, order_by, window_frame } = spec;
        let Some(name) = window_name else {
            return Ok(WindowSpec { window_name, partition_by, order_by, window_frame });
        };
        let base = self.find(&name)?;
        if !partition_by.is_empty() || base.window_frame.is_some() || !(order_by.is_empty() || base.order_by.is_empty())
        {
            return decline(
                &format!("a window that changes what `{name}` says"),
                "write the window out: a window may add `ORDER BY` and a frame to another that has none",
            );
        }
        let order_by = if order_by.is_empty() { base.order_by } else { order_by };
        Ok(WindowSpec { window_name: None, partition_by: base.partition_by, order_by, window_frame })
    }
}

impl VisitorMut for Windows {
    type Break = Box<Diagnostic>;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(Function { over: Some(over), .. }) = expr else { return ControlFlow::Continue(()) };
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let spec = match over {
            WindowType::NamedWindow(name) => self.find(name),
            WindowType::WindowSpec(spec) => self.merged(spec.clone()),
        };
        match spec {
            Ok(spec) => {
                *over = WindowType::WindowSpec(spec);
                ControlFlow::Continue(())
            }
            Err(refused) => ControlFlow::Break(Box::new(refused)),
        }
    }
}
