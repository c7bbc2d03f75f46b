//! The bytes of a text file as UTF-8: unpacked as the end of its name says, and decoded as its byte order mark or its contract says.

use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

type Chunks = BoxStream<'static, object_store::Result<Bytes>>;

/// Stands for what cannot be decoded: no UTF-8 has it, so that the value is known as broken.
const UNDECODABLE: u8 = 0xff;

/// Ends of names of packed files, beside that of the format itself.
const PACKED: [(&str, CompressionTypeVariant); 4] = [
    (".gz", CompressionTypeVariant::GZIP),
    (".zst", CompressionTypeVariant::ZSTD),
    (".bz2", CompressionTypeVariant::BZIP2),
    (".xz", CompressionTypeVariant::XZ),
];

/// Each end of a name, alone and packed.
pub(super) fn endings(plain: &[&str]) -> Vec<String> {
    let packed = |ending: &str| PACKED.map(|(packed, _)| format!("{ending}{packed}"));
    plain.iter().flat_map(|ending| [(*ending).to_owned()].into_iter().chain(packed(ending))).collect()
}

/// `bytes` of the file under `key` as UTF-8. `encoding` is a label of the WHATWG Encoding Standard.
pub(super) fn as_utf8(bytes: Chunks, key: &Path, encoding: &str) -> Chunks {
    let encoding = Encoding::for_label(encoding.as_bytes()).unwrap_or(UTF_8);
    let reading = Reading { chunks: unpacked(bytes, key), usual: encoding, decoder: None, begun: false };
    let chunks =
        stream::try_unfold(
            reading,
            |mut reading| async move { Ok(reading.next().await?.map(|chunk| (chunk, reading))) },
        );
    // An empty piece is the end of a file to those who split it.
    chunks.try_filter(|chunk| std::future::ready(!chunk.is_empty())).boxed()
}

fn unpacked(bytes: Chunks, key: &Path) -> Chunks {
    let name = key.as_ref().to_ascii_lowercase();
    let Some((_, variant)) = PACKED.into_iter().find(|(ending, _)| name.ends_with(ending)) else { return bytes };
    let failed = |error: DataFusionError| object_store::Error::Generic { store: "unpack", source: Box::new(error) };
    let packed = bytes.map_err(|error| DataFusionError::ObjectStore(Box::new(error))).boxed();
    match FileCompressionType::from(variant).convert_stream(packed) {
        Ok(unpacked) => unpacked.map_err(failed).boxed(),
        Err(error) => stream::once(std::future::ready(Err(failed(error)))).boxed(),
    }
}

struct Reading {
    chunks: Chunks,
    /// Without a byte order mark.
    usual: &'static Encoding,
    /// None for UTF-8, whose bytes are looked at value by value.
    decoder: Option<Decoder>,
    begun: bool,
}

impl Reading {
    async fn next(&mut self) -> object_store::Result<Option<Bytes>> {
        let mut chunk = self.chunks.next().await.transpose()?;
        if !self.begun {
            self.begun = true;
            // A mark has three bytes at most.
            while let Some(first) = chunk.as_mut().filter(|first| first.len() < 3) {
                let Some(more) = self.chunks.next().await.transpose()? else { break };
                *first = [first.as_ref(), more.as_ref()].concat().into();
            }
            let marked = chunk.as_ref().and_then(|first| Encoding::for_bom(first)).map(|(encoding, _)| encoding);
            let encoding = marked.unwrap_or(self.usual);
            self.decoder = (encoding != UTF_8).then(|| encoding.new_decoder());
        }
        let Some(decoder) = &mut self.decoder else { return Ok(chunk) };
        let text = decode(decoder, chunk.as_deref().unwrap_or_default(), chunk.is_none());
        if chunk.is_none() {
            self.decoder = None;
            return Ok((!text.is_empty()).then(|| text.into()));
        }
        Ok(Some(text.into()))
    }
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool) -> Vec<u8> {
    let mut out = vec![0; decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(0).max(16)];
    let mut made = 0;
    loop {
        if out.len() - made < 16 {
            out.resize(out.len() * 2, 0);
        }
        let rest = out.get_mut(made..).unwrap_or_default();
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(bytes, rest, last);
        bytes = bytes.get(read..).unwrap_or_default();
        made += written;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => out.resize(out.len() * 2, 0),
            DecoderResult::Malformed(..) => {
                if let Some(place) = out.get_mut(made) {
                    *place = UNDECODABLE;
                    made += 1;
                }
            }
        }
    }
    out.truncate(made);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8], pieces: usize, name: &str, encoding: &str) -> Vec<u8> {
        let chunks: Vec<_> = bytes.chunks(pieces).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let read = as_utf8(stream::iter(chunks).boxed(), &Path::from(name), encoding);
        read.try_collect::<Vec<_>>().await.unwrap().concat()
    }

    #[tokio::test]
    async fn encodings_are_decoded_however_chunks_fall() {
        let wide = |mark: u16, swap: bool| -> Vec<u8> {
            let units = [mark].into_iter().chain("Zürich,8€".encode_utf16());
            units.flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        for pieces in [1, 2, 3, 100] {
            assert_eq!(read("Zürich,8€".as_bytes(), pieces, "a.csv", "utf-8").await, "Zürich,8€".as_bytes());
            assert_eq!(read(&wide(0xfeff, false), pieces, "a.csv", "utf-8").await, "Zürich,8€".as_bytes(), "{pieces}");
            assert_eq!(read(&wide(0xfeff, true), pieces, "a.csv", "utf-8").await, "Zürich,8€".as_bytes(), "{pieces}");
            assert_eq!(read(b"Z\xfcrich,8\x80", pieces, "a.csv", "windows-1252").await, "Zürich,8€".as_bytes());
            assert_eq!(read(b"a\x81 b", pieces, "a.csv", "shift_jis").await, b"a\xff b", "{pieces}");
        }
        assert_eq!(read(b"", 1, "a.csv", "utf-16le").await, b"");
    }

    #[tokio::test]
    async fn packed_files_are_unpacked_by_their_names() {
        for (ending, variant) in PACKED {
            let plain = stream::iter([Ok(Bytes::from_static(b"id\n1\n"))]).boxed();
            let packed = FileCompressionType::from(variant).convert_to_compress_stream(plain).unwrap();
            let packed: Vec<Bytes> = packed.try_collect().await.unwrap();
            assert_eq!(read(&packed.concat(), 7, &format!("a.csv{ending}"), "utf-8").await, b"id\n1\n", "{ending}");
            let cut = packed.concat();
            let chunks = stream::iter([Ok(Bytes::copy_from_slice(&cut[..cut.len() / 2]))]).boxed();
            let name = Path::from(format!("a.csv{ending}"));
            assert!(as_utf8(chunks, &name, "utf-8").try_collect::<Vec<_>>().await.is_err(), "{ending} is cut off");
        }
    }
}
