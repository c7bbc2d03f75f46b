//! Plans as a principal sees them: the governed leaf with the policies that apply, and nothing below it.

use crate::harness::Mesh;

const MESH: &str = include_str!("fixtures/regions.txt");

/// The plan as text; timings and the metrics of operators are not for a snapshot.
async fn plan(mesh: &Mesh, who: &str, sql: &str) -> String {
    let answer = mesh.answer(who, sql).await;
    let mut out = String::new();
    for line in answer.lines() {
        out += line.split(", metrics=").next().unwrap().trim_end();
        out += "\n";
    }
    out
}

macro_rules! assert_plan {
    ($mesh:expr, $who:literal, $sql:literal, @$expected:literal) => {
        insta::assert_snapshot!(plan($mesh, $who, $sql).await, @$expected)
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leaf_shows_its_policies_and_nothing_below() {
    let mesh = Mesh::new(MESH).await;
    assert_plan!(&mesh, "ana", "EXPLAIN SELECT order_id FROM sales.orders WHERE amount > 15", @r"
    plan_type Utf8 | plan Utf8
    logical_plan | TableScan: sales.orders projection=[order_id], full_filters=[sales.orders.amount > Int64(15)]
    physical_plan | CooperativeExec
      ProductScan: sales.orders policies=[analysts]
    ");
    assert_plan!(&mesh, "ana", "EXPLAIN SELECT region, count(*) FROM sales.orders GROUP BY region", @r"
    plan_type Utf8 | plan Utf8
    logical_plan | Projection: sales.orders.region, count(Int64(1)) AS count(*)
      Aggregate: groupBy=[[sales.orders.region]], aggr=[[count(Int64(1))]]
        TableScan: sales.orders projection=[region]
    physical_plan | ProjectionExec: expr=[region@0 as region, count(Int64(1))@1 as count(*)]
      AggregateExec: mode=FinalPartitioned, gby=[region@0 as region], aggr=[count(Int64(1))]
        YieldingExec
          RepartitionExec: partitioning=Hash([region@0], 2), input_partitions=2
            AggregateExec: mode=Partial, gby=[region@0 as region], aggr=[count(Int64(1))]
              YieldingExec
                ProductScan: sales.orders policies=[analysts]
    ");
    assert_plan!(&mesh, "ana", "EXPLAIN ANALYZE SELECT count(*) FROM sales.orders WHERE amount > 15", @r"
    plan_type Utf8 | plan Utf8
    Plan with Metrics | ProjectionExec: expr=[count(Int64(1))@0 as count(*)]
      AggregateExec: mode=Single, gby=[], aggr=[count(Int64(1))]
        YieldingExec
          CooperativeExec
            ProductScan: sales.orders policies=[analysts]
    ");
}
