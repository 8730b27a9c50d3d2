//! Recorded funding: one payment per settlement, however many files tell of it.
//!
//! Source: Binance public data archive, USD-M fundingRate (`calc_time` a few milliseconds after the full hour); fact
//! sheet section "public dumps".

use std::{collections::BTreeMap, path::Path};

use hedge_core::{Symbol, Timestamp};
use rust_decimal::Decimal;

use super::{
    decimal_text::parse_integer,
    error::{Disagreement, MarketError},
    file_names::file_name,
    klines::{is_header, lines, names_column, read_bytes},
    series::Series,
};

const MINUTE_MS: i64 = 60_000;
const COLUMNS: [&str; 4] = ["calc_time", "funding_interval_hours", "last_funding_rate", "mark_price"];

/// One settlement of funding: a long leg pays `rate × mark × qty`, a short one receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingPayment {
    /// When it falls due, on a full minute. Units: milliseconds since the epoch.
    pub at_ms: i64,
    /// Fraction of the notional; negative when shorts pay.
    pub rate: Decimal,
    /// The mark price it is computed with, where recorded.
    pub mark: Option<Decimal>,
}

/// The rows of one symbol's funding files, merged.
#[derive(Debug, Default)]
pub(super) struct FundingRows {
    rows: BTreeMap<i64, Row>,
    files: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    rate: Decimal,
    rate_file: usize,
    mark: Option<(Decimal, usize)>,
}

impl FundingRows {
    pub(super) fn read(&mut self, path: &Path, symbol: Symbol) -> Result<(), MarketError> {
        self.parse(&read_bytes(path)?, &file_name(path), symbol)
    }
    pub(super) fn parse(&mut self, bytes: &[u8], file: &str, symbol: Symbol) -> Result<(), MarketError> {
        let file_ix = self.files.len();
        self.files.push(file.to_owned());
        let mut is_empty = true;
        for (line, text) in lines(bytes) {
            let refused = |(column, found, expected): BadField<'_>| MarketError::Format {
                file: file.to_owned(),
                line,
                column: COLUMNS[column],
                found: String::from_utf8_lossy(found).chars().take(40).collect(),
                expected: expected.to_owned(),
            };
            if line == 1 && is_header(text) {
                check_header(text).map_err(refused)?;
                continue;
            }
            let (at_ms, rate, mark) = parse_row(text).map_err(refused)?;
            self.add(symbol, file_ix, at_ms, rate, mark)?;
            is_empty = false;
        }
        if is_empty {
            let problem = "has no rows; expected funding rates in the public dump layout, or no such file";
            return Err(MarketError::file(file, problem));
        }
        Ok(())
    }
    fn add(
        &mut self,
        symbol: Symbol,
        file: usize,
        at_ms: i64,
        rate: Decimal,
        mark: Option<Decimal>,
    ) -> Result<(), MarketError> {
        let mark = mark.map(|mark| (mark, file));
        let row = self.rows.entry(at_ms).or_insert(Row { rate, rate_file: file, mark });
        let disagree = |what: &str, other: usize, first: Decimal, second: Decimal| {
            Box::new(Disagreement {
                first: self.files[other].clone(),
                second: self.files[file].clone(),
                what: format!("{symbol} {what}"),
                at: Timestamp::from_ms(at_ms),
                first_value: first.to_string(),
                second_value: second.to_string(),
            })
        };
        if row.rate != rate {
            return Err(disagree("funding rate", row.rate_file, row.rate, rate).into());
        }
        match (row.mark, mark) {
            (Some((known, other)), Some((mark, _))) if known != mark => {
                Err(disagree("mark price at funding", other, known, mark).into())
            }
            (None, Some(_)) => {
                row.mark = mark;
                Ok(())
            }
            _ => Ok(()),
        }
    }
    /// The settlements inside `[from_ms, to_ms]` with their marks, and the names of the files they came from.
    pub(super) fn payments(
        &self,
        from_ms: i64,
        to_ms: i64,
        marks: Option<&Series>,
    ) -> (Vec<FundingPayment>, Vec<FundingFile>) {
        let mut used: Vec<Option<(i64, i64)>> = vec![None; self.files.len()];
        let mut note = |file: usize, at_ms: i64| {
            let (first, last) = used[file].unwrap_or((at_ms, at_ms));
            used[file] = Some((first.min(at_ms), last.max(at_ms)));
        };
        let payments = self
            .rows
            .range(from_ms..=to_ms.max(from_ms))
            .map(|(&at_ms, row)| {
                note(row.rate_file, at_ms);
                if let Some((_, file)) = row.mark {
                    note(file, at_ms);
                }
                let mark = row.mark.map(|(mark, _)| mark).or_else(|| recorded_mark(marks?, at_ms));
                FundingPayment { at_ms, rate: row.rate, mark }
            })
            .collect();
        let files = self.files.iter().zip(used).filter_map(|(file, span)| {
            let (first_ms, last_ms) = span?;
            Some(FundingFile { name: file.clone(), first_ms, last_ms })
        });
        (payments, files.collect())
    }
}

/// A file that gave settlements, and from when to when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FundingFile {
    pub(super) name: String,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

/// The mark price at an instant: the open of the bar that opens there, else the close of the one that ends there.
fn recorded_mark(marks: &Series, at_ms: i64) -> Option<Decimal> {
    let after = marks.bars.partition_point(|bar| bar.open_time.ms() < at_ms);
    let opening = marks.bars.get(after).filter(|bar| bar.open_time.ms() == at_ms);
    if let Some(bar) = opening {
        return Some(bar.decimal(bar.open).normalize());
    }
    let closing = marks.bars.get(after.checked_sub(1)?).filter(|bar| bar.end().ms() == at_ms)?;
    Some(closing.decimal(closing.close).normalize())
}

type BadField<'a> = (usize, &'a [u8], &'static str);

/// A first line that is neither a row nor this header is another kind of file; read on, it would mean "no funding".
fn check_header(text: &[u8]) -> Result<(), BadField<'_>> {
    let expected =
        "the header \"calc_time,funding_interval_hours,last_funding_rate\" (and \"mark_price\") or a row";
    let fields: Vec<&[u8]> = text.split(|byte| *byte == b',').collect();
    for (column, name) in COLUMNS.iter().enumerate() {
        match fields.get(column) {
            Some(field) if names_column(field, name) => {}
            // Only the mark price may be absent.
            None if column == 3 => {}
            found => return Err((column, found.copied().unwrap_or(text), expected)),
        }
    }
    if fields.len() > COLUMNS.len() { Err((3, text, "3 or 4 columns")) } else { Ok(()) }
}

fn parse_row(text: &[u8]) -> Result<(i64, Decimal, Option<Decimal>), BadField<'_>> {
    let mut fields = text.split(|byte| *byte == b',');
    let mut field = || fields.next().unwrap_or_default();
    let (time, hours, rate, mark) = (field(), field(), field(), field());
    if fields.next().is_some() {
        return Err((3, text, "3 or 4 columns"));
    }
    let time_ms = parse_integer(time)
        .filter(|ms| (946_684_800_000..4_102_444_800_000).contains(ms))
        .ok_or((0, time, "a time in milliseconds between the years 2000 and 2100"))?;
    if !hours.is_empty() && !parse_integer(hours).is_some_and(|hours| (1..=24).contains(&hours)) {
        return Err((1, hours, "whole hours from 1 to 24, or nothing"));
    }
    let rate = parse_signed(rate).filter(|rate| rate.abs() < Decimal::ONE).ok_or((
        2,
        rate,
        "a fraction between -1 and 1, such as 0.0001",
    ))?;
    let mark = match mark {
        b"" => None,
        text => Some(parse_signed(text).filter(|mark| *mark > Decimal::ZERO).ok_or((
            3,
            text,
            "a price above 0, or nothing",
        ))?),
    };
    let at_ms = (time_ms + MINUTE_MS / 2).div_euclid(MINUTE_MS) * MINUTE_MS;
    Ok((at_ms, rate, mark))
}

fn parse_signed(text: &[u8]) -> Option<Decimal> {
    let text = std::str::from_utf8(text).ok()?;
    let value = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()?;
    Some(value.normalize())
}

#[cfg(test)]
mod tests {
    use hedge_core::Interval;
    use proptest::prelude::*;

    use super::*;
    use crate::market::parse_klines;

    fn btc() -> Symbol {
        Symbol::parse("BTCUSDT").unwrap()
    }
    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn two_files_of_one_settlement_are_one_payment_with_the_recorded_mark() {
        let mut rows = FundingRows::default();
        rows.parse(
            b"calc_time,funding_interval_hours,last_funding_rate\n1720569600007,8,0.00010000\n",
            "a",
            btc(),
        )
        .unwrap();
        rows.parse(b"1720569600000,8,0.0001,58026.14114894\n1720598400000,8,-0.00009225,\n", "b", btc())
            .unwrap();
        let (payments, files) = rows.payments(0, i64::MAX, None);
        assert_eq!(payments.len(), 2);
        assert_eq!(payments[0].at_ms, 1_720_569_600_000);
        assert_eq!(payments[0].mark, Some(decimal("58026.14114894")));
        assert_eq!(payments[1].rate, decimal("-0.00009225"));
        assert_eq!(payments[1].mark, None);
        let spans: Vec<_> =
            files.iter().map(|file| (file.name.as_str(), file.first_ms, file.last_ms)).collect();
        assert_eq!(
            spans,
            [
                ("a", 1_720_569_600_000, 1_720_569_600_000),
                // It gave the mark of the first settlement and all of the second.
                ("b", 1_720_569_600_000, 1_720_598_400_000),
            ]
        );
        let (_, later) = rows.payments(1_720_569_600_001, i64::MAX, None);
        assert_eq!(later.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn two_files_that_disagree_on_a_rate_are_an_error_naming_both() {
        let mut rows = FundingRows::default();
        rows.parse(b"1720569600000,8,0.0001\n", "a.csv", btc()).unwrap();
        let error = rows.parse(b"1720569600000,8,0.0002\n", "b.csv", btc()).unwrap_err().to_string();
        assert!(error.contains("a.csv and b.csv disagree about BTCUSDT funding rate"), "{error}");
        assert!(error.contains("0.0001 against 0.0002"), "{error}");
    }

    #[test]
    fn a_mark_is_the_open_of_the_bar_there_else_the_close_of_the_one_before() {
        let csv = b"1707955200000,10,12,9,11,0,,,,,,\n1707984000000,11.5,13,11,12.25,0,,,,,,\n";
        let marks = parse_klines(csv, "m", btc(), Interval::H8).unwrap();
        assert_eq!(recorded_mark(&marks, 1_707_984_000_000), Some(decimal("11.5")));
        assert_eq!(recorded_mark(&marks, 1_708_012_800_000), Some(decimal("12.25")));
        assert_eq!(recorded_mark(&marks, 1_708_041_600_000), None);
        assert_eq!(recorded_mark(&marks, 1_707_955_200_000 - 1), None);
    }

    #[test]
    fn a_bad_funding_row_names_line_and_column() {
        let mut rows = FundingRows::default();
        let error =
            rows.parse(b"1720569600000,8,0.0001\n1720598400000,8,none\n", "a.csv", btc()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.csv, line 2, column last_funding_rate: found \"none\", expected a fraction between -1 and 1, such as 0.0001"
        );
    }

    #[test]
    fn a_funding_file_without_rows_or_with_another_header_is_refused() {
        let header = "calc_time,funding_interval_hours,last_funding_rate\n";
        let problem = |text: &str| {
            FundingRows::default().parse(text.as_bytes(), "a.csv", btc()).unwrap_err().to_string()
        };
        for empty in ["", "\n", header] {
            assert!(problem(empty).starts_with("a.csv: has no rows"), "{empty:?}");
        }
        let row = "1720569600000,8,0.0001\n";
        for (text, column) in [
            ("garbage\n".to_owned(), "calc_time"),
            (format!("symbol,fundingTime,fundingRate\n{row}"), "calc_time"),
            (format!("calc_time,last_funding_rate,funding_interval_hours\n{row}"), "funding_interval_hours"),
            (format!("calc_time,funding_interval_hours\n{row}"), "last_funding_rate"),
            (format!("{},index\n{row}", header.trim_end()), "mark_price"),
            (format!("{},mark_price,x\n{row}", header.trim_end()), "mark_price"),
        ] {
            let said = problem(&text);
            assert!(said.starts_with(&format!("a.csv, line 1, column {column}: found")), "{said}");
        }
        for header in
            [header.to_owned(), header.replace('\n', ",mark_price\n"), header.to_uppercase(), String::new()]
        {
            let mut rows = FundingRows::default();
            rows.parse(format!("{header}{row}").as_bytes(), "a.csv", btc()).unwrap();
            assert_eq!(rows.payments(0, i64::MAX, None).0.len(), 1);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_funding_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = FundingRows::default().parse(&bytes, "x", btc());
        }
    }
}
