//! Nothing hidden is in a rebuilt column, whatever its type: two worlds that differ only in what is not visible give
//! the same bytes.
//!
//! Every array is made twice from the same visible choices. Null slots, rows that are sliced away, gaps between list
//! views, children of null parents, unused dictionary entries and filtered strings behind views hold `Q` in one world
//! and other bytes, in other numbers, in the other.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, BooleanArray, DictionaryArray,
    FixedSizeListArray, GenericByteArray, GenericListArray, GenericListViewArray, MapArray, NullArray, OffsetSizeTrait,
    PrimitiveArray, RunArray, StringViewArray, StringViewBuilder, StructArray, UInt32Array, UnionArray, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowDictionaryKeyType, ArrowNativeType, BinaryType, ByteArrayType, DataType, Field, Fields, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalUnit, LargeBinaryType, LargeUtf8Type, RunEndIndexType, Schema, TimeUnit, UInt16Type,
    UInt64Type, UnionFields, UnionMode, Utf8Type,
};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_flight::encode::FlightDataEncoderBuilder;
use futures::{StreamExt, stream};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::wire_schema;
use crate::engine::compact::rebuild;
use crate::query::scrub;

/// One world: `shown` makes the choices that both worlds share.
struct World {
    shown: ChaCha8Rng,
    hidden: ChaCha8Rng,
    canary: u8,
}

impl World {
    fn new(shown: u64, hidden: u64, canary: u8) -> Self {
        Self { shown: ChaCha8Rng::seed_from_u64(shown), hidden: ChaCha8Rng::seed_from_u64(hidden), canary }
    }

    fn below(&mut self, is_shown: bool, end: usize) -> usize {
        if is_shown { self.shown.random_range(0..end) } else { self.hidden.random_range(0..end) }
    }

    /// Which of the visible rows are null, and what is then still visible.
    fn nulls(&mut self, visible: &[bool], nullable: bool) -> (Option<NullBuffer>, Vec<bool>) {
        if !nullable {
            return (None, visible.to_vec());
        }
        let valid: Vec<bool> = visible.iter().map(|is_shown| self.below(*is_shown, 4) > 0).collect();
        let below = valid.iter().zip(visible).map(|(valid, visible)| *valid && *visible).collect();
        (Some(NullBuffer::from(valid)), below)
    }

    fn value(&mut self, is_shown: bool) -> Vec<u8> {
        if is_shown {
            let length = self.shown.random_range(0..20);
            (0..length).map(|_| self.shown.random_range(b'a'..=b'f')).collect()
        } else {
            vec![self.canary; self.hidden.random_range(0..30)]
        }
    }

    fn fixed(&mut self, is_shown: bool, width: usize) -> Vec<u8> {
        if is_shown { (0..width).map(|_| self.shown.random_range(1..40)).collect() } else { vec![self.canary; width] }
    }

    /// `visible` rows of `data_type` with hidden rows around them that are sliced away.
    fn array(&mut self, data_type: &DataType, visible: &[bool], nullable: bool) -> ArrayRef {
        let (before, after) = (self.hidden.random_range(0..12), self.hidden.random_range(0..3));
        let mut padded = vec![false; before];
        padded.extend_from_slice(visible);
        padded.resize(padded.len() + after, false);
        self.whole(data_type, &padded, nullable).slice(before, visible.len())
    }

    fn whole(&mut self, data_type: &DataType, visible: &[bool], nullable: bool) -> ArrayRef {
        match data_type {
            DataType::Null => return Arc::new(NullArray::new(visible.len())),
            DataType::Union(kinds, mode) => return self.union(kinds, *mode, visible),
            DataType::RunEndEncoded(ends, values) => {
                return match ends.data_type() {
                    DataType::Int16 => self.runs::<Int16Type>(values.data_type(), visible),
                    DataType::Int64 => self.runs::<Int64Type>(values.data_type(), visible),
                    _ => self.runs::<Int32Type>(values.data_type(), visible),
                };
            }
            _ => {}
        }
        let (nulls, below) = self.nulls(visible, nullable);
        match data_type {
            DataType::Boolean => {
                let bits: BooleanBuffer = below.iter().map(|is_shown| self.below(*is_shown, 2) == 1).collect();
                Arc::new(BooleanArray::new(bits, nulls))
            }
            DataType::Utf8 => self.bytes::<Utf8Type>(&below, nulls),
            DataType::LargeUtf8 => self.bytes::<LargeUtf8Type>(&below, nulls),
            DataType::Binary => self.bytes::<BinaryType>(&below, nulls),
            DataType::LargeBinary => self.bytes::<LargeBinaryType>(&below, nulls),
            DataType::Utf8View => {
                let mut builder = StringViewBuilder::new().with_fixed_block_size(64);
                for is_shown in below {
                    builder.append_value(String::from_utf8(self.value(is_shown)).unwrap());
                }
                let (views, buffers, _) = builder.finish().into_parts();
                Arc::new(StringViewArray::new(views, buffers, nulls))
            }
            DataType::BinaryView => {
                let mut builder = BinaryViewBuilder::new().with_fixed_block_size(64);
                for is_shown in below {
                    builder.append_value(self.value(is_shown));
                }
                let (views, buffers, _) = builder.finish().into_parts();
                Arc::new(BinaryViewArray::new(views, buffers, nulls))
            }
            DataType::List(item) => self.list::<i32>(item.data_type(), &below, nulls),
            DataType::LargeList(item) => self.list::<i64>(item.data_type(), &below, nulls),
            DataType::ListView(item) => self.list_view::<i32>(item.data_type(), &below, nulls),
            DataType::LargeListView(item) => self.list_view::<i64>(item.data_type(), &below, nulls),
            DataType::FixedSizeList(item, size) => {
                let width = usize::try_from(*size).unwrap();
                let inside: Vec<bool> = below.iter().flat_map(|is_shown| vec![*is_shown; width]).collect();
                let child = self.array(item.data_type(), &inside, item.is_nullable());
                Arc::new(
                    FixedSizeListArray::try_new_with_length(Arc::clone(item), *size, child, nulls, below.len())
                        .unwrap(),
                )
            }
            DataType::Struct(fields) => {
                let children =
                    fields.iter().map(|field| self.array(field.data_type(), &below, field.is_nullable())).collect();
                Arc::new(StructArray::try_new_with_length(fields.clone(), children, nulls, below.len()).unwrap())
            }
            DataType::Map(entries, sorted) => {
                let (offsets, inside) = self.ranges::<i32>(&below);
                let child = self.array(entries.data_type(), &inside, false);
                let child = child.as_struct().clone();
                Arc::new(MapArray::try_new(Arc::clone(entries), offsets, child, nulls, *sorted).unwrap())
            }
            DataType::Dictionary(key, value) => match key.as_ref() {
                DataType::Int8 => self.dictionary::<Int8Type>(value, &below, nulls),
                DataType::UInt16 => self.dictionary::<UInt16Type>(value, &below, nulls),
                DataType::UInt64 => self.dictionary::<UInt64Type>(value, &below, nulls),
                _ => self.dictionary::<Int32Type>(value, &below, nulls),
            },
            flat => {
                let width = match flat {
                    DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap(),
                    flat => flat.primitive_width().unwrap(),
                };
                let bytes: Vec<u8> = below.iter().flat_map(|is_shown| self.fixed(*is_shown, width)).collect();
                let data = ArrayData::builder(flat.clone()).len(below.len()).add_buffer(Buffer::from(&bytes[..]));
                make_array(data.nulls(nulls).align_buffers(true).build().unwrap())
            }
        }
    }

    fn bytes<T: ByteArrayType>(&mut self, below: &[bool], nulls: Option<NullBuffer>) -> ArrayRef {
        let values: Vec<Vec<u8>> = below.iter().map(|is_shown| self.value(*is_shown)).collect();
        let offsets = OffsetBuffer::<T::Offset>::from_lengths(values.iter().map(Vec::len));
        Arc::new(GenericByteArray::<T>::new(offsets, Buffer::from(values.concat()), nulls))
    }

    /// Rows one after the other, behind a few hidden entries.
    fn ranges<O: OffsetSizeTrait>(&mut self, below: &[bool]) -> (OffsetBuffer<O>, Vec<bool>) {
        let mut inside = vec![false; self.hidden.random_range(0..3)];
        let mut offsets = vec![O::usize_as(inside.len())];
        for is_shown in below {
            let length = self.below(*is_shown, 4);
            inside.resize(inside.len() + length, *is_shown);
            offsets.push(O::usize_as(inside.len()));
        }
        (OffsetBuffer::new(offsets.into()), inside)
    }

    fn list<O: OffsetSizeTrait>(&mut self, item: &DataType, below: &[bool], nulls: Option<NullBuffer>) -> ArrayRef {
        let (offsets, inside) = self.ranges::<O>(below);
        let child = self.array(item, &inside, true);
        Arc::new(GenericListArray::<O>::new(field("item", item), offsets, child, nulls))
    }

    fn list_view<O: OffsetSizeTrait>(
        &mut self,
        item: &DataType,
        below: &[bool],
        nulls: Option<NullBuffer>,
    ) -> ArrayRef {
        let mut inside = Vec::new();
        let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
        for is_shown in below {
            inside.resize(inside.len() + self.hidden.random_range(0..2), false);
            let length = self.below(*is_shown, 4);
            offsets.push(O::usize_as(inside.len()));
            sizes.push(O::usize_as(length));
            inside.resize(inside.len() + length, *is_shown);
        }
        let child = self.array(item, &inside, true);
        Arc::new(GenericListViewArray::<O>::new(field("item", item), offsets.into(), sizes.into(), child, nulls))
    }

    fn dictionary<K: ArrowDictionaryKeyType>(
        &mut self,
        value: &DataType,
        below: &[bool],
        nulls: Option<NullBuffer>,
    ) -> ArrayRef {
        // Visible rows use the first entries; the others are used by hidden rows, or by none.
        let (clean, all) = (3, 3 + self.hidden.random_range(1..4));
        let used: Vec<bool> = (0..all).map(|entry| entry < clean).collect();
        let values = self.array(value, &used, true);
        let keys: Vec<K::Native> = below
            .iter()
            .map(|is_shown| {
                let key = if *is_shown { self.below(true, clean) } else { clean + self.below(false, all - clean) };
                K::Native::usize_as(key)
            })
            .collect();
        Arc::new(DictionaryArray::new(PrimitiveArray::<K>::new(keys.into(), nulls), values))
    }

    fn runs<R: RunEndIndexType>(&mut self, value: &DataType, visible: &[bool]) -> ArrayRef {
        let used = [true, true, true, false, false];
        let entries = self.array(value, &used, true);
        let (mut ends, mut chosen): (Vec<R::Native>, Vec<u32>) = (Vec::new(), Vec::new());
        for (row, is_shown) in visible.iter().enumerate() {
            let entry = if *is_shown { self.below(true, 3) } else { 3 + self.below(false, 2) };
            let (end, entry) = (R::Native::usize_as(row + 1), u32::try_from(entry).unwrap());
            match ends.last_mut() {
                Some(last) if chosen.last() == Some(&entry) => *last = end,
                _ => {
                    ends.push(end);
                    chosen.push(entry);
                }
            }
        }
        let values = take(&entries, &UInt32Array::from(chosen), None).unwrap();
        Arc::new(RunArray::<R>::try_new(&PrimitiveArray::<R>::from_iter_values(ends), &values).unwrap())
    }

    fn union(&mut self, kinds: &UnionFields, mode: UnionMode, visible: &[bool]) -> ArrayRef {
        let ids: Vec<i8> = kinds.iter().map(|(id, _)| id).collect();
        let chosen: Vec<i8> = visible.iter().map(|is_shown| ids[self.below(*is_shown, ids.len())]).collect();
        let mut offsets = vec![0_i32; visible.len()];
        let children = kinds
            .iter()
            .map(|(id, kind)| {
                let inside: Vec<bool> = match mode {
                    UnionMode::Sparse => {
                        chosen.iter().zip(visible).map(|(chosen, is_shown)| *chosen == id && *is_shown).collect()
                    }
                    UnionMode::Dense => {
                        let mut inside = vec![false];
                        for (row, _) in chosen.iter().enumerate().filter(|(_, chosen)| **chosen == id) {
                            offsets[row] = i32::try_from(inside.len()).unwrap();
                            inside.push(visible[row]);
                        }
                        inside
                    }
                };
                self.array(kind.data_type(), &inside, kind.is_nullable())
            })
            .collect();
        let offsets = (mode == UnionMode::Dense).then(|| offsets.into());
        Arc::new(UnionArray::try_new(kinds.clone(), chosen.into(), offsets, children).unwrap())
    }
}

fn field(name: &str, data_type: &DataType) -> Arc<Field> {
    Arc::new(Field::new(name, data_type.clone(), true))
}

fn flat_types() -> Vec<DataType> {
    use DataType::*;
    vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Decimal32(7, 2),
        Decimal64(15, 3),
        Decimal128(30, 4),
        Decimal256(60, 5),
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time64(TimeUnit::Nanosecond),
        Timestamp(TimeUnit::Microsecond, None),
        Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into())),
        Duration(TimeUnit::Millisecond),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        FixedSizeBinary(5),
    ]
}

fn any_type() -> impl Strategy<Value = DataType> {
    let flat = prop::sample::select(flat_types());
    flat.prop_recursive(4, 12, 2, |inner| {
        let keys = prop::sample::select(vec![DataType::Int8, DataType::Int32, DataType::UInt16, DataType::UInt64]);
        let ends = prop::sample::select(vec![DataType::Int16, DataType::Int32, DataType::Int64]);
        let key = prop::sample::select(vec![DataType::Utf8, DataType::Int64, DataType::Utf8View]);
        prop_oneof![
            inner.clone().prop_map(|item| DataType::List(field("item", &item))),
            inner.clone().prop_map(|item| DataType::LargeList(field("item", &item))),
            inner.clone().prop_map(|item| DataType::ListView(field("item", &item))),
            inner.clone().prop_map(|item| DataType::LargeListView(field("item", &item))),
            inner.clone().prop_map(|item| DataType::FixedSizeList(field("item", &item), 2)),
            (keys, inner.clone()).prop_map(|(key, value)| DataType::Dictionary(Box::new(key), Box::new(value))),
            (ends, inner.clone()).prop_map(|(ends, value)| DataType::RunEndEncoded(
                Arc::new(Field::new("run_ends", ends, false)),
                field("values", &value),
            )),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| DataType::Struct(Fields::from(vec![field("a", &a), field("b", &b)]))),
            (key, inner.clone()).prop_map(|(key, value)| {
                let entries = Fields::from(vec![Arc::new(Field::new("keys", key, false)), field("values", &value)]);
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
            }),
            (flat_kind(), flat_kind(), any::<bool>()).prop_map(|(a, b, dense)| {
                let kinds =
                    UnionFields::try_new([1, 5], [Field::new("a", a, false), Field::new("b", b, false)]).unwrap();
                DataType::Union(kinds, if dense { UnionMode::Dense } else { UnionMode::Sparse })
            }),
        ]
    })
    // A null entry of a dictionary of unions has no null to become: the wire says that unions have none.
    .prop_filter("encoded unions", |data_type| {
        let text = data_type.to_string();
        !(text.contains("Union") && (text.contains("Dictionary") || text.contains("RunEndEncoded")))
    })
}

/// Kinds of a union that have no null of their own: arrow-flight declares unions as never null.
fn flat_kind() -> impl Strategy<Value = DataType> {
    prop::sample::select(flat_types().into_iter().filter(|kind| *kind != DataType::Null).collect::<Vec<_>>())
}

fn cells(array: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL").with_display_error(true);
    let formatter = ArrayFormatter::try_new(array, &options).unwrap();
    (0..array.len()).map(|row| formatter.value(row).to_string()).collect()
}

/// Every byte of an array: type, length, offset, validity, buffers, children.
fn image(data: &ArrayData, out: &mut Vec<u8>) {
    out.extend(format!("{}|{}|{};", data.data_type(), data.len(), data.offset()).bytes());
    if let Some(nulls) = data.nulls() {
        assert_eq!(nulls.offset(), 0);
        out.extend(nulls.buffer().as_slice());
    }
    for buffer in data.buffers() {
        out.push(b'|');
        out.extend(buffer.as_slice());
    }
    for child in data.child_data() {
        image(child, out);
    }
}

fn holds_canary(data: &ArrayData, canary: u8) -> bool {
    // Validity, offsets and kinds may hold any byte by chance; values never hold two such bytes in a row.
    data.buffers().iter().any(|buffer| buffer.as_slice().windows(2).any(|pair| pair == [canary, canary]))
        || data.child_data().iter().any(|child| holds_canary(child, canary))
}

fn frames(batch: RecordBatch) -> Vec<u8> {
    let schema = batch.schema();
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema).build(stream::iter([Ok(batch)]));
    let mut out = Vec::new();
    for frame in futures::executor::block_on(encoder.collect::<Vec<_>>()) {
        let frame = frame.unwrap();
        out.extend(frame.data_header.as_ref());
        out.extend(frame.data_body.as_ref());
    }
    out
}

/// The wire bytes of one world, after checking the values and the absence of the canary.
fn on_the_wire(mut world: World, data_type: &DataType, rows: usize) -> Vec<u8> {
    let array = world.array(data_type, &vec![true; rows], true);
    let logical = Schema::new(vec![Field::new("c", data_type.clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(logical.clone()), vec![Arc::clone(&array)]).unwrap();
    let scrubbed = scrub(&batch, &wire_schema(&logical)).unwrap().into_inner();

    // Nanoseconds are cut, and zones are told as UTC. What is left of a number may hold any byte by chance.
    let is_cut = data_type.to_string().contains("(ns");
    if !is_cut {
        assert_eq!(cells(scrubbed.column(0)), cells(&array), "values stay, {data_type}");
    }
    let data = scrubbed.column(0).to_data();
    data.validate_full().unwrap();
    assert!(is_cut || !holds_canary(&data, world.canary), "{data_type}: {data:?}");
    let mut bytes = Vec::new();
    image(&data, &mut bytes);
    let frames = frames(scrubbed);
    assert!(!frames.windows(4).any(|four| four == [world.canary; 4]), "{data_type}");
    bytes.extend(frames);
    bytes
}

fn check(data_type: &DataType, rows: usize, seed: u64) {
    let here = on_the_wire(World::new(seed, seed ^ 1, b'Q'), data_type, rows);
    let there = on_the_wire(World::new(seed, seed ^ 2, b'X'), data_type, rows);
    assert!(here == there, "{data_type} depends on what is hidden");

    // In its own type, as columns below a mask are rebuilt. Not every type can be a dictionary's value again.
    let native = |hidden, canary| {
        let array = World::new(seed, hidden, canary).array(data_type, &vec![true; rows], true);
        rebuild(&array, data_type).ok().map(|rebuilt| {
            assert_eq!(cells(&rebuilt), cells(&array), "values stay, {data_type}");
            let data = rebuilt.to_data();
            assert!(!holds_canary(&data, canary), "{data_type}: {data:?}");
            let mut bytes = Vec::new();
            image(&data, &mut bytes);
            bytes
        })
    };
    assert!(native(seed ^ 1, b'Q') == native(seed ^ 2, b'X'), "{data_type} depends on what is hidden");
}

/// The arrays do carry what must not be seen, or the rest would prove nothing.
#[test]
fn what_is_hidden_is_in_the_arrays() {
    // One byte in a row is not told from any other.
    let narrow = [DataType::Null, DataType::Boolean, DataType::Int8, DataType::UInt8];
    let types = flat_types().into_iter().filter(|flat| !narrow.contains(flat));
    for (seed, flat) in types.enumerate() {
        for wrapping in [
            flat.clone(),
            DataType::List(field("item", &flat)),
            DataType::Struct(Fields::from(vec![field("a", &flat)])),
            DataType::Dictionary(Box::new(DataType::UInt16), Box::new(flat)),
        ] {
            let array = World::new(seed as u64, 7, b'Q').array(&wrapping, &[true; 40], true);
            assert!(holds_canary(&array.to_data(), b'Q'), "{wrapping}");
        }
    }
}

#[test]
fn every_flat_type_in_every_wrapping() {
    for (number, flat) in flat_types().into_iter().enumerate() {
        let runs = Arc::new(Field::new("run_ends", DataType::Int32, false));
        let pair = |a, b| UnionFields::try_new([1, 5], [Field::new("a", a, true), Field::new("b", b, true)]).unwrap();
        let wrappings = [
            flat.clone(),
            DataType::List(field("item", &flat)),
            DataType::ListView(field("item", &flat)),
            DataType::FixedSizeList(field("item", &flat), 3),
            DataType::FixedSizeList(field("item", &flat), 0),
            DataType::Struct(Fields::from(vec![field("a", &flat)])),
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(flat.clone())),
            DataType::RunEndEncoded(runs, field("values", &flat)),
            DataType::Union(pair(flat.clone(), DataType::Utf8View), UnionMode::Dense),
            DataType::Union(pair(DataType::Int8, flat), UnionMode::Sparse),
        ];
        for wrapping in wrappings {
            for rows in [0, 1, 9, 70] {
                check(&wrapping, rows, number as u64);
            }
        }
    }
    check(&DataType::Struct(Fields::empty()), 5, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hidden_is_in_a_nested_column(data_type in any_type(), rows in 0_usize..40, seed in any::<u64>()) {
        check(&data_type, rows, seed);
    }
}
