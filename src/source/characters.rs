//! The bytes of a text file as UTF-8: unpacked as the end of its name says, and decoded as its byte order mark or its contract says.

use std::io;

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use bytes::Bytes;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use tokio_util::io::{ReaderStream, StreamReader};

use super::damaged::Damaged;

type Chunks = BoxStream<'static, object_store::Result<Bytes>>;

/// Stands for what cannot be decoded: no UTF-8 has it, so that the value is known as broken.
const UNDECODABLE: u8 = 0xff;

/// Ends of names of packed files, beside that of the format itself.
const PACKED: [(&str, Packing); 4] =
    [(".gz", Packing::Gzip), (".zst", Packing::Zstd), (".bz2", Packing::Bzip2), (".xz", Packing::Xz)];

#[derive(Debug, Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

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

/// A file may be several packed ones behind each other: parallel packers write it so, and `cat` makes it.
fn unpacked(bytes: Chunks, key: &Path) -> Chunks {
    let name = key.as_ref().to_ascii_lowercase();
    let Some((_, packing)) = PACKED.into_iter().find(|(ending, _)| name.ends_with(ending)) else { return bytes };
    let packed = StreamReader::new(bytes.map_err(io::Error::other));
    let unpacked = match packing {
        Packing::Gzip => {
            let mut decoder = GzipDecoder::new(packed);
            decoder.multiple_members(true);
            ReaderStream::new(decoder).boxed()
        }
        Packing::Zstd => {
            let mut decoder = ZstdDecoder::new(packed);
            decoder.multiple_members(true);
            ReaderStream::new(decoder).boxed()
        }
        Packing::Bzip2 => {
            let mut decoder = BzDecoder::new(packed);
            decoder.multiple_members(true);
            ReaderStream::new(decoder).boxed()
        }
        Packing::Xz => {
            let mut decoder = XzDecoder::new(packed);
            decoder.multiple_members(true);
            ReaderStream::new(decoder).boxed()
        }
    };
    let key = key.clone();
    unpacked.map_err(move |error| failed(&key, error)).boxed()
}

/// An error of the store as it is; every other is one of the packed bytes.
fn failed(key: &Path, error: io::Error) -> object_store::Error {
    let why = error.to_string();
    let of_store = error.into_inner().and_then(|inner| inner.downcast::<object_store::Error>().ok());
    match of_store {
        Some(error) => *error,
        None => Damaged::file(key, &format!("it is cut off or damaged, and cannot be unpacked ({why})")).into(),
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
    use datafusion::common::parsers::CompressionTypeVariant;
    use datafusion::datasource::file_format::file_compression_type::FileCompressionType;

    use super::*;

    const VARIANTS: [CompressionTypeVariant; 4] = [
        CompressionTypeVariant::GZIP,
        CompressionTypeVariant::ZSTD,
        CompressionTypeVariant::BZIP2,
        CompressionTypeVariant::XZ,
    ];

    async fn packed(text: &[u8], variant: CompressionTypeVariant) -> Vec<u8> {
        let plain = stream::iter([Ok(Bytes::copy_from_slice(text))]).boxed();
        let packed = FileCompressionType::from(variant).convert_to_compress_stream(plain).unwrap();
        packed.try_collect::<Vec<_>>().await.unwrap().concat()
    }

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
        for ((ending, _), variant) in PACKED.into_iter().zip(VARIANTS) {
            let name = format!("a.csv{ending}");
            let one = packed(b"id\n1\n", variant).await;
            assert_eq!(read(&one, 7, &name, "utf-8").await, b"id\n1\n", "{ending}");
            let two = [one, packed(b"2\n", variant).await].concat();
            for pieces in [1, 7, 1000] {
                assert_eq!(read(&two, pieces, &name, "utf-8").await, b"id\n1\n2\n", "{ending} twice");
            }
        }
    }

    #[tokio::test]
    async fn packed_file_is_damaged_wherever_it_is_cut() {
        for ((ending, _), variant) in PACKED.into_iter().zip(VARIANTS) {
            let (one, two) = (packed(b"id\n1\n", variant).await, packed(b"2\n3\n", variant).await);
            let (between, key) = (one.len(), Path::from(format!("a.csv{ending}")));
            let whole = [one, two].concat();
            for cut in (0..whole.len()).filter(|cut| *cut != between) {
                let chunks = stream::iter([Ok(Bytes::copy_from_slice(&whole[..cut]))]).boxed();
                let read = as_utf8(chunks, &key, "utf-8").try_collect::<Vec<_>>().await;
                let error = read.expect_err(&format!("{ending} is cut off at {cut} of {}", whole.len()));
                assert!(Damaged::find(&error).unwrap().to_string().contains("a.csv"), "{ending}: {error}");
            }
            // The first error of a store is not one of the file.
            let chunks: [object_store::Result<Bytes>; 2] = [
                Ok(Bytes::copy_from_slice(&whole[..3])),
                Err(object_store::Error::Generic { store: "S3", source: "500".into() }),
            ];
            let error = as_utf8(stream::iter(chunks).boxed(), &key, "utf-8").try_collect::<Vec<_>>().await.unwrap_err();
            assert!(Damaged::find(&error).is_none() && error.to_string().contains("500"), "{ending}: {error}");
        }
    }
}
