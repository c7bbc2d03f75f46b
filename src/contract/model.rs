//! A contract after every check: what the rest of the gateway may rely on.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field};

use super::pattern::TimeFormat;
use crate::name::{Classification, ColumnName, ColumnPath, DatasetName, DomainName, ProductName, Tag};

/// One checked ODCS contract: the promise of one data product at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// ODCS `id`, unique in the mesh.
    pub id: String,
    pub domain: DomainName,
    /// ODCS `name`.
    pub product: ProductName,
    pub version: semver::Version,
    pub status: Status,
    /// ODCS `description.purpose`, `.usage` and `.limitations`, as given.
    pub purpose: Option<String>,
    pub usage: Option<String>,
    pub limitations: Option<String>,
    pub tags: Vec<Tag>,
    /// `customProperties: meshgateClassification` of the contract; the mesh's default where absent.
    pub classification: Classification,
    /// ODCS `team.name`.
    pub owner_team: Option<String>,
    pub support: Vec<SupportChannel>,
    pub server: Server,
    /// In the order of the document; never empty.
    pub datasets: Vec<Dataset>,
    pub sla: Vec<SlaProperty>,
    /// The file it came from, as given to the loader.
    pub file: String,
}

/// ODCS `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Proposed,
    Draft,
    Active,
    Deprecated,
    Retired,
}

impl Status {
    /// In the order of a product's life.
    pub const ALL: [Self; 5] = [Self::Proposed, Self::Draft, Self::Active, Self::Deprecated, Self::Retired];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }

    /// Active and deprecated products are served; the others are not registered.
    pub fn is_served(self) -> bool {
        matches!(self, Self::Active | Self::Deprecated)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportChannel {
    /// `#sales-data`, an address, a queue.
    pub channel: String,
    pub tool: Option<String>,
    pub url: Option<String>,
}

/// Where the data lies; chosen from ODCS `servers[]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// ODCS `server`.
    pub name: String,
    pub location: Location,
    pub format: Format,
    pub layout: TextLayout,
}

/// How files of text are written, for CSV and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLayout {
    /// `customProperties: meshgateDelimiter` of the server: between the fields of a CSV record.
    pub delimiter: u8,
    /// `customProperties: meshgateHeader` of the server: false where a CSV file has no names, and its fields stand in the contract's order.
    pub header: bool,
    /// `customProperties: meshgateDecimalMark` of the server.
    pub marks: NumberMarks,
    /// ODCS `encoding`, as the WHATWG Encoding Standard names it. A byte order mark counts more.
    pub encoding: String,
}

impl Default for TextLayout {
    fn default() -> Self {
        Self { delimiter: b',', header: true, marks: NumberMarks::Unsaid, encoding: "utf-8".to_owned() }
    }
}

/// Which mark stands before the fraction of a number; the other may stand between groups of three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NumberMarks {
    /// A point, as far as a number cannot be read in two ways.
    #[default]
    Unsaid,
    DecimalPoint,
    DecimalComma,
}

/// A place below the domain's configured root. `{model}` stands for the dataset's physical name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// ODCS type `local`: `path`, relative to the domain's root.
    Local { path: String },
    /// ODCS type `s3`: the whole `s3://bucket/key…`; endpoint and credentials come from the operator's configuration only.
    S3 { url: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Parquet,
    Delta,
    Csv,
    /// Newline-delimited JSON.
    Json,
}

impl Format {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// One ODCS schema object: one SQL table.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    pub name: DatasetName,
    /// ODCS `physicalName`, else the name.
    pub physical_name: String,
    pub description: Option<String>,
    /// The contract's tags and its own.
    pub tags: Vec<Tag>,
    /// `customProperties: meshgateClassification` of the object, else the contract's.
    pub classification: Classification,
    /// `customProperties: meshgateRowCount`.
    pub row_count: Option<u64>,
    /// `customProperties: meshgateOnDrift` of the object, else of the contract.
    pub on_drift: OnDrift,
    /// In the order of the document; never empty.
    pub columns: Vec<Column>,
    /// Foreign keys of the object and of its properties.
    pub references: Vec<KeyReference>,
    pub quality: Vec<QualityRule>,
}

/// What a reader gets for a value that its column cannot hold, where policy shows it in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDrift {
    /// The statement fails.
    #[default]
    Refuse,
    /// NULL.
    Null,
}

/// ODCS `minimum` and `maximum` of a number, date or timestamp, in the type's own unit: days since 1970, microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub least: f64,
    pub greatest: f64,
}

/// A column, or a field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: ColumnName,
    /// ODCS `physicalName`, else the name: what the files call it.
    pub physical_name: String,
    /// The type shown to readers: Boolean, Int8…Int64, UInt8…UInt64, Float32, Float64, Decimal128, Utf8, Binary, Date32,
    /// Timestamp(Microsecond, None or "UTC"), Time64(Microsecond), List, Struct.
    /// For a struct it agrees with `fields`. Null where the declared type cannot be served: nobody sees the column, and a policy
    /// that asks for it denies the dataset.
    pub data_type: DataType,
    /// Fields of a struct column, else empty.
    pub fields: Vec<Column>,
    /// How texts write its dates or times, where the contract says it. Only for files of text.
    pub written: Option<TimeFormat>,
    /// The same of what is inside of a list: by the path of fields below its elements, under the names that files use. The empty path
    /// is the element itself.
    pub written_inside: BTreeMap<Vec<String>, TimeFormat>,
    /// The type of a list under the names that files use, where they are others.
    pub list_in_files: Option<DataType>,
    /// What JSON files hold where the contract promises an object or an array and does not say of what: the type under the names that
    /// files use, with LargeUtf8 for each such part, whose text is its JSON.
    pub in_json: Option<DataType>,
    pub description: Option<String>,
    /// The dataset's tags and its own (a field inherits from its struct).
    pub tags: Vec<Tag>,
    /// Its own, else that of the enclosing struct, else the dataset's.
    pub classification: Classification,
    pub required: bool,
    pub unique: bool,
    /// What its values lie between, where the contract says so; only estimates depend on it.
    pub range: Option<Range>,
    /// 1-based position in the primary key.
    pub primary_key: Option<u32>,
    /// 1-based position among the hive partition columns.
    pub partition_key: Option<u32>,
    /// ODCS `criticalDataElement`.
    pub critical: bool,
    pub quality: Vec<QualityRule>,
}

impl Column {
    /// False for a column whose declared type this gateway does not know, and a struct of such fields.
    pub fn is_served(&self) -> bool {
        if self.fields.is_empty() { self.data_type != DataType::Null } else { self.fields.iter().any(Self::is_served) }
    }

    /// A top-level column and every field inside it, structs before what is in them.
    pub fn paths(&self) -> Vec<(ColumnPath, &Self)> {
        fn descend<'a>(path: ColumnPath, column: &'a Column, out: &mut Vec<(ColumnPath, &'a Column)>) {
            let below: Vec<_> = column.fields.iter().map(|field| (path.child(field.name.clone()), field)).collect();
            out.push((path, column));
            for (path, field) in below {
                descend(path, field, out);
            }
        }
        let mut out = Vec::new();
        descend(ColumnPath::root(self.name.clone()), self, &mut out);
        out
    }

    /// The column without fields that are not served; none where nothing of it is.
    fn served(&self) -> Option<Self> {
        if self.fields.is_empty() {
            return self.is_served().then(|| self.clone());
        }
        let fields: Vec<Self> = self.fields.iter().filter_map(Self::served).collect();
        let types = fields.iter().map(|field| Field::new(field.name.as_str(), field.data_type.clone(), true));
        let data_type = DataType::Struct(types.collect());
        (!fields.is_empty()).then(|| Self { data_type, fields, ..self.clone() })
    }

    /// The promised type under the names that files use.
    pub fn type_in_files(&self) -> DataType {
        if self.fields.is_empty() {
            return self.list_in_files.as_ref().unwrap_or(&self.data_type).clone();
        }
        let fields = self.fields.iter().map(|f| Field::new(&f.physical_name, f.type_in_files(), true));
        DataType::Struct(fields.collect())
    }

    /// The same as JSON files hold it.
    pub fn type_in_json(&self) -> DataType {
        if self.fields.is_empty() {
            return self.in_json.clone().unwrap_or_else(|| self.type_in_files());
        }
        let fields = self.fields.iter().map(|f| Field::new(&f.physical_name, f.type_in_json(), true));
        DataType::Struct(fields.collect())
    }

    /// Those of [`Self::paths`] that are no structs.
    pub fn leaves(&self) -> Vec<(ColumnPath, &Self)> {
        let mut leaves = self.paths();
        leaves.retain(|(_, column)| column.fields.is_empty());
        leaves
    }
}

/// A foreign key: columns here, columns there. Targets are as written: `customers.customer_id`, or with a domain or file before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReference {
    pub columns: Vec<ColumnName>,
    pub targets: Vec<String>,
}

/// A quality rule as far as it is checked at load; a later layer runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityRule {
    pub name: Option<String>,
    /// Library metric, `sql`, `text` or `custom`.
    pub kind: String,
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SlaProperty {
    pub property: String,
    pub value: String,
    pub unit: Option<String>,
    pub element: Option<String>,
}

impl Dataset {
    /// Every column and field, structs before what is in them.
    pub fn paths(&self) -> Vec<(ColumnPath, &Column)> {
        self.columns.iter().flat_map(Column::paths).collect()
    }

    /// Leaf columns: top-level ones and fields of structs, in the contract's order; a list or map is one leaf.
    pub fn leaves(&self) -> Vec<(ColumnPath, &Column)> {
        self.columns.iter().flat_map(Column::leaves).collect()
    }

    /// A path in names of files; as far as the contract has it.
    pub fn path_in_files(&self, path: &ColumnPath) -> Vec<String> {
        let (mut names, mut columns) = (Vec::new(), &self.columns);
        for segment in path.segments() {
            let Some(column) = columns.iter().find(|column| column.name == *segment) else { break };
            names.push(column.physical_name.clone());
            columns = &column.fields;
        }
        names
    }

    /// The dataset without columns and fields whose types are not known.
    pub fn served(&self) -> Cow<'_, Self> {
        if self.leaves().iter().all(|(_, column)| column.is_served()) {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self { columns: self.columns.iter().filter_map(Column::served).collect(), ..self.clone() })
    }

    /// Columns of the primary key by position.
    pub fn primary_key(&self) -> Vec<&Column> {
        let mut keys: Vec<&Column> = self.columns.iter().filter(|c| c.primary_key.is_some()).collect();
        keys.sort_by_key(|c| c.primary_key);
        keys
    }
}
