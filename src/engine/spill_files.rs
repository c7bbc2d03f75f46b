//! The spilled files of one statement: none is written once nobody wants the statement.
//!
//! A sort that is out of memory merges and writes everything that it holds without a pause, which takes seconds. Each write asks here.

use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::error::Result;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use tokio_util::sync::CancellationToken;

use super::CalledOff;

/// Makes files of the engine's disk manager, which counts them and bounds their bytes.
pub(in crate::engine) struct StatementSpillFiles {
    files: Arc<DiskManager>,
    cancelled: CancellationToken,
}

impl StatementSpillFiles {
    /// A disk manager for one statement; what it makes counts in `files`.
    ///
    /// # Errors
    /// Never today; the engine's builder may refuse.
    pub fn over(files: &Arc<DiskManager>, cancelled: &CancellationToken) -> Result<DiskManager> {
        let made = Self { files: Arc::clone(files), cancelled: cancelled.clone() };
        DiskManager::builder()
            .with_max_spill_merge_fan_in(files.max_spill_merge_fan_in())
            .with_temp_file_factory(Arc::new(made))
            .build()
    }
}

impl TempFileFactory for StatementSpillFiles {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self.files.create_tmp_file(description)?;
        Ok(Arc::new(StatementSpillFile { file, cancelled: self.cancelled.clone() }))
    }
}

struct StatementSpillFile {
    file: Arc<dyn SpillFile>,
    cancelled: CancellationToken,
}

impl SpillFile for StatementSpillFile {
    fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        self.file.read_stream()
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(StatementSpillWriter { writer: self.file.open_writer()?, cancelled: self.cancelled.clone() }))
    }
}

struct StatementSpillWriter {
    writer: Box<dyn SpillWriter>,
    cancelled: CancellationToken,
}

impl Write for StatementSpillWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(io::Error::other(CalledOff));
        }
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl SpillWriter for StatementSpillWriter {
    fn finish(&mut self) -> Result<()> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn files_of_a_cancelled_statement_are_not_written() {
        let engine_files = Arc::new(DiskManager::builder().with_max_temp_directory_size(1000).build().unwrap());
        let cancelled = CancellationToken::new();
        let files = Arc::new(StatementSpillFiles::over(&engine_files, &cancelled).unwrap());
        let file = files.create_tmp_file("sorting").unwrap();
        let mut writer = file.open_writer().unwrap();
        writer.write_all(&[7; 600]).unwrap();
        assert_eq!((engine_files.used_disk_space(), engine_files.spilling_progress().active_files_count), (600, 1));
        let full = writer.write_all(&[7; 600]).unwrap_err();
        assert!(full.to_string().contains("exceeded the allowable limit"), "{full}");
        cancelled.cancel();
        let refused = writer.write_all(&[7; 6]).unwrap_err();
        assert!(refused.to_string().contains("called off"), "{refused}");
        let read: Vec<Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
        assert_eq!(read.concat(), [7; 600]);
        drop((writer, file));
        assert_eq!((engine_files.used_disk_space(), engine_files.spilling_progress().active_files_count), (0, 0));
    }
}
