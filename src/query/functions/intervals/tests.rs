use arrow::datatypes::IntervalMonthDayNano;

use super::NANOS_OF_DAY;
use super::justify::justified;

fn interval(months: i32, days: i32, hours: i64) -> IntervalMonthDayNano {
    IntervalMonthDayNano::new(months, days, hours * NANOS_OF_DAY / 24)
}

#[test]
fn longer_intervals_are_greater() {
    let ordered = [
        interval(-1, 0, 0),
        interval(0, -29, -23),
        interval(0, 0, -25),
        interval(0, -1, 0),
        interval(0, 1, -25),
        interval(0, 0, 0),
        interval(1, -30, 1),
        interval(0, 1, 0),
        interval(0, 0, 25),
        interval(0, 29, 23),
        interval(1, 0, 0),
        interval(0, 31, 0),
        interval(0, 0, 24 * 400),
    ];
    let justified_all = ordered.map(|interval| justified(interval).unwrap());
    assert!(justified_all.is_sorted_by(|one, other| one < other), "{justified_all:?}");
    assert_eq!(justified(interval(0, 1, 0)), justified(interval(0, 0, 24)));
    assert_eq!(justified(interval(1, -1, 24)), Some(interval(1, 0, 0)));
    assert_eq!(justified(IntervalMonthDayNano::new(i32::MAX, i32::MAX, 0)), None);
}
