//! Reader of kline dumps: CSV or CSV.gz in the layout of the venue's public archive.
//!
//! Source: Binance public data archive, USD-M klines; fact sheet section "public dumps" (12 columns, header only in
//! newer files, times in milliseconds, gaps and duplicates not repaired by the venue).

use std::{fs, io::Read, path::Path};

use flate2::read::MultiGzDecoder;
use hedge_core::{Bar, Interval, Symbol, Timestamp};

use super::{
    decimal_text::{parse_decimal, parse_integer},
    error::MarketError,
    file_names::{FileKind, file_kind, file_name},
    series::Series,
};

/// The twelve columns of the dump layout.
const COLUMNS: [&str; 12] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
];
/// 2000-01-01; a smaller number is seconds.
const MIN_TIME_MS: i64 = 946_684_800_000;
/// 2100-01-01; a larger number is microseconds or nanoseconds.
const MAX_TIME_MS: i64 = 4_102_444_800_000;
/// No archive file comes near this; it stops a crafted gzip from filling the memory.
const MAX_BYTES: u64 = 4 << 30;

/// Reads one kline file; symbol and interval come from its name (`SYMBOL-INTERVAL-….csv[.gz]`).
/// Errors: [`MarketError`] naming file, line, column and what was expected.
pub fn read_klines(path: &Path) -> Result<Series, MarketError> {
    let name = file_name(path);
    match file_kind(&name) {
        Some(FileKind::Klines(symbol, interval)) => parse_klines(&read_bytes(path)?, &name, symbol, interval),
        _ => Err(MarketError::file(
            path.display().to_string(),
            "is not a kline file by its name; expected SYMBOL-INTERVAL-….csv or .csv.gz, such as BTCUSDT-15m-2026-10.csv",
        )),
    }
}

/// The bytes of a file, unpacked when they are gzip.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, MarketError> {
    let raw = fs::read(path).map_err(|source| MarketError::io(path, source))?;
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return Ok(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len().saturating_mul(4));
    MultiGzDecoder::new(raw.as_slice())
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| MarketError::io(path, source))?;
    Ok(bytes)
}

/// The lines of a text file with their numbers, without line ends, without empty lines at the end.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_end();
    let rows = (!bytes.is_empty()).then(|| bytes.split(|byte| *byte == b'\n'));
    rows.into_iter().flatten().enumerate().map(|(at, row)| (at + 1, row.strip_suffix(b"\r").unwrap_or(row)))
}

/// Whether a first line names columns instead of holding values.
pub(super) fn is_header(line: &[u8]) -> bool {
    line.split(|byte| *byte == b',').next().and_then(parse_integer).is_none()
}

/// Whether a header's field names a column; case, blanks and underscores do not matter.
pub(super) fn names_column(field: &[u8], column: &str) -> bool {
    let plain = |text: &[u8]| -> Vec<u8> {
        text.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    plain(field) == plain(column.as_bytes())
}

/// Parses the content of a kline file. `file` is only used in messages.
/// Errors: [`MarketError`] naming file, line, column and what was expected.
pub fn parse_klines(
    bytes: &[u8],
    file: &str,
    symbol: Symbol,
    interval: Interval,
) -> Result<Series, MarketError> {
    let mut bars: Vec<Bar> = Vec::with_capacity(bytes.len() / 64);
    let (mut price_scale, mut volume_scale) = (0, 0);
    for (line, row) in lines(bytes) {
        let row = Row { file, line, bytes: row };
        if line == 1 && is_header(row.bytes) {
            row.check_header()?;
            continue;
        }
        let bar = row.bar(interval, bars.last())?;
        price_scale = bar.price_scale.max(price_scale);
        volume_scale = bar.volume_scale.max(volume_scale);
        bars.push(bar);
    }
    if bars.is_empty() {
        return Err(MarketError::file(file, "has no rows; expected klines in the public dump layout"));
    }
    let mut series = Series { symbol, interval, bars, sources: vec![file.to_owned()] };
    series.rescale(price_scale, volume_scale)?;
    Ok(series)
}

struct Row<'a> {
    file: &'a str,
    line: usize,
    bytes: &'a [u8],
}

impl<'a> Row<'a> {
    fn error(&self, column: usize, found: &[u8], expected: impl Into<String>) -> MarketError {
        MarketError::Format {
            file: self.file.to_owned(),
            line: self.line,
            column: COLUMNS[column.min(11)],
            found: String::from_utf8_lossy(found).chars().take(40).collect(),
            expected: expected.into(),
        }
    }
    /// A header with the columns in another order would be read as wrong prices, so it is refused.
    fn check_header(&self) -> Result<(), MarketError> {
        let mut fields = self.bytes.split(|byte| *byte == b',');
        for (column, name) in COLUMNS.iter().enumerate().take(6) {
            let field = fields.next().unwrap_or_default();
            if !names_column(field, name) {
                return Err(self.error(
                    column,
                    field,
                    format!("the header {name:?} or a time in milliseconds"),
                ));
            }
        }
        Ok(())
    }
    fn fields(&self) -> Result<[&'a [u8]; 12], MarketError> {
        let mut fields: [&[u8]; 12] = [&[]; 12];
        let mut count = 0;
        for field in self.bytes.split(|byte| *byte == b',') {
            if count < 12 {
                fields[count] = field;
            }
            count += 1;
        }
        if count == 12 {
            return Ok(fields);
        }
        Err(self.error(
            count.saturating_sub(1),
            self.bytes,
            format!("12 columns separated by commas, not {count}"),
        ))
    }
    fn bar(&self, interval: Interval, previous: Option<&Bar>) -> Result<Bar, MarketError> {
        let fields = self.fields()?;
        let open_ms = self.open_time(fields[0], interval, previous)?;
        self.check_rest(&fields, open_ms + interval.ms() - 1)?;
        let (volume, volume_scale) = self.decimal(5, fields[5])?;
        let mut prices = [(0, 0); 4];
        for (column, price) in (1..5).zip(&mut prices) {
            *price = self.decimal(column, fields[column])?;
        }
        let price_scale = prices.iter().map(|(_, scale)| *scale).max().unwrap_or(0);
        let mut scaled = [0; 4];
        for (at, (mantissa, scale)) in prices.into_iter().enumerate() {
            scaled[at] = super::decimal_text::rescale(mantissa, scale, price_scale)
                .ok_or_else(|| self.error(at + 1, fields[at + 1], "at most 18 digits"))?;
        }
        let [open, high, low, close] = scaled;
        self.check_prices(&fields, scaled)?;
        let open_time = Timestamp::from_ms(open_ms);
        Ok(Bar { open_time, interval, open, high, low, close, price_scale, volume, volume_scale })
    }
    fn open_time(
        &self,
        field: &[u8],
        interval: Interval,
        previous: Option<&Bar>,
    ) -> Result<i64, MarketError> {
        let open_ms = parse_integer(field).ok_or_else(|| self.error(0, field, "a time in milliseconds"))?;
        if !(MIN_TIME_MS..MAX_TIME_MS).contains(&open_ms) {
            let expected =
                "milliseconds between the years 2000 and 2100 (seconds and microseconds are not accepted)";
            return Err(self.error(0, field, expected));
        }
        if open_ms % interval.ms() != 0 {
            return Err(self.error(
                0,
                field,
                format!("a time on the {interval} grid, as the file name says"),
            ));
        }
        match previous.map(|bar| bar.open_time.ms()) {
            Some(before) if open_ms == before => {
                Err(self.error(0, field, "a later time than the line above; this one is there twice"))
            }
            Some(before) if open_ms < before => {
                Err(self.error(0, field, format!("a later time than the line above, {before}")))
            }
            _ => Ok(open_ms),
        }
    }
    fn decimal(&self, column: usize, field: &[u8]) -> Result<(i64, u8), MarketError> {
        parse_decimal(field)
            .ok_or_else(|| self.error(column, field, "a plain decimal of at most 18 digits, such as 51823.1"))
    }
    fn check_prices(
        &self,
        fields: &[&[u8]; 12],
        [open, high, low, close]: [i64; 4],
    ) -> Result<(), MarketError> {
        if low <= 0 {
            return Err(self.error(3, fields[3], "a price above 0"));
        }
        if low > open.min(close) {
            return Err(self.error(3, fields[3], "a low that is not above open and close"));
        }
        if high < open.max(close) {
            return Err(self.error(2, fields[2], "a high that is not below open and close"));
        }
        Ok(())
    }
    /// The columns behind the volume may be empty (unknown), but not something else.
    fn check_rest(&self, fields: &[&[u8]; 12], close_ms: i64) -> Result<(), MarketError> {
        if !fields[6].is_empty() && parse_integer(fields[6]) != Some(close_ms) {
            return Err(self.error(
                6,
                fields[6],
                format!("{close_ms} (open_time + interval - 1) or nothing"),
            ));
        }
        for (column, field) in fields.iter().enumerate().take(11).skip(7) {
            if !field.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
                return Err(self.error(column, field, "a plain decimal or nothing"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    const ROW: &str = "1738368000000,34.4220,34.4260,34.3600,34.3600,9896,1738368059999,340376.0940,1391,3538,121691.5870,0\n";
    const NEXT: &str = "1738368060000,34.36,34.4,34.3,34.35,0.5,1738368119999,,,,,\n";

    fn parse(text: &str) -> Result<Series, MarketError> {
        parse_klines(text.as_bytes(), "x.csv", Symbol::parse("AVAXUSDT").unwrap(), Interval::M1)
    }
    fn problem(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn files_with_and_without_header_are_the_same_bars_at_one_scale() {
        let with = parse(&format!("\u{feff}{HEADER}{ROW}{NEXT}")).unwrap();
        let without = parse(&format!("{ROW}{NEXT}\n").replace('\n', "\r\n")).unwrap();
        assert_eq!(with, without);
        assert_eq!((with.price_scale(), with.volume_scale()), (3, 1));
        let bar = with.bars[0];
        assert_eq!(
            [bar.open, bar.high, bar.low, bar.close, bar.volume],
            [34_422, 34_426, 34_360, 34_360, 98_960]
        );
        assert_eq!(with.bars[1].open_time.ms(), 1_738_368_060_000);
        assert_eq!(with.sources, ["x.csv"]);
    }

    #[test]
    fn an_error_names_file_line_column_and_what_was_expected() {
        assert_eq!(
            problem(&format!("{HEADER}{ROW}{}", NEXT.replace("34.36", "x"))),
            "x.csv, line 3, column open: found \"x\", expected a plain decimal of at most 18 digits, such as 51823.1"
        );
    }

    #[test]
    fn what_does_not_fit_the_layout_is_refused() {
        for (text, column, expected) in [
            (ROW.replace("1738368000000,", "1738368000000000,"), "open_time", "milliseconds"),
            (ROW.replace("1738368000000,", "1738368000,"), "open_time", "milliseconds"),
            (ROW.replace("1738368000000,", "1738368000001,"), "open_time", "on the 1m grid"),
            (format!("{ROW}{ROW}"), "open_time", "there twice"),
            (format!("{NEXT}{ROW}"), "open_time", "a later time"),
            (ROW.replace("1738368059999", "1738368059000"), "close_time", "1738368059999"),
            (ROW.replace("34.4260", "34.4210"), "high", "not below"),
            (ROW.replace("34.3600,34.3600", "34.3610,34.3600"), "low", "not above"),
            (ROW.replace("34.3600,34.3600", "0,34.3600"), "low", "above 0"),
            (ROW.replace(",9896,", ",,"), "volume", "decimal"),
            (ROW.replace(",9896,", ",-1,"), "volume", "decimal"),
            (ROW.replace(",1391,", ",abc,"), "count", "decimal or nothing"),
            (ROW.replace(",0\n", "\n"), "taker_buy_quote_volume", "12 columns"),
            (ROW.replace(",0\n", ",0,0\n"), "ignore", "12 columns"),
            (HEADER.replace("open,high", "high,open") + ROW, "open", "header"),
            (format!("{ROW}\n{NEXT}"), "open_time", "12 columns"),
        ] {
            let problem = problem(&text);
            assert!(problem.contains(&format!("column {column}:")), "{problem}");
            assert!(problem.contains(expected), "{problem}");
        }
        for empty in ["", "\n", HEADER] {
            assert!(problem(empty).contains("no rows"), "{empty:?}");
        }
    }

    #[test]
    fn a_file_is_unpacked_by_its_content_not_by_its_name() {
        use std::io::Write as _;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(ROW.as_bytes()).unwrap();
        let folder = std::env::temp_dir().join(format!("hedge-klines-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("AVAXUSDT-1m-2025-02.csv");
        fs::write(&path, packed.finish().unwrap()).unwrap();
        assert_eq!(
            read_klines(&path).unwrap(),
            Series { sources: vec!["AVAXUSDT-1m-2025-02.csv".into()], ..parse(ROW).unwrap() }
        );
        let other = folder.join("notes.csv");
        fs::write(&other, ROW).unwrap();
        assert!(read_klines(&other).unwrap_err().to_string().contains("SYMBOL-INTERVAL"));
        assert!(
            read_klines(&folder.join("AVAXUSDT-1m-none.csv"))
                .unwrap_err()
                .to_string()
                .starts_with("cannot read")
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse_klines(&bytes, "x", Symbol::parse("X").unwrap(), Interval::M1);
        }

        #[test]
        fn almost_valid_rows_never_panic(at in 0..ROW.len(), byte in any::<u8>()) {
            let mut bytes = ROW.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = parse_klines(&bytes, "x", Symbol::parse("X").unwrap(), Interval::M1);
        }

        #[test]
        fn bars_written_as_text_read_back_as_themselves(
            rows in proptest::collection::vec((1_i64..10_000_000, 0_i64..5_000, 0_i64..5_000, 0_u32..6, 0_i64..99_999_999), 1..30),
        ) {
            let mut text = HEADER.to_owned();
            let mut expected = Vec::new();
            for (minute, (low, to_open, to_close, scale, volume)) in rows.into_iter().enumerate() {
                let decimal = |mantissa| rust_decimal::Decimal::new(mantissa, scale);
                let [open, close] = [low + to_open, low + to_close];
                let prices = [open, open.max(close) + 1, low, close].map(decimal);
                let volume = rust_decimal::Decimal::new(volume, 3);
                let open_ms = 1_738_368_000_000 + minute as i64 * 60_000;
                let [o, h, l, c] = prices;
                writeln!(text, "{open_ms},{o},{h},{l},{c},{volume},,,,,,").unwrap();
                expected.push((open_ms, prices, volume));
            }
            let series = parse(&text).unwrap();
            let read: Vec<_> = series
                .bars
                .iter()
                .map(|bar| {
                    let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| bar.decimal(price));
                    (bar.open_time.ms(), prices, bar.volume_decimal())
                })
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
