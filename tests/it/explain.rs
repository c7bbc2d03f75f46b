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

/// Orders with an address that `eu-address` hides from everybody who sees the order.
fn with_address(policies: &str) -> String {
    MESH.replace("tags: []", "tags: [pii]")
        .replace(
            "      - {name: amount,",
            "      - {name: email, logicalType: string, required: true, tags: [pii]}\n      - {name: amount,",
        )
        .replace("order_id:i64,region:utf8,amount:i64", "order_id:i64,region:utf8,email:utf8,amount:i64")
        .replace(",EU,", ",EU,a@b.example,")
        .replace(",US,", ",US,c@d.example,")
        .replace("//- data/sales/orders.parquet", &format!("{policies}//- data/sales/orders.parquet"))
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_about_hidden_columns_are_unnamed() {
    let hidden = "@id(\"eu-address\") forbid (principal, action == Action::\"read\", resource is sales::orders)\n\
                  when { context.column.tags.contains(\"pii\") && resource.region == \"EU\" };\n";
    let capped = "@id(\"hashed\") @mask(\"hash\") forbid (principal, action == Action::\"read\", resource is sales::orders)\n\
                  when { context.column.tags.contains(\"pii\") };\n";
    let one = Mesh::new(&with_address(hidden)).await;
    let two = Mesh::new(&with_address(&format!("{hidden}{capped}"))).await;
    for sql in
        ["EXPLAIN SELECT * FROM sales.orders", "EXPLAIN ACCESS SELECT * FROM sales.orders", "DESCRIBE sales.orders"]
    {
        assert_eq!(one.answer("ana", sql).await, two.answer("ana", sql).await, "{sql}");
    }
    let plan = two.answer("ana", "EXPLAIN SELECT * FROM sales.orders").await;
    assert!(plan.contains("policies=[analysts]"), "{plan}");
    // Where the column is visible, what masks it is named.
    let seen = two.answer("bob", "EXPLAIN SELECT * FROM sales.orders").await;
    assert!(seen.contains("policies=[analysts, eu-address, hashed]"), "{seen}");
}

/// Lines of orders that count as many as `orders` says.
fn with_lines(orders: &str, policies: &str) -> String {
    let contract = |count: &str| {
        format!("    customProperties: [{{property: meshgateRowCount, value: {count}}}]\n    properties:\n")
    };
    let lines = "  - name: lines\n".to_owned()
        + &contract("1000000")
        + "      - {name: order_id, logicalType: integer, required: true, relationships: [{to: orders.order_id}]}\n      \
             - {name: item_id, logicalType: integer, required: true}\n  - name: items\n"
        + &contract("16000000")
        + "      - {name: item_id, logicalType: integer, required: true}\n  - name: secrets\n";
    MESH.replace("  - name: orders\n    properties:\n", &format!("  - name: orders\n{}", contract(orders)))
        .replace("  - name: secrets\n", &lines)
        .replace(
            "//- data/sales/orders.parquet",
            &format!(
                "@id(\"lines\") permit (principal, action == Action::\"read\", resource is sales::lines);\n\
                 @id(\"items\") permit (principal, action == Action::\"read\", resource is sales::items);\n{policies}\
                 //- data/sales/lines.parquet\norder_id:i64,item_id:i64\n1,1\n//- data/sales/items.parquet\nitem_id:i64\n1\n\
                 //- data/sales/orders.parquet"
            ),
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn row_counts_of_hidden_datasets_move_no_plan() {
    let sql = "EXPLAIN SELECT count(*) FROM sales.lines a JOIN sales.lines b ON a.order_id = b.order_id \
               JOIN sales.items c ON a.item_id = c.item_id";
    let keyless = "@id(\"keyless\") forbid (principal == User::\"bob\", action == Action::\"read\", resource is sales::orders)\n\
                   when { context.column.name == \"order_id\" };\n";
    let small = Mesh::new(&with_lines("10", keyless)).await;
    let large = Mesh::new(&with_lines("1000000", keyless)).await;
    // Eve sees no order, and bob sees none of their keys.
    for who in ["eve", "bob"] {
        assert_eq!(plan(&small, who, sql).await, plan(&large, who, sql).await, "{who}");
    }
    assert_ne!(plan(&small, "ana", sql).await, plan(&large, "ana", sql).await, "ana's estimates use what ana sees");
}

/// Three queries that compare each row with each row would hold up everybody.
#[tokio::test]
async fn membership_in_a_query_is_looked_up() {
    let mesh = Mesh::new(MESH).await;
    let of_all = "(SELECT region FROM sales.orders)";
    for (condition, looked_up) in [
        (format!("region = ANY {of_all}"), true),
        (format!("amount > 0 AND (region = SOME {of_all} OR amount = 3)"), true),
        (format!("region <> ALL {of_all}"), true),
        (format!("NOT (region = ANY {of_all})"), true),
        (format!("amount IN (SELECT amount FROM sales.orders WHERE region = ANY {of_all})"), true),
        (format!("region > ANY {of_all}"), true),
        ("region > ANY (SELECT region FROM sales.orders o WHERE o.amount < orders.amount)".to_owned(), false),
    ] {
        let plan = mesh.answer("ana", &format!("EXPLAIN SELECT order_id FROM sales.orders WHERE {condition}")).await;
        assert_eq!(!plan.contains("NestedLoopJoin"), looked_up, "{condition}: {plan}");
    }
}
