//! What a reader may rely on, by example; the property over every type is in `flight::egress_tests`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, DurationNanosecondArray, Int32Array, Int64Array,
    StringArray, StructArray, TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Field, Fields, Int8Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::array_value_to_string;

use super::rebuild;
use crate::diagnostic::Kind;

#[test]
fn null_slots_are_zero() {
    let raw: ArrayRef =
        Arc::new(Int64Array::new(vec![1, 0x5EC4_E75E, 3].into(), Some(NullBuffer::from(vec![true, false, true]))));
    let rebuilt = rebuild(&raw, &DataType::Int64).unwrap();
    assert_eq!(&rebuilt, &raw);
    assert_eq!(&rebuilt.as_primitive::<arrow::datatypes::Int64Type>().values()[..], [1, 0, 3]);
}

#[test]
fn slices_keep_no_neighbour() {
    let raw: ArrayRef = Arc::new(StringArray::from(vec!["hidden", "shown", "hidden"]));
    let rebuilt = rebuild(&raw.slice(1, 1), &DataType::Utf8).unwrap();
    assert_eq!(rebuilt.as_string::<i32>().value_data(), b"shown");
    assert_eq!(rebuilt.as_string::<i32>().value_offsets(), [0, 5]);
}

#[test]
fn bits_beyond_the_length_are_zero() {
    let bits = BooleanArray::new(BooleanBuffer::new_set(64), None);
    let rebuilt = rebuild(&(Arc::new(bits.slice(3, 5)) as ArrayRef), &DataType::Boolean).unwrap();
    assert_eq!(rebuilt.to_data().buffers()[0].as_slice(), [0b1_1111]);
}

#[test]
fn children_of_a_null_parent_do_not_survive() {
    let fields = Fields::from(vec![Field::new("n", DataType::Int32, false)]);
    let child: ArrayRef = Arc::new(Int32Array::from(vec![7, 666]));
    let raw: ArrayRef = Arc::new(StructArray::new(fields, vec![child], Some(NullBuffer::from(vec![true, false]))));
    let rebuilt = rebuild(&raw, raw.data_type()).unwrap();
    assert_eq!(rebuilt.as_struct().column(0).to_data().buffers()[0].typed_data::<i32>(), [7, 0]);
    assert_eq!(&rebuilt, &raw);
}

#[test]
fn dictionaries_hydrate_without_unused_entries() {
    let raw: DictionaryArray<Int8Type> = vec![Some("shown"), Some("hidden"), None].into_iter().collect();
    let rebuilt = rebuild(&(Arc::new(raw.slice(0, 1)) as ArrayRef), &DataType::Utf8).unwrap();
    assert_eq!(rebuilt.as_string::<i32>().value_data(), b"shown");
    let pruned = rebuild(&(Arc::new(raw.slice(2, 1)) as ArrayRef), raw.data_type()).unwrap();
    assert!(pruned.as_dictionary::<Int8Type>().values().is_empty());
    assert!(pruned.is_null(0));
}

#[test]
fn unsigned_numbers_keep_their_values() {
    let raws: [(ArrayRef, DataType, &str); 4] = [
        (Arc::new(UInt8Array::from(vec![u8::MAX])), DataType::Int16, "255"),
        (Arc::new(UInt16Array::from(vec![u16::MAX])), DataType::Int32, "65535"),
        (Arc::new(UInt32Array::from(vec![u32::MAX])), DataType::Int64, "4294967295"),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), DataType::Decimal128(20, 0), "18446744073709551615"),
    ];
    for (raw, target, expect) in raws {
        let rebuilt = rebuild(&raw, &target).unwrap();
        assert_eq!(rebuilt.data_type(), &target);
        assert_eq!(array_value_to_string(&rebuilt, 0).unwrap(), expect);
    }
}

#[test]
fn nanoseconds_are_cut_downwards() {
    let nanos = vec![-1, 1_999];
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let raw: ArrayRef = Arc::new(TimestampNanosecondArray::from(nanos.clone()).with_timezone("+05:30"));
    assert_eq!(rebuild(&raw, &micros).unwrap().as_primitive::<TimestampMicrosecondType>().values()[..], [-1, 1]);
    let raw: ArrayRef = Arc::new(DurationNanosecondArray::from(nanos));
    let rebuilt = rebuild(&raw, &DataType::Duration(TimeUnit::Microsecond)).unwrap();
    assert_eq!(rebuilt.as_primitive::<DurationMicrosecondType>().values()[..], [-1, 1]);
    // Without a zone it is another moment.
    let raw: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![0]));
    assert_eq!(rebuild(&raw, &micros).unwrap_err().kind, Kind::Internal);
}

#[test]
fn a_pair_of_types_without_a_way_is_an_error() {
    let raw: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for target in [DataType::Int32, DataType::Utf8, DataType::Date64, DataType::Null] {
        assert_eq!(rebuild(&raw, &target).unwrap_err().kind, Kind::Internal);
    }
}
