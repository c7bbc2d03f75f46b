//! Results for programs: CSV, JSON, NDJSON, Markdown, Arrow.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{
    EncoderOptions, JsonArray, LineDelimited, Writer as JsonWriter, WriterBuilder as JsonBuilder, make_encoder,
};
use arrow::util::display::ArrayFormatter;
use clap::ValueEnum;

use super::cell;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// A box table for people
    #[default]
    Table,
    /// RFC 4180 with a header row; nested values as JSON
    Csv,
    /// One array of objects
    Json,
    /// One object on each line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// An Arrow IPC stream
    Arrow,
}

impl Format {
    /// By the ending of a file's name.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "md" | "markdown" => Some(Self::Markdown),
            "arrow" | "arrows" => Some(Self::Arrow),
            _ => None,
        }
    }

    /// True if a second result may follow the first in one file.
    pub(super) fn may_repeat(self) -> bool {
        !matches!(self, Self::Json | Self::Arrow)
    }
}

/// Writes one result as it arrives.
pub(in crate::cli) struct Encoder<W: Write> {
    sink: Sink<W>,
    schema: SchemaRef,
}

enum Sink<W: Write> {
    Csv(Box<arrow::csv::Writer<W>>),
    Json(JsonWriter<W, JsonArray>),
    Ndjson(JsonWriter<W, LineDelimited>),
    Markdown(W),
    Arrow(Box<StreamWriter<W>>),
}

impl<W: Write> Encoder<W> {
    /// Starts a result: headers are written also when no row follows. `Table` is written as Markdown.
    ///
    /// # Errors
    /// When nothing can be written to `out`.
    pub(in crate::cli) fn new(format: Format, schema: &SchemaRef, out: W) -> Result<Self, ArrowError> {
        let json = || JsonBuilder::new().with_explicit_nulls(true);
        let sink = match format {
            Format::Csv => Sink::Csv(Box::new(CsvBuilder::new().with_header(true).build(out))),
            Format::Json => Sink::Json(json().build(out)),
            Format::Ndjson => Sink::Ndjson(json().build(out)),
            Format::Markdown | Format::Table => Sink::Markdown(out),
            Format::Arrow => Sink::Arrow(Box::new(StreamWriter::try_new(out, schema)?)),
        };
        let mut encoder = Self { sink, schema: Arc::clone(schema) };
        let nothing = RecordBatch::new_empty(Arc::clone(schema));
        match &mut encoder.sink {
            Sink::Csv(writer) if !schema.fields().is_empty() => writer.write(&flat(&nothing)?)?,
            Sink::Markdown(out) => markdown_head(schema, out)?,
            _ => {}
        }
        Ok(encoder)
    }

    pub(in crate::cli) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.schema.fields().is_empty() {
            return Ok(());
        }
        match &mut self.sink {
            Sink::Csv(writer) => writer.write(&flat(batch)?),
            Sink::Json(writer) => writer.write(&json_ready(batch)?),
            Sink::Ndjson(writer) => writer.write(&json_ready(batch)?),
            Sink::Markdown(out) => markdown_rows(batch, out),
            Sink::Arrow(writer) => writer.write(batch),
        }
    }

    /// Ends the result; the writer is given back for the next one.
    ///
    /// # Errors
    /// When the end cannot be written.
    pub(in crate::cli) fn finish(self) -> Result<W, ArrowError> {
        let mut out = match self.sink {
            Sink::Csv(writer) => writer.into_inner(),
            Sink::Json(mut writer) => {
                writer.finish()?;
                let mut out = writer.into_inner();
                out.write_all(b"\n")?;
                out
            }
            Sink::Ndjson(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            Sink::Markdown(out) => out,
            Sink::Arrow(mut writer) => {
                writer.finish()?;
                writer.into_inner()?
            }
        };
        out.flush()?;
        Ok(out)
    }
}

/// JSON objects need distinct names, and the writer knows no unions and only maps with text keys.
fn json_ready(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let options = EncoderOptions::default();
    let mut fields: Vec<Field> = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let name = distinct(field.name(), &fields);
        if make_encoder(field, column.as_ref(), &options).is_ok() {
            fields.push(field.as_ref().clone().with_name(name));
            columns.push(Arc::clone(column));
        } else {
            fields.push(Field::new(name, DataType::Utf8, true));
            columns.push(as_text(column)?);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn distinct(name: &str, taken: &[Field]) -> String {
    let free = |name: &str| taken.iter().all(|field| field.name() != name);
    if free(name) {
        return name.to_owned();
    }
    // One more number than there are names is always enough.
    (2..taken.len() + 3).map(|n| format!("{name}_{n}")).find(|name| free(name)).unwrap_or_else(|| name.to_owned())
}

/// CSV has no nested values: they become JSON in a cell.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch.schema().fields().iter().any(|field| field.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let schema = batch.schema();
    let options = EncoderOptions::default();
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if !field.data_type().is_nested() {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
            continue;
        }
        fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        let Ok(mut encoder) = make_encoder(field, column.as_ref(), &options) else {
            columns.push(as_text(column)?);
            continue;
        };
        let texts = (0..column.len()).map(|row| {
            if encoder.is_null(row) {
                return None;
            }
            let mut bytes = Vec::new();
            encoder.encode(row, &mut bytes);
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        columns.push(Arc::new(texts.collect::<StringArray>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn as_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = cell::options();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let nulls = column.logical_nulls();
    let texts = (0..column.len()).map(|row| {
        let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        (!null).then(|| formatter.value(row).to_string())
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn markdown_head(schema: &Schema, out: &mut impl Write) -> Result<(), ArrowError> {
    if schema.fields().is_empty() {
        return Ok(());
    }
    let names = schema.fields().iter().map(|field| escape_markdown(field.name()));
    writeln!(out, "| {} |", names.collect::<Vec<_>>().join(" | "))?;
    let rules = schema.fields().iter().map(|field| if cell::is_number(field.data_type()) { "--:" } else { "---" });
    writeln!(out, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
    Ok(())
}

fn markdown_rows(batch: &RecordBatch, out: &mut impl Write) -> Result<(), ArrowError> {
    let texts: Vec<ArrayRef> = batch.columns().iter().map(as_text).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        for text in &texts {
            let text = arrow::array::AsArray::as_string::<i32>(text);
            let value = if text.is_null(row) { "NULL".to_owned() } else { escape_markdown(text.value(row)) };
            write!(out, "| {value} ")?;
        }
        writeln!(out, "|")?;
    }
    Ok(())
}

fn escape_markdown(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('|', "\\|").replace("\r\n", "<br>").replace('\n', "<br>");
    cell::plain_all(&escaped)
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array, IntervalMonthDayNanoArray, ListArray,
        NullArray, StructArray, TimestampMicrosecondArray, UnionArray,
    };
    use arrow::buffer::ScalarBuffer;
    use arrow::datatypes::{Int64Type, UnionFields};
    use arrow::ipc::reader::StreamReader;

    use super::*;

    fn encode(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
        let mut encoder = Encoder::new(format, &batches[0].schema(), Vec::new()).unwrap();
        for batch in batches {
            encoder.write(batch).unwrap();
        }
        encoder.finish().unwrap()
    }

    fn text(format: Format, batches: &[RecordBatch]) -> String {
        String::from_utf8(encode(format, batches)).unwrap()
    }

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    /// Two rows, the second of them NULL wherever a type can be.
    fn every_type() -> RecordBatch {
        let street = Arc::new(Field::new("street", DataType::Utf8, true));
        let inner: ArrayRef = Arc::new(StringArray::from(vec![Some("a \"b\""), None]));
        let union_fields: UnionFields = [(0, Arc::new(Field::new("i", DataType::Int64, true)))].into_iter().collect();
        let union = UnionArray::try_new(
            union_fields,
            ScalarBuffer::from(vec![0_i8, 0]),
            None,
            vec![Arc::new(Int64Array::from(vec![Some(7), None]))],
        );
        batch(vec![
            ("i", Arc::new(Int64Array::from(vec![Some(1), None]))),
            ("f", Arc::new(Float64Array::from(vec![Some(f64::NAN), None]))),
            ("d", Arc::new(Decimal128Array::from(vec![Some(-1250), None]).with_precision_and_scale(12, 2).unwrap())),
            ("t", Arc::new(StringArray::from(vec![Some("a,\"b\"\n|c"), None]))),
            ("day", Arc::new(Date32Array::from(vec![Some(19_000), None]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None]))),
            ("bin", Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]))),
            ("list", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]))),
            ("s", Arc::new(StructArray::from(vec![(street, inner)]))),
            (
                "iv",
                Arc::new(IntervalMonthDayNanoArray::from(vec![
                    Some(arrow::datatypes::IntervalMonthDayNano::new(1, 2, 3)),
                    None,
                ])),
            ),
            ("u", Arc::new(union.unwrap())),
            ("nothing", Arc::new(NullArray::new(2))),
        ])
    }

    #[test]
    fn json_is_valid_for_every_type() {
        let json: serde_json::Value = serde_json::from_str(&text(Format::Json, &[every_type(), every_type()])).unwrap();
        assert_eq!(json.as_array().unwrap().len(), 4);
        let first = &json[0];
        assert_eq!(first["d"], serde_json::json!(-12.5));
        assert_eq!(first["f"], serde_json::Value::Null);
        assert_eq!(first["t"], "a,\"b\"\n|c");
        assert_eq!(first["day"], "2022-01-08");
        assert_eq!(first["list"], serde_json::json!([1, null]));
        assert_eq!(first["s"], serde_json::json!({"street": "a \"b\""}));
        // NULL is said, not left out.
        assert_eq!(json[1].as_object().unwrap().len(), every_type().num_columns());
        assert!(json[1]["i"].is_null() && json[1]["list"].is_null());
        for line in text(Format::Ndjson, &[every_type()]).lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    #[test]
    fn json_keeps_columns_of_one_name_apart() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("id", DataType::Int64, true),
        ]));
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![2]))];
        let twins = RecordBatch::try_new(schema, columns).unwrap();
        assert_eq!(text(Format::Ndjson, &[twins]), "{\"id\":1,\"id_2\":2}\n");
    }

    #[test]
    fn csv_quotes_what_needs_it_and_nests_json() {
        let some = every_type().project(&[0, 3, 7, 8]).unwrap();
        assert_eq!(
            text(Format::Csv, &[some]),
            "i,t,list,s\n1,\"a,\"\"b\"\"\n|c\",\"[1,null]\",\"{\"\"street\"\":\"\"a \\\"\"b\\\"\"\"\"}\"\n,,,{}\n"
        );
        encode(Format::Csv, &[every_type()]);
    }

    #[test]
    fn markdown_stays_a_table() {
        let some = every_type().project(&[0, 3]).unwrap();
        assert_eq!(
            text(Format::Markdown, &[some]),
            "| i | t |\n| --: | --- |\n| 1 | a,\"b\"<br>\\|c |\n| NULL | NULL |\n"
        );
        encode(Format::Markdown, &[every_type()]);
    }

    #[test]
    fn no_rows_still_have_headers() {
        let none = every_type().slice(0, 0).project(&[0, 3]).unwrap();
        for (format, expect) in [
            (Format::Csv, "i,t\n"),
            (Format::Json, "[]\n"),
            (Format::Ndjson, ""),
            (Format::Markdown, "| i | t |\n| --: | --- |\n"),
        ] {
            assert_eq!(text(format, std::slice::from_ref(&none)), expect);
        }
    }

    #[test]
    fn arrow_streams_read_back() {
        let bytes = encode(Format::Arrow, &[every_type(), every_type()]);
        let read: Vec<RecordBatch> =
            StreamReader::try_new(bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].column(3), every_type().column(3));
    }

    #[test]
    fn formats_by_ending() {
        for (name, expect) in [
            ("a.csv", Some(Format::Csv)),
            ("b.JSON", Some(Format::Json)),
            ("c.d.ndjson", Some(Format::Ndjson)),
            ("e.md", Some(Format::Markdown)),
            ("f.arrow", Some(Format::Arrow)),
            ("g.txt", None),
            ("csv", None),
        ] {
            assert_eq!(Format::of_file(Path::new(name)), expect, "{name}");
        }
    }
}
