//! Frames of windows that are ordered by what the engine counts no range of.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::{ExprSchemable as _, WindowFrame, WindowFrameBound, WindowFrameUnits};

use super::common::Reader;

/// Without a distance, a range ends with the peers of a row, as groups do: those the engine plans for keys of any type.
///
/// # Errors
/// `Plan` for a distance between keys that have none.
pub(super) fn framed(params: &mut WindowFunctionParams, reader: &Reader<'_>) -> Result<()> {
    let frame = &params.window_frame;
    let mut keys = params.order_by.iter().filter_map(|key| key.expr.get_type(reader.schema).ok());
    if frame.units != WindowFrameUnits::Range || keys.all(|of| has_ranges(&of)) {
        return Ok(());
    }
    if has_distance(&frame.start_bound) || has_distance(&frame.end_bound) {
        return plan_err!(
            "a RANGE with a distance is ordered by numbers, dates or timestamps; ROWS and GROUPS count rows"
        );
    }
    params.window_frame =
        WindowFrame::new_bounds(WindowFrameUnits::Groups, frame.start_bound.clone(), frame.end_bound.clone());
    Ok(())
}

/// As `extract_window_frame_target_type` of the engine has it.
fn has_ranges(of: &DataType) -> bool {
    match of {
        DataType::Dictionary(_, values) => has_ranges(values),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..) => true,
        of => of.is_numeric() || of.is_string() || of.is_null(),
    }
}

fn has_distance(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::Preceding(distance) | WindowFrameBound::Following(distance) => !distance.is_null(),
        WindowFrameBound::CurrentRow => false,
    }
}
