//! Children that run beside their parent: structs, fixed-size lists, unions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, StructArray, UnionArray, make_array};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, UnionMode};

use super::column::{broken, broken_because, column, gather, is_live, no_way, too_large, visible};
use crate::diagnostic::Result;

pub(super) fn structure(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let source = array.as_struct_opt().ok_or_else(broken)?;
    let DataType::Struct(fields) = target else { return Err(no_way(array, target)) };
    if fields.len() != source.num_columns() {
        return Err(no_way(array, target));
    }
    let nulls = visible(array, live)?;
    let children = source
        .columns()
        .iter()
        .zip(fields)
        .map(|(child, field)| column(child, nulls.as_ref(), field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    StructArray::try_new_with_length(fields.clone(), children, nulls, source.len())
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

pub(super) fn fixed_size_list(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let source = array.as_fixed_size_list_opt().ok_or_else(broken)?;
    let DataType::FixedSizeList(item, size) = target else { return Err(no_way(array, target)) };
    let width = usize::try_from(*size).map_err(|_| broken())?;
    let nulls = visible(array, live)?;
    let below = nulls.as_ref().map(|nulls| nulls.expand(width));
    let visible_range = source.values().slice(0, source.len() * width);
    let child = column(&visible_range, below.as_ref(), item.data_type())?;
    FixedSizeListArray::try_new_with_length(Arc::clone(item), *size, child, nulls, source.len())
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

/// A union has no validity of its own: a row below a null parent becomes a null of the first kind.
pub(super) fn union(array: &dyn Array, live: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef> {
    let source = array.as_union_opt().ok_or_else(broken)?;
    let (DataType::Union(own, _), DataType::Union(fields, mode)) = (source.data_type(), target) else {
        return Err(no_way(array, target));
    };
    let same_kinds = own.iter().map(|(id, _)| id).eq(fields.iter().map(|(id, _)| id));
    let Some((first, _)) = fields.iter().next().filter(|_| same_kinds) else { return Err(no_way(array, target)) };
    let live = visible(source, live)?;
    let kinds: Vec<i8> = source
        .type_ids()
        .iter()
        .enumerate()
        .map(|(row, id)| if is_live(live.as_ref(), row) { *id } else { first })
        .collect();

    let (children, offsets) = match mode {
        UnionMode::Sparse => {
            let children = fields
                .iter()
                .map(|(id, field)| {
                    let chosen: BooleanBuffer = kinds
                        .iter()
                        .enumerate()
                        .map(|(row, kind)| *kind == id && is_live(live.as_ref(), row))
                        .collect();
                    kind(
                        column(source.child(id), Some(&NullBuffer::new(chosen)), field.data_type())?,
                        field,
                        live.is_some(),
                    )
                })
                .collect::<Result<Vec<_>>>()?;
            (children, None)
        }
        UnionMode::Dense => {
            let places = source.offsets().ok_or_else(broken)?;
            let mut offsets = vec![0_i32; kinds.len()];
            let mut children = Vec::with_capacity(fields.len());
            for (id, field) in fields.iter() {
                let mut rows = Vec::new();
                let mut shown = Vec::new();
                for (row, ((kind, place), offset)) in kinds.iter().zip(places.iter()).zip(&mut offsets).enumerate() {
                    if *kind == id {
                        let is_shown = is_live(live.as_ref(), row);
                        *offset = i32::try_from(rows.len()).map_err(|_| too_large())?;
                        rows.push(if is_shown { u64::try_from(*place).map_err(|_| broken())? } else { 0 });
                        shown.push(is_shown);
                    }
                }
                let shown = NullBuffer::from(shown);
                children.push(kind(
                    gather(source.child(id), rows, Some(&shown), field.data_type())?,
                    field,
                    live.is_some(),
                )?);
            }
            (children, Some(ScalarBuffer::from(offsets)))
        }
    };
    UnionArray::try_new(fields.clone(), ScalarBuffer::from(kinds), offsets, children)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken_because(&error))
}

/// Rows of other kinds are zero in this one; where the kind is never null, they are not null either: a parent that may not
/// hold nulls looks at all of its children, chosen or not.
fn kind(rebuilt: ArrayRef, field: &Field, is_below_null: bool) -> Result<ArrayRef> {
    if is_below_null || field.is_nullable() || rebuilt.null_count() == 0 || rebuilt.data_type() == &DataType::Null {
        return Ok(rebuilt);
    }
    let plain = rebuilt.to_data().into_builder().nulls(None).build().map_err(|error| broken_because(&error))?;
    Ok(make_array(plain))
}
