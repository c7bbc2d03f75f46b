//! Dates and times in texts as their contract says they are written.

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

use super::*;
use crate::contract::{EpochUnit, Pattern, TimeFormat};

fn written(name: &str, data_type: DataType, pattern: &str) -> Column {
    let pattern = Pattern::parse(pattern, &data_type).unwrap();
    Column { written: Some(TimeFormat::Pattern(pattern)), ..column(name, data_type) }
}

#[tokio::test]
async fn texts_are_read_by_their_pattern_and_no_other() {
    let stamp = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = vec![
        written("d", DataType::Date32, "dd.MM.yyyy"),
        written("t", stamp(), "MM/dd/yyyy HH:mm:ss"),
        written("z", zoned, "yyyy-MM-dd HH:mmXXX"),
        written("c", DataType::Time64(TimeUnit::Microsecond), "HHmm"),
        Column { written: Some(TimeFormat::Epoch(EpochUnit::Milliseconds)), ..column("e", stamp()) },
        column("b", stamp()),
    ];
    let csv = "d,t,z,c,e,b\n\
               31.01.2024,01/02/2024 03:04:05,2024-01-31 12:30+02:00,1230,1700000000123,2024-01-31 12:30\n\
               2024-01-31,2024-01-02 03:04:05,2024-01-31 12:30,12:30,2023-11-14,1700000000123\n\
               ,,,,,\n";
    let json = r#"{"d": "31.01.2024", "t": "01/02/2024 03:04:05", "z": "2024-01-31 12:30+02:00", "c": "1230", "e": 1700000000123, "b": "2024-01-31 12:30"}
{"d": "2024-01-31", "t": "2024-01-02 03:04:05", "z": "2024-01-31 12:30", "c": "12:30", "e": "2023-11-14", "b": 1700000000123}
{"d": null}"#;
    let world = World::new();
    world.put("orders/a.csv", csv).await;
    world.put("json/a.json", json).await;
    for contract in [entry(Format::Csv, columns.clone()), entry_of("sales", local("json"), Format::Json, columns)] {
        let shown = show(world.open(&contract).await.as_ref(), None).await.unwrap();
        let rows: Vec<&str> = shown.lines().skip(1).collect();
        let values = "2024-01-31 | 2024-01-02T03:04:05 | 2024-01-31T10:30:00Z | 12:30:00 | 2023-11-14T22:13:20.123 | 2024-01-31T12:30:00";
        assert_eq!(rows[0], format!("{values}{}", " | false".repeat(6)));
        assert_eq!((rows[1].matches("true").count(), rows[1].contains("20")), (6, false), "{shown}");
        assert_eq!(rows[2].matches("false").count(), 6, "{shown}");
    }
}

#[tokio::test]
async fn texts_inside_lists_are_read_by_their_own_patterns() {
    let stamp = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let pattern = |of: &DataType, text: &str| TimeFormat::Pattern(Pattern::parse(text, of).unwrap());
    let list = |item: DataType| DataType::new_list(item, true);
    let part = vec![
        Field::new("day", DataType::Date32, true),
        Field::new("days", list(DataType::Date32), true),
        Field::new("at", stamp(), true),
    ];
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let days = BTreeMap::from([(Vec::new(), pattern(&DataType::Date32, "dd.MM.yyyy"))]);
    let inside = BTreeMap::from([
        (path(&["days"]), pattern(&DataType::Date32, "yyyyMMdd")),
        (path(&["at"]), TimeFormat::Epoch(EpochUnit::Seconds)),
    ]);
    let columns = vec![
        Column { written_inside: days, ..column("days", list(list(DataType::Date32))) },
        Column { written_inside: inside, ..column("parts", list(DataType::Struct(part.into()))) },
    ];
    let world = World::new();
    let json = r#"{"days": [["31.01.2024"], []], "parts": [{"day": "2024-01-31", "days": ["20240131"], "at": 1700000000}]}
{"days": [["2024-01-31"]], "parts": [{"day": "31.01.2024", "days": ["2024-01-31"], "at": "2023-11-14T22:13:20"}]}"#;
    world.put("orders/a.json", json).await;
    assert_eq!(
        world.show(&entry(Format::Json, columns)).await,
        "days | parts | drift.days | drift.parts\n\
         [[2024-01-31], []] | [{day: 2024-01-31, days: [2024-01-31], at: 2023-11-14T22:13:20}] | false | false\n\
         [[]] | [{day: , days: [], at: }] | true | true"
    );
}
