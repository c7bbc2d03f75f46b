//! `EXPLAIN ACCESS`: what a statement's datasets show this principal, and why, as rows. No storage is touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as ParsedStatement;

use super::failure::diagnose;
use super::functions;
use super::plan::{check_name, is_of_the_mesh, tables};
use super::session::ViewState;
use crate::diagnostic::{Kind, Result};
use crate::govern::{Explained, PrincipalView, Resolution, SystemTable, explain};
use crate::mesh::Product;

/// The answer's columns, all text.
const COLUMNS: [&str; 8] = ["product", "dataset", "column", "exposure", "policies", "reason", "owner", "support"];
/// What stands for the rows of a dataset where a column is named.
const ROWS: &str = "(rows)";

/// A plan whose rows are made when it runs, so that they tell of the policies of that moment.
///
/// # Errors
/// Those of the statement itself, but for products that may be known of and not read: these are answered.
pub(in crate::query) async fn plan(state: &ViewState, parsed: ParsedStatement) -> Result<LogicalPlan> {
    let references = tables(state, &parsed)?;
    let mut closed = false;
    for reference in &references {
        match check_name(&state.view, reference) {
            Err(denied) if denied.kind == Kind::Denied => closed = true,
            other => other?,
        }
    }
    if !closed {
        // A statement that cannot be planned is answered as it would be. Of a product that may not be read no column is known.
        let logical = state.state.statement_to_plan(parsed).await.map_err(|error| diagnose(&error))?;
        functions::check_plan(&logical)?;
    }
    let names: BTreeSet<(String, String)> = references
        .iter()
        .filter(|reference| !is_of_the_mesh(reference))
        .map(|reference| (reference.schema().unwrap_or_default().to_owned(), reference.table().to_owned()))
        .collect();
    let fields: Vec<Field> = COLUMNS.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let (view, made) = (Arc::clone(&state.view), Arc::clone(&schema));
    let table = SystemTable::new(schema, move || batch(&made, &rows(&view, &names)?));
    LogicalPlanBuilder::scan("access", provider_as_source(Arc::new(table)), None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| diagnose(&error))
}

type Row = [Option<String>; COLUMNS.len()];

fn batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, DataFusionError> {
    let column = |i: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.get(i).cloned().flatten()).collect::<StringArray>())
    };
    Ok(RecordBatch::try_new(Arc::clone(schema), (0..COLUMNS.len()).map(column).collect())?)
}

fn rows(view: &PrincipalView, names: &BTreeSet<(String, String)>) -> Result<Vec<Row>, DataFusionError> {
    let mut rows = Vec::new();
    for (domain, table) in names {
        let dataset = format!("{domain}.{table}");
        match view.resolve(domain, table) {
            Resolution::Readable(governed) => {
                let product = &governed.entry().product;
                let told = explain(&governed, view.audits(product));
                rows.extend(told.into_iter().map(|told| row(view, product, &dataset, told)));
            }
            Resolution::Discoverable(product) => {
                let told = Explained {
                    column: None,
                    exposure: "none".to_owned(),
                    policies: Vec::new(),
                    reason: "no policy lets you read any of it".to_owned(),
                };
                rows.push(row(view, &product, &dataset, told));
            }
            // It was there when the statement was planned; policies that read the time may close what they have opened.
            Resolution::Unknown => {
                let reference = TableReference::partial(domain.as_str(), table.as_str());
                check_name(view, &reference).map_err(|unknown| DataFusionError::External(Box::new(unknown)))?;
            }
        }
    }
    Ok(rows)
}

fn row(view: &PrincipalView, product: &Product, dataset: &str, told: Explained) -> Row {
    let snapshot = view.generation().snapshot();
    [
        Some(product.name.to_string()),
        Some(dataset.to_owned()),
        Some(told.column.map_or_else(|| ROWS.to_owned(), |path| path.to_string())),
        Some(told.exposure),
        Some(told.policies.join(", ")),
        Some(told.reason),
        snapshot.owner(product).map(str::to_owned),
        snapshot.support(product).map(|support| support.channel.clone()),
    ]
}
