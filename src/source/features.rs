//! Features of Delta tables that the library's check refuses, though it reads them rightly.

use std::sync::Arc;

use deltalake::kernel::Snapshot;
use deltalake::{DeltaTable, DeltaTableError};
use serde_json::Value;

/// The first asks something of those only who delete files. The others let data files hold narrower types than the log says, which
/// every reader of files here widens.
const HARMLESS: [&str; 3] = ["vacuumProtocolCheck", "typeWidening", "typeWidening-preview"];

/// The snapshot of a table as if its log did not ask for these features; none where it does not.
///
/// The check has no switch, and is made again by each scan. A snapshot that was written out is read without one.
///
/// # Errors
/// Where the log cannot be read, or the library writes snapshots in another form than this one knows.
pub(super) async fn without_harmless(table: &DeltaTable) -> Result<Option<Arc<Snapshot>>, DeltaTableError> {
    let state = table.snapshot()?;
    let asked = serde_json::to_value(state.protocol())?;
    if !features(&asked).any(|feature| HARMLESS.contains(&feature)) {
        return Ok(None);
    }
    // Of the table's own snapshot all files would be written out.
    let snapshot = Snapshot::try_new(table.log_store().as_ref(), table.version()).await?;
    let mut written = serde_json::to_value(&snapshot)?;
    let protocols = written.as_array_mut().into_iter().flatten().filter(|part| part.get("minReaderVersion").is_some());
    for protocol in protocols {
        for list in ["readerFeatures", "writerFeatures"] {
            if let Some(features) = protocol.get_mut(list).and_then(Value::as_array_mut) {
                features.retain(|feature| feature.as_str().is_none_or(|name| !HARMLESS.contains(&name)));
            }
        }
    }
    Ok(Some(Arc::new(serde_json::from_value(written)?)))
}

fn features(protocol: &Value) -> impl Iterator<Item = &str> {
    protocol.get("readerFeatures").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
