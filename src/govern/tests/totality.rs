//! Invariant 6: what is accepted as leakproof never fails, whatever the rows hold, and nothing else is accepted.

use std::collections::HashSet;
use std::ops::Not;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema};
use datafusion::common::DFSchema;
use datafusion::functions::expr_fn::{abs, random};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Between, Expr, ExprSchemable, cast, col, lit, try_cast, when};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_expr::execution_props::ExecutionProps;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::leakproof::is_leakproof;
use super::adversarial::{contract_types, engine_types, sliced, value};

/// A table of adversarial columns, and predicates over it.
struct World {
    rng: ChaCha8Rng,
    schema: Schema,
    passing: HashSet<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (contract, engine) = (contract_types(), engine_types());
        let mut fields = vec![Field::new("b", DataType::Boolean, true), Field::new("n", DataType::Int64, true)];
        for at in 0..4 {
            let types = if rng.random_range(0..4) == 0 { &engine } else { &contract };
            fields.push(Field::new(format!("c{at}"), types[rng.random_range(0..types.len())].clone(), true));
        }
        let inside = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
        fields.push(Field::new("s", DataType::Struct(inside), true));
        fields.push(Field::new_list("l", Field::new_list_field(DataType::Int64, true), true));
        let passing = fields.iter().map(|field| field.name().clone()).collect();
        // Shown, but not as it is stored.
        fields.push(Field::new("masked", DataType::Int64, true));
        Self { rng, schema: Schema::new(fields), passing }
    }

    fn batch(&mut self) -> RecordBatch {
        let rows = self.rng.random_range(0..40);
        let mut columns: Vec<ArrayRef> = Vec::new();
        for field in self.schema.fields() {
            columns.push(match field.data_type() {
                DataType::Struct(fields) => {
                    let values: Vec<_> = (0..rows).map(|_| value(&mut self.rng, &DataType::Int64)).collect();
                    let child = sliced(&mut self.rng, &DataType::Int64, &values);
                    let nulls = (0..rows).map(|_| self.rng.random::<bool>()).collect();
                    Arc::new(StructArray::new(fields.clone(), vec![child], Some(nulls)))
                }
                DataType::List(_) => {
                    let lists = (0..rows).map(|row| (row % 3 > 0).then(|| vec![Some(1), None]));
                    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))
                }
                flat => {
                    let values: Vec<_> = (0..rows).map(|_| value(&mut self.rng, flat)).collect();
                    sliced(&mut self.rng, flat, &values)
                }
            });
        }
        RecordBatch::try_new(Arc::new(self.schema.clone()), columns).unwrap()
    }

    fn flat(&mut self) -> (Expr, DataType) {
        let field = self.schema.field(self.rng.random_range(0..6));
        (col(field.name().as_str()), field.data_type().clone())
    }

    /// One of the columns of a type.
    fn another(&mut self, data_type: &DataType) -> Expr {
        let alike: Vec<_> = self.schema.fields()[..6].iter().filter(|field| field.data_type() == data_type).collect();
        col(alike[self.rng.random_range(0..alike.len())].name().as_str())
    }

    fn literal(&mut self, data_type: &DataType) -> Expr {
        lit(value(&mut self.rng, data_type))
    }

    /// A sentence of the grammar.
    fn predicate(&mut self, depth: usize) -> Expr {
        if depth > 0 && self.rng.random_range(0..3) > 0 {
            let inner = Box::new(self.predicate(depth - 1));
            return match self.rng.random_range(0..11) {
                0 => inner.not(),
                1 => Expr::IsTrue(inner),
                2 => Expr::IsNotTrue(inner),
                3 => Expr::IsFalse(inner),
                4 => Expr::IsNotFalse(inner),
                5 => Expr::IsUnknown(inner),
                6 => Expr::IsNotUnknown(inner),
                7 => Expr::IsNull(inner),
                8 => inner.and(self.predicate(depth - 1)),
                _ => inner.or(self.predicate(depth - 1)),
            };
        }
        let (column, data_type) = self.flat();
        let against_a_column = self.rng.random_range(0..8) < 2;
        let first = if against_a_column { self.another(&data_type) } else { self.literal(&data_type) };
        let forms = if against_a_column { 8 } else { 15 };
        match self.rng.random_range(0..forms) {
            0 => column.eq(first),
            1 => first.not_eq(column),
            2 => column.lt(first),
            3 => first.lt_eq(column),
            4 => column.gt(first),
            5 => column.gt_eq(first),
            6 => {
                datafusion::logical_expr::binary_expr(column, datafusion::logical_expr::Operator::IsDistinctFrom, first)
            }
            7 => datafusion::logical_expr::binary_expr(
                first,
                datafusion::logical_expr::Operator::IsNotDistinctFrom,
                column,
            ),
            8 | 9 => {
                let high = self.literal(&data_type);
                Expr::Between(Between::new(Box::new(column), self.rng.random(), Box::new(first), Box::new(high)))
            }
            10 | 11 => {
                let count = self.rng.random_range(0..6);
                let list = (0..count).map(|_| self.literal(&data_type)).collect();
                Expr::InList(InList::new(Box::new(column), list, self.rng.random()))
            }
            12 => column.is_null(),
            13 => col(["s", "l", "b"][self.rng.random_range(0..3)]).is_not_null(),
            _ => col("b"),
        }
    }

    /// What is no sentence of the grammar, though some of it never fails.
    fn other(&mut self) -> Expr {
        let one = lit(1_i64);
        match self.rng.random_range(0..20) {
            0 => (one / (col("n") - lit(5_i64))).gt_eq(lit(0_i64)),
            1 => cast(col("n"), DataType::Int8).eq(lit(1_i8)),
            2 => try_cast(col("n"), DataType::Int8).eq(lit(1_i8)),
            3 => col("n").eq(lit(1_i32)),
            4 => col("n").eq(col("masked")),
            5 => abs(col("n")).lt(one),
            6 => random().lt(lit(2_f64)),
            7 => cast(col("n"), DataType::Utf8).like(lit("1%")),
            8 => (-col("n")).gt(one),
            9 => col("n").in_list(vec![one.clone(), lit(1_i64) / col("n")], false),
            10 => col("n").between(lit(0_i64), lit(5_i64) / col("n")),
            11 => when(col("b"), lit(true)).otherwise((lit(1_i64) / col("n")).gt(lit(0_i64))).unwrap(),
            12 => (lit(1_i64) / col("n")).is_null(),
            13 => col("masked").eq(one),
            14 => col("masked").is_null(),
            15 => col("card_no").eq(lit("4")),
            16 => col("card_no").is_null(),
            17 => datafusion::functions::expr_fn::get_field(col("s"), "x").eq(one),
            18 => lit(1_i64).eq(lit(1_i64) / lit(0_i64)),
            _ => cast(col("n"), DataType::Boolean),
        }
    }

    /// `other` somewhere inside a sentence.
    fn poisoned(&mut self, depth: usize) -> Expr {
        if depth == 0 || self.rng.random_range(0..4) == 0 {
            return self.other();
        }
        let (bad, good) = (self.poisoned(depth - 1), self.predicate(1));
        match self.rng.random_range(0..6) {
            0 => good.and(bad),
            1 => bad.or(good),
            2 => bad.not(),
            3 => Expr::IsNotTrue(Box::new(bad)),
            4 => Expr::IsNull(Box::new(bad)),
            _ => good.or(bad.and(lit(false))),
        }
    }

    fn accepts(&self, predicate: &Expr) -> bool {
        is_leakproof(predicate, &self.schema, &self.passing)
    }
}

/// As it was asked, and as the engine simplifies it.
fn evaluate(predicate: &Expr, batch: &RecordBatch) {
    let schema = DFSchema::try_from(batch.schema().as_ref().clone()).unwrap();
    assert_eq!(predicate.get_type(&schema).unwrap(), DataType::Boolean, "{predicate}");
    let context = SessionContext::new_with_config(SessionConfig::new());
    for physical in [
        create_physical_expr(predicate, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default()),
        context.create_physical_expr(predicate.clone(), &schema),
    ] {
        let answer =
            physical.and_then(|physical| physical.evaluate(batch)).and_then(|v| v.into_array(batch.num_rows()));
        match answer {
            Ok(answer) => assert_eq!(answer.len(), batch.num_rows()),
            Err(error) => panic!("{predicate} fails: {error}\n{batch:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn leakproof_predicates_never_fail(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let predicate = world.predicate(3);
        prop_assert!(world.accepts(&predicate), "{} is of the grammar", predicate);
        let batch = world.batch();
        evaluate(&predicate, &batch);
    }

    #[test]
    fn nothing_else_is_leakproof(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let predicate = world.poisoned(3);
        prop_assert!(!world.accepts(&predicate), "{} is not of the grammar", predicate);
    }
}
