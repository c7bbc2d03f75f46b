//! `servers[]`: the keys depend on the type.

use super::{CUSTOM_PROPERTIES, ROLE};
use crate::contract::shape::{Expect, Key, Shape, key, new_key, required};

/// Server types of the standard, the supported ones first.
pub const KNOWN_SERVER_TYPES: &[&str] = &[
    "local",
    "s3",
    "api",
    "athena",
    "azure",
    "bigquery",
    "btrieve",
    "clickhouse",
    "cloudsql",
    "custom",
    "databricks",
    "db2",
    "denodo",
    "dremio",
    "duckdb",
    "exasol",
    "fastobjects",
    "glue",
    "hana",
    "hive",
    "iceberg",
    "impala",
    "informix",
    "ingres",
    "kafka",
    "kinesis",
    "mysql",
    "oracle",
    "poet",
    "postgres",
    "postgresql",
    "presto",
    "pubsub",
    "redshift",
    "sftp",
    "snowflake",
    "sqlserver",
    "synapse",
    "teradata",
    "trino",
    "vectorwise",
    "versant",
    "vertica",
    "zen",
];

/// The shape of a server of a type.
pub fn server(kind: &str) -> &'static Shape {
    match kind {
        "local" => &LOCAL,
        "s3" => &S3,
        _ => &OTHER,
    }
}

static COMMON: &[Key] = &[
    key("id", Expect::Text),
    required("server", Expect::Text),
    required("type", Expect::Text),
    key("description", Expect::Text),
    key("environment", Expect::Text),
    key("roles", Expect::List(&Expect::Map(&ROLE))),
    key("customProperties", CUSTOM_PROPERTIES),
];

static LOCAL: Shape = Shape {
    what: "server",
    keys: &[
        COMMON,
        &[required("path", Expect::Text), required("format", Expect::Text), new_key("encoding", Expect::Text)],
    ],
};

static S3: Shape = Shape {
    what: "server",
    keys: &[
        COMMON,
        &[
            required("location", Expect::Text),
            required("format", Expect::Text),
            key("endpointUrl", Expect::Text),
            key("delimiter", Expect::Word(&["new_line", "array"])),
            new_key("encoding", Expect::Text),
        ],
    ],
};

/// Any other type: not served, so only strangers among the keys are told.
static OTHER: Shape = Shape {
    what: "server",
    keys: &[
        COMMON,
        &[
            key("account", Expect::Scalar),
            key("catalog", Expect::Scalar),
            key("catalogUrl", Expect::Scalar),
            key("database", Expect::Scalar),
            key("dataset", Expect::Scalar),
            key("delimiter", Expect::Scalar),
            key("encoding", Expect::Scalar),
            key("endpointUrl", Expect::Scalar),
            key("format", Expect::Scalar),
            key("host", Expect::Scalar),
            key("location", Expect::Scalar),
            key("namespace", Expect::Scalar),
            key("path", Expect::Scalar),
            key("port", Expect::Scalar),
            key("project", Expect::Scalar),
            key("region", Expect::Scalar),
            key("regionName", Expect::Scalar),
            key("schema", Expect::Scalar),
            key("serviceName", Expect::Scalar),
            key("stagingDir", Expect::Scalar),
            key("stream", Expect::Scalar),
            key("warehouse", Expect::Scalar),
            key("workgroup", Expect::Scalar),
        ],
    ],
};
