//! What conditions let through, above all where data breaks a promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::fixture::*;
use crate::contract::Column;
use crate::name::ColumnPath;
use crate::policy::{Comparison as Op, Condition, Literal, PatternPart, Term};

fn columns() -> Vec<Column> {
    vec![
        column("id", DataType::Int64, true),
        column("region", DataType::Utf8, true),
        column("note", DataType::Utf8, false),
        column("small", DataType::Int8, false),
        column("huge", DataType::UInt64, false),
        column("number", DataType::Int64, false),
        column("price", DataType::Decimal128(12, 2), false),
        column("precise", DataType::Decimal128(38, 6), false),
        column("day", DataType::Date32, false),
        column("at", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        column("tags", DataType::new_list(DataType::Utf8, true), false),
        structure("address", vec![column("city", DataType::Utf8, true), column("zip", DataType::Utf8, false)], false),
    ]
}

/// Rows 1 to 4: plain, extreme, all NULL but `id`, and NULL where it was promised not to be.
fn batch() -> RecordBatch {
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("x"), Some("y")]);
    tags.append_value([None::<&str>]);
    tags.append_null();
    tags.append_value(Vec::<Option<&str>>::new());
    let fields: Fields = vec![Field::new("city", DataType::Utf8, true), Field::new("zip", DataType::Utf8, true)].into();
    // Row 2 has a value under a NULL struct; row 4 breaks the promise about `city`.
    let address = StructArray::new(
        fields,
        vec![
            Arc::new(StringArray::from(vec![Some("Bonn"), Some("Bonn"), None, None])),
            Arc::new(StringArray::from(vec![Some("1"), None, None, Some("4")])),
        ],
        Some(vec![true, false, false, true].into()),
    );
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ("region", Arc::new(StringArray::from(vec![Some("EU"), Some("US"), Some("EU"), None]))),
        ("note", Arc::new(StringArray::from(vec![Some("a*b"), Some("acb"), None, Some("ä\u{10FFFF}")]))),
        ("small", Arc::new(Int8Array::from(vec![Some(5), Some(-128), None, Some(127)]))),
        ("huge", Arc::new(UInt64Array::from(vec![Some(5), Some(u64::MAX), None, Some(1 << 62)]))),
        ("number", Arc::new(Int64Array::from(vec![Some(5), Some(i64::MAX), None, Some(i64::MIN)]))),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![Some(1050), Some(-1), None, Some(1051)])
                    .with_data_type(DataType::Decimal128(12, 2)),
            ),
        ),
        (
            "precise",
            Arc::new(
                Decimal128Array::from(vec![Some(10_500_000), Some(1), None, Some(i128::from(i64::MAX) * 1000)])
                    .with_data_type(DataType::Decimal128(38, 6)),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(1), Some(i32::MAX), None, Some(-1)]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_000), Some(i64::MAX), None, Some(1_500)]))),
        ("tags", Arc::new(tags.finish())),
        ("address", Arc::new(address)),
    ];
    RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

async fn ids(offers: &[Condition], caps: &[Condition], drift: &[(&str, Vec<bool>)]) -> Vec<String> {
    let mut batch = batch();
    let mut markers: BTreeMap<ColumnPath, String> = BTreeMap::new();
    for (at, rows) in drift {
        let marker = format!("drift of {at}");
        let schema = Arc::unwrap_or_clone(batch.schema());
        let fields = schema.fields().iter().cloned().chain([Arc::new(Field::new(&marker, DataType::Boolean, true))]);
        let arrays = batch.columns().iter().cloned().chain([Arc::new(BooleanArray::from(rows.clone())) as ArrayRef]);
        batch =
            RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields.collect::<Fields>())), arrays.collect())
                .unwrap();
        markers.insert(path(at), marker);
    }
    let caps = if caps.is_empty() { vec![] } else { vec![rule("hidden", caps)] };
    let rules = exposed(vec![rules("id", vec![rule("clear", offers)], caps)]);
    let context = client(governed(columns(), rules, memory(batch, markers)));
    query(&context, "select id from orders order by id").await.unwrap()
}

/// Rows that a permit with this condition shows, and rows that a forbid with it leaves.
async fn check(condition: Condition, permitted: &[&str], left_by_forbid: &[&str]) {
    assert_eq!(ids(std::slice::from_ref(&condition), &[], &[]).await, permitted, "permit {condition:?}");
    assert_eq!(ids(&[ALWAYS], std::slice::from_ref(&condition), &[]).await, left_by_forbid, "forbid {condition:?}");
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn given(at: &str, condition: Condition) -> Condition {
    Condition::And(vec![Condition::Has(path(at)), condition])
}

fn long(value: i64) -> Literal {
    Literal::Long(value)
}

#[tokio::test]
async fn a_broken_promise_hides_under_permit_and_forbid_and_negation() {
    // Row 4 has no region although the contract requires one.
    check(is("region", "EU"), &["1", "3"], &["2"]).await;
    check(not(is("region", "EU")), &["2"], &["1", "3"]).await;
    check(Condition::Has(path("region")), &["1", "2", "3"], &[]).await;
    check(not(Condition::Has(path("region"))), &[], &["1", "2", "3"]).await;
    let either = Condition::Or(vec![is("region", "EU"), compare(Op::Greater, "id", long(0))]);
    check(either, &["1", "2", "3"], &[]).await;
    // What decides without the region does not make up for it.
    let both = Condition::And(vec![is("region", "EU"), compare(Op::Less, "id", long(3))]);
    check(both.clone(), &["1"], &["2", "3"]).await;
    check(not(both), &["2", "3"], &["1"]).await;
}

/// The optimizer takes each of these for TRUE, or never TRUE, whatever the value.
#[tokio::test]
async fn a_broken_promise_hides_where_lists_leave_nothing_to_ask() {
    let one_of = |regions: [&str; 2]| {
        let regions = regions.into_iter().map(|region| Literal::String(region.to_owned())).collect();
        Condition::OneOf(Box::new(Term::Column(path("region"))), regions)
    };
    let (western, eastern) = (one_of(["EU", "US"]), one_of(["APAC", "LATAM"]));
    let either = [not(western.clone()), not(eastern.clone())];
    assert_eq!(ids(&either, &[], &[]).await, ["1", "2", "3"], "two permits");
    check(Condition::Or(either.to_vec()), &["1", "2", "3"], &[]).await;
    let watched_but_not_cleared = Condition::And(vec![western.clone(), not(western.clone())]);
    check(watched_but_not_cleared, &[], &["1", "2", "3"]).await;
    check(Condition::And(vec![western.clone(), eastern.clone()]), &[], &["1", "2", "3"]).await;
    assert_eq!(ids(&[ALWAYS], &[western, eastern], &[]).await, Vec::<String>::new(), "two forbids");
    let same = |region: &str| is("region", region);
    let both = |left: &str, right: &str| not(Condition::Or(vec![same(left), same(right)]));
    assert_eq!(ids(&[both("EU", "US"), both("APAC", "LATAM")], &[], &[]).await, ["1", "2", "3"], "chains of equality");
}

#[tokio::test]
async fn drift_hides_whatever_the_condition_says() {
    let drift = [("number", vec![false, false, true, false])];
    let small = given("number", compare(Op::Less, "number", long(9)));
    assert_eq!(ids(std::slice::from_ref(&small), &[], &drift).await, ["1", "4"]);
    assert_eq!(ids(&[not(small.clone())], &[], &drift).await, ["2"], "row 3 is not taken for absent");
    assert_eq!(ids(&[ALWAYS], &[small], &drift).await, ["2"], "a forbid does not vanish because a value is bad");
    assert_eq!(ids(&[ALWAYS], &[is("region", "US")], &drift).await, ["1", "3"], "only what a policy reads matters");
}

#[tokio::test]
async fn values_outside_of_cedars_range_hide() {
    let large = given("huge", compare(Op::Greater, "huge", long(9)));
    check(large.clone(), &["4"], &["1", "3"]).await;
    check(not(large), &["1", "3"], &["4"]).await;
    // Row 2 has six fractional digits, row 4 lies beyond the range.
    let dear = given("precise", compare(Op::GreaterOrEqual, "precise", Literal::Decimal(105_000)));
    check(dear.clone(), &["1"], &["3"]).await;
    check(not(dear), &["3"], &["1"]).await;
}

#[tokio::test]
async fn arithmetic_that_overflows_hides() {
    let number = || Box::new(Term::Column(path("number")));
    let literal = |value| Box::new(Term::Literal(long(value)));
    let doubled = Term::Multiply(number(), literal(2));
    let small = given("number", Condition::Compare(Op::Less, Box::new(doubled), literal(100)));
    check(small.clone(), &["1"], &["3"]).await;
    check(not(small), &["3"], &["1"]).await;
    let opposite = Term::Negate(Box::new(Term::Subtract(literal(0), number())));
    let positive = given("number", Condition::Compare(Op::Greater, Box::new(opposite), literal(0)));
    check(positive, &["1", "2"], &["3"]).await;
    // 64-bit columns of other widths take part.
    let sum = Term::Add(Box::new(Term::Column(path("small"))), Box::new(Term::Column(path("huge"))));
    let sums = Condition::And(vec![
        Condition::Has(path("small")),
        Condition::Has(path("huge")),
        Condition::Compare(Op::Equal, Box::new(sum), literal(10)),
    ]);
    check(sums, &["1"], &["3", "4"]).await;
}

#[tokio::test]
async fn literals_beyond_a_columns_type_compare_rightly() {
    let small = |op, value| given("small", compare(op, "small", long(value)));
    check(small(Op::Less, 1_000), &["1", "2", "4"], &["3"]).await;
    check(small(Op::Equal, 1_000), &[], &["1", "2", "3", "4"]).await;
    check(small(Op::GreaterOrEqual, -128), &["1", "2", "4"], &["3"]).await;
    check(given("huge", compare(Op::NotEqual, "huge", long(-1))), &["1", "4"], &["3"]).await;
    // 10.505 lies between two values of a column with two digits.
    let price = |op, value| given("price", compare(op, "price", Literal::Decimal(value)));
    check(price(Op::Less, 105_050), &["1", "2"], &["3", "4"]).await;
    check(price(Op::LessOrEqual, 105_050), &["1", "2"], &["3", "4"]).await;
    check(price(Op::Greater, 105_050), &["4"], &["1", "2", "3"]).await;
    check(price(Op::Equal, 105_050), &[], &["1", "2", "3", "4"]).await;
    check(price(Op::NotEqual, 105_050), &["1", "2", "4"], &["3"]).await;
    check(price(Op::Equal, 105_000), &["1"], &["2", "3", "4"]).await;
    // Noon of 1970-01-02.
    let day = |op| given("day", compare(op, "day", Literal::Datetime(129_600_000)));
    check(day(Op::Less), &["1", "4"], &["2", "3"]).await;
    check(day(Op::GreaterOrEqual), &["2"], &["1", "3", "4"]).await;
    check(day(Op::Equal), &[], &["1", "2", "3", "4"]).await;
    // Half a millisecond is later than the millisecond.
    check(given("at", compare(Op::Greater, "at", Literal::Datetime(1))), &["2", "4"], &["1", "3"]).await;
    check(given("at", compare(Op::Less, "at", Literal::Datetime(i64::MAX))), &["1", "2", "4"], &["3"]).await;
    let columns = Condition::Compare(Op::Less, Box::new(Term::Column(path("at"))), Box::new(Term::Column(path("day"))));
    let both = Condition::And(vec![Condition::Has(path("at")), Condition::Has(path("day")), columns]);
    check(both, &["1", "2"], &["3", "4"]).await;
}

#[tokio::test]
async fn membership_and_patterns() {
    let one_of = |at: &str, literals: Vec<Literal>| {
        given(at, Condition::OneOf(Box::new(Term::Column(path(at))), literals.into_iter().collect()))
    };
    check(one_of("small", vec![long(5), long(1_000)]), &["1"], &["2", "3", "4"]).await;
    check(one_of("small", vec![long(1_000)]), &[], &["1", "2", "3", "4"]).await;
    check(one_of("note", vec![]), &[], &["1", "2", "3", "4"]).await;
    let like = |parts: &[&str]| {
        let part = |part: &&str| match *part {
            "*" => PatternPart::Wildcard,
            text => PatternPart::Text(text.to_owned()),
        };
        given("note", Condition::Like(Box::new(Term::Column(path("note"))), parts.iter().map(part).collect()))
    };
    check(like(&["a", "*"]), &["1", "2"], &["3", "4"]).await;
    check(like(&["ä\u{10FFFF}", "*"]), &["4"], &["1", "2", "3"]).await;
    check(like(&["a", "\\*", "b"]), &[], &["1", "2", "3", "4"]).await;
    check(like(&["*", "b"]), &["1", "2"], &["3", "4"]).await;
    check(like(&["a%"]), &[], &["1", "2", "3", "4"]).await;
    check(like(&["*", "c", "*"]), &["2"], &["1", "3", "4"]).await;
    check(like(&[]), &[], &["1", "2", "3", "4"]).await;
    check(like(&["*"]), &["1", "2", "4"], &["3"]).await;
}

#[tokio::test]
async fn sets_with_a_null_do_not_fit() {
    let holds = |text: &str| given("tags", Condition::Contains(path("tags"), Literal::String(text.to_owned())));
    check(holds("x"), &["1"], &["3", "4"]).await;
    check(not(holds("x")), &["3", "4"], &["1"]).await;
    check(given("tags", Condition::IsEmpty(path("tags"))), &["4"], &["1", "3"]).await;
    let texts = |texts: &[&str]| texts.iter().map(|text| Literal::String((*text).to_owned())).collect();
    check(given("tags", Condition::ContainsAll(path("tags"), texts(&["x", "y"]))), &["1"], &["3", "4"]).await;
    check(given("tags", Condition::ContainsAny(path("tags"), texts(&["z"]))), &[], &["1", "3", "4"]).await;
}

#[tokio::test]
async fn fields_of_an_absent_struct_are_absent() {
    // Row 2 holds `Bonn` under a NULL struct; row 4 has a struct without its required city.
    let bonn = given("address", is("address.city", "Bonn"));
    check(bonn.clone(), &["1"], &["2", "3"]).await;
    check(not(bonn), &["2", "3"], &["1"]).await;
    let zip = given("address", given("address.zip", is("address.zip", "4")));
    check(zip, &["4"], &["1", "2", "3"]).await;
}

#[tokio::test]
async fn either_branch_of_an_if_decides() {
    let condition = Condition::If(
        Box::new(Condition::Has(path("note"))),
        Box::new(is("note", "acb")),
        Box::new(is("region", "EU")),
    );
    check(condition, &["2", "3"], &["1"]).await;
}

#[tokio::test]
async fn what_cannot_be_compiled_denies() {
    let float = vec![column("id", DataType::Int64, true), column("f", DataType::Float64, false)];
    for condition in [
        compare(Op::Equal, "f", long(1)),
        compare(Op::Equal, "id", Literal::String("1".to_owned())),
        compare(Op::Equal, "nosuch", long(1)),
        Condition::Column(path("id")),
    ] {
        let rules = exposed(vec![rules("id", vec![rule("clear", std::slice::from_ref(&condition))], vec![])]);
        let table = crate::govern::GovernedTable::new(entry(float.clone()), rules, Arc::new(broken()), None, false);
        assert!(table.is_none(), "{condition:?}");
    }
}
