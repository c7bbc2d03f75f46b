//! The engine's rules as they were reviewed: none of them moves what a reader writes below a governed leaf, and what runs below it
//! (in a private session) is policy, contract and leakproof predicates only, whatever these rules do to it.
//!
//! After an upgrade of the engine the tests that compare with these lists fail where a rule was added, taken out or moved. Read what the
//! rule does to leaves and to filters, then put it here.

use datafusion::execution::session_state::SessionState;

const ANALYZER: &[&str] = &["resolve_grouping_function", "type_coercion"];

const OPTIMIZER: &[&str] = &[
    "rewrite_set_comparison",
    "optimize_unions",
    "unions_to_filter",
    "simplify_expressions",
    "replace_distinct_aggregate",
    "eliminate_join",
    "decorrelate_predicate_subquery",
    "scalar_subquery_to_join",
    "decorrelate_lateral_join",
    "extract_equijoin_predicate",
    "eliminate_duplicated_expr",
    "eliminate_filter",
    "eliminate_cross_join",
    "eliminate_limit",
    "propagate_empty_relation",
    "filter_null_join_keys",
    "eliminate_outer_join",
    "push_down_limit",
    "push_down_filter",
    "single_distinct_aggregation_to_group_by",
    "eliminate_group_by_constant",
    "common_sub_expression_eliminate",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
    "optimize_projections",
];

const PHYSICAL: &[&str] = &[
    "OutputRequirements",
    "aggregate_statistics",
    "join_selection",
    "LimitedDistinctAggregation",
    "FilterPushdown",
    "WindowTopN",
    "EnsureRequirements",
    "CombinePartialFinalAggregate",
    "OptimizeAggregateOrder",
    "ProjectionPushdown",
    "OutputRequirements",
    "LimitAggregation",
    "LimitPushPastWindows",
    "HashJoinBuffering",
    "LimitPushdown",
    "TopKRepartition",
    "ProjectionPushdown",
    "PushdownSort",
    "EnsureCooperative",
    "FilterPushdown(Post)",
    "SanityCheckPlan",
];

/// Fails where a session has other rules than these between its own `first` and `last` with `pushdown` among them, or rewrites and
/// planners of its own.
pub(crate) fn assert_reviewed(state: &SessionState, first: &[&str], last: &[&str], pushdown: &str) {
    let analyzer: Vec<&str> = state.analyzer().rules.iter().map(|rule| rule.name()).collect();
    let optimizer: Vec<&str> = state.optimizer().rules.iter().map(|rule| rule.name()).collect();
    let physical: Vec<&str> = state.physical_optimizers().iter().map(|rule| rule.name()).collect();
    assert_eq!(analyzer, ANALYZER, "analyzer rules");
    assert_eq!(optimizer, OPTIMIZER, "optimizer rules");
    let expected = [first, PHYSICAL, last].concat().into_iter();
    let expected: Vec<&str> = expected.map(|rule| if rule == "FilterPushdown" { pushdown } else { rule }).collect();
    assert_eq!(physical, expected, "physical optimizer rules");
    assert_eq!(state.analyzer().function_rewrites.len(), 0, "function rewrites");
    assert_eq!(format!("{:?}", state.query_planner()), "DefaultQueryPlanner", "query planner");
}
