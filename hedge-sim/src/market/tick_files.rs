//! Reader of recorded ticks: CSV or CSV.gz of quotes and trades in the columns of the venue's public archive.
//!
//! Source: Binance public data archive, USD-M `bookTicker` (`update_id, best_bid_price, best_bid_qty, best_ask_price,
//! best_ask_qty, transaction_time, event_time`) and `trades` (`id, price, qty, quote_qty, time, is_buyer_maker`). Columns
//! are found by their names in the header. A recorder may add `local_time_ns`, its own clock at the receipt.

use std::{collections::BTreeMap, path::Path};

use hedge_core::Symbol;

use super::{
    decimal_text::{parse_decimal, parse_integer, rescale},
    error::MarketError,
    file_names::file_name,
    klines::{is_header, lines, names_column, read_bytes},
    ticks::{Tick, TickKind, TickSeries, TickSet},
};

const QUOTE_COLUMNS: [&str; 5] =
    ["best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time"];
const TRADE_COLUMNS: [&str; 4] = ["price", "qty", "is_buyer_maker", "time"];
const RECEIPT_COLUMN: &str = "local_time_ns";

/// Reads recorded ticks: one file, or a folder of them. Files are `SYMBOL-bookTicker-….csv[.gz]` and
/// `SYMBOL-trades-….csv[.gz]`; other files of a folder are left alone.
///
/// Quotes and trades of a symbol are put in the order of their receipt where every file has `local_time_ns`, else in the
/// order of the venue's time, a trade before a quote of the same time: the trade is what moved the quote. Where the
/// venue's time runs backwards in that order, the later time stands.
///
/// Errors: [`MarketError`] naming file, line, column and what was expected.
pub fn read_ticks(path: &Path) -> Result<TickSet, MarketError> {
    let mut symbols: BTreeMap<Symbol, Vec<Recording>> = BTreeMap::new();
    for path in files(path)? {
        let name = file_name(&path);
        if let Some((symbol, kind)) = kind_of(&name) {
            symbols.entry(symbol).or_default().push(Recording::read(&read_bytes(&path)?, &name, kind)?);
        }
    }
    if symbols.is_empty() {
        return Err(MarketError::Selection(format!(
            "{} holds no ticks by name; expected SYMBOL-bookTicker-….csv[.gz] and SYMBOL-trades-….csv[.gz]",
            path.display()
        )));
    }
    TickSet::new(symbols.into_iter().map(|(symbol, files)| merge(symbol, files)).collect::<Result<_, _>>()?)
}

fn files(path: &Path) -> Result<Vec<std::path::PathBuf>, MarketError> {
    let io = |source| MarketError::io(path, source);
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        files.push(entry.map_err(io)?.path());
    }
    files.sort();
    Ok(files)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Quotes,
    Trades,
}

fn kind_of(name: &str) -> Option<(Symbol, Kind)> {
    let stem = name.strip_suffix(".csv").or_else(|| name.strip_suffix(".csv.gz"))?;
    let (at, kind) = match (stem.find("-bookTicker"), stem.find("-trades")) {
        (Some(at), _) => (at, Kind::Quotes),
        (None, Some(at)) => (at, Kind::Trades),
        (None, None) => return None,
    };
    Some((Symbol::parse(&stem[..at]).ok()?, kind))
}

/// The rows of one file; numbers still with the decimal places that they were written with.
struct Recording {
    name: String,
    rows: Vec<Row>,
    has_receipt: bool,
    price_scale: u8,
    qty_scale: u8,
}

/// Two prices and two quantities for a quote; the second of each is unused for a trade.
#[derive(Clone, Copy)]
struct Row {
    received_ns: i64,
    at_ms: i64,
    kind: Kind,
    prices: [(i64, u8); 2],
    qtys: [(i64, u8); 2],
    seller_aggressed: bool,
}

impl Recording {
    fn read(bytes: &[u8], name: &str, kind: Kind) -> Result<Self, MarketError> {
        let columns: &[&'static str] = if kind == Kind::Quotes { &QUOTE_COLUMNS } else { &TRADE_COLUMNS };
        let mut rows = lines(bytes);
        let header = rows.next().filter(|(_, row)| is_header(row)).map(|(_, row)| row);
        let header = header.ok_or_else(|| {
            MarketError::file(
                name,
                format!("has no header; expected a line that names {}", columns.join(", ")),
            )
        })?;
        let place =
            |column: &str| header.split(|byte| *byte == b',').position(|field| names_column(field, column));
        let mut places = [0; 5];
        for (slot, column) in places.iter_mut().zip(columns) {
            *slot = place(column)
                .ok_or_else(|| MarketError::file(name, format!("has no column {column:?} in its header")))?;
        }
        let receipt = place(RECEIPT_COLUMN);
        let mut recording = Self {
            name: name.to_owned(),
            rows: Vec::with_capacity(bytes.len() / 64),
            has_receipt: receipt.is_some(),
            price_scale: 0,
            qty_scale: 0,
        };
        for (line, bytes) in rows {
            let fields = Fields { file: name, line, bytes };
            let row = match kind {
                Kind::Quotes => fields.quote(&places, receipt)?,
                Kind::Trades => fields.trade(&places, receipt)?,
            };
            for ((_, price_scale), (_, qty_scale)) in row.prices.iter().zip(&row.qtys) {
                recording.price_scale = recording.price_scale.max(*price_scale);
                recording.qty_scale = recording.qty_scale.max(*qty_scale);
            }
            recording.rows.push(row);
        }
        Ok(recording)
    }
}

struct Fields<'a> {
    file: &'a str,
    line: usize,
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn field(&self, at: usize) -> &[u8] {
        self.bytes.split(|byte| *byte == b',').nth(at).unwrap_or_default()
    }
    fn error(&self, column: &'static str, found: &[u8], expected: &str) -> MarketError {
        MarketError::Format {
            file: self.file.to_owned(),
            line: self.line,
            column,
            found: String::from_utf8_lossy(found).chars().take(40).collect(),
            expected: expected.to_owned(),
        }
    }
    fn decimal(&self, column: &'static str, at: usize) -> Result<(i64, u8), MarketError> {
        let field = self.field(at);
        parse_decimal(field).ok_or_else(|| self.error(column, field, "a decimal above 0"))
    }
    fn integer(&self, column: &'static str, at: usize) -> Result<i64, MarketError> {
        let field = self.field(at);
        // Nanoseconds have 19 digits.
        let value = std::str::from_utf8(field)
            .ok()
            .and_then(|text| text.parse().ok())
            .or_else(|| parse_integer(field));
        value.ok_or_else(|| self.error(column, field, "a whole number"))
    }
    fn received_ns(&self, receipt: Option<usize>) -> Result<i64, MarketError> {
        receipt.map_or(Ok(0), |at| self.integer(RECEIPT_COLUMN, at))
    }
    fn quote(&self, places: &[usize; 5], receipt: Option<usize>) -> Result<Row, MarketError> {
        let decimal = |at: usize| self.decimal(QUOTE_COLUMNS[at], places[at]);
        Ok(Row {
            received_ns: self.received_ns(receipt)?,
            at_ms: self.integer(QUOTE_COLUMNS[4], places[4])?,
            kind: Kind::Quotes,
            prices: [decimal(0)?, decimal(2)?],
            qtys: [decimal(1)?, decimal(3)?],
            seller_aggressed: false,
        })
    }
    fn trade(&self, places: &[usize; 5], receipt: Option<usize>) -> Result<Row, MarketError> {
        let maker = self.field(places[2]);
        let seller_aggressed = match maker.to_ascii_lowercase().as_slice() {
            b"true" => true,
            b"false" => false,
            _ => return Err(self.error(TRADE_COLUMNS[2], maker, "true or false")),
        };
        let (price, qty) =
            (self.decimal(TRADE_COLUMNS[0], places[0])?, self.decimal(TRADE_COLUMNS[1], places[1])?);
        Ok(Row {
            received_ns: self.received_ns(receipt)?,
            at_ms: self.integer(TRADE_COLUMNS[3], places[3])?,
            kind: Kind::Trades,
            prices: [price, price],
            qtys: [qty, qty],
            seller_aggressed,
        })
    }
}

/// Puts the rows of all files of a symbol in one order and on one scale.
fn merge(symbol: Symbol, recordings: Vec<Recording>) -> Result<TickSeries, MarketError> {
    let scale = |of: fn(&Recording) -> u8| recordings.iter().map(of).max().unwrap_or(0);
    let (price_scale, qty_scale) = (scale(|one| one.price_scale), scale(|one| one.qty_scale));
    let by_receipt = recordings.iter().all(|one| one.has_receipt);
    let sources: Vec<String> = recordings.iter().map(|one| one.name.clone()).collect();
    let mut rows: Vec<Row> = recordings.into_iter().flat_map(|one| one.rows).collect();
    rows.sort_by_key(|row| (if by_receipt { row.received_ns } else { row.at_ms }, row.kind == Kind::Quotes));
    let too_long = || {
        MarketError::file(sources.join(", "), "a number has more than 18 digits on the scale of the others")
    };
    let mut ticks = Vec::with_capacity(rows.len());
    let mut at_ms = i64::MIN;
    for row in &rows {
        at_ms = at_ms.max(row.at_ms);
        let price = |at: usize| rescale(row.prices[at].0, row.prices[at].1, price_scale).ok_or_else(too_long);
        let qty = |at: usize| rescale(row.qtys[at].0, row.qtys[at].1, qty_scale).ok_or_else(too_long);
        let kind = match row.kind {
            Kind::Quotes => {
                TickKind::Quote { bid: price(0)?, bid_qty: qty(0)?, ask: price(1)?, ask_qty: qty(1)? }
            }
            Kind::Trades => {
                TickKind::Print { price: price(0)?, qty: qty(0)?, seller_aggressed: row.seller_aggressed }
            }
        };
        ticks.push(Tick { at_ms, kind });
    }
    Ok(TickSeries { symbol, price_scale, qty_scale, ticks, sources })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTES: &str = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
                          1,99.90,2.5,100.10,3,1000,1001\n2,99.90,2.5,100.05,1.25,1005,1006\n";
    const TRADES: &str =
        "id,price,qty,quote_qty,time,is_buyer_maker\n7,100.1,0.5,50.05,1005,false\n8,99.9,1,99.9,1007,true\n";

    fn recording(text: &str, kind: Kind) -> Result<Recording, MarketError> {
        Recording::read(text.as_bytes(), "BTCUSDT-x-2024.csv", kind)
    }

    #[test]
    fn quotes_and_trades_come_in_the_order_of_time_on_one_scale() {
        let files = vec![recording(QUOTES, Kind::Quotes).unwrap(), recording(TRADES, Kind::Trades).unwrap()];
        let series = merge(Symbol::parse("BTCUSDT").unwrap(), files).unwrap();
        assert_eq!((series.price_scale, series.qty_scale), (2, 2));
        let quote = |ask, ask_qty| TickKind::Quote { bid: 9_990, bid_qty: 250, ask, ask_qty };
        let print = |price, qty, seller_aggressed| TickKind::Print { price, qty, seller_aggressed };
        let told: Vec<(i64, TickKind)> = series.ticks.iter().map(|tick| (tick.at_ms, tick.kind)).collect();
        assert_eq!(
            told,
            [
                (1_000, quote(10_010, 300)),
                (1_005, print(10_010, 50, false)),
                (1_005, quote(10_005, 125)),
                (1_007, print(9_990, 100, true)),
            ]
        );
    }

    #[test]
    fn the_receipt_decides_the_order_and_time_never_runs_backwards() {
        let quotes = "best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,local_time_ns\n\
                      1,1,2,1,1007,1723161255088169167\n";
        let trades = "price,qty,time,is_buyer_maker,local_time_ns\n2,1,1005,false,1723161255088169168\n";
        let files = vec![recording(trades, Kind::Trades).unwrap(), recording(quotes, Kind::Quotes).unwrap()];
        let series = merge(Symbol::parse("BTCUSDT").unwrap(), files).unwrap();
        assert!(matches!(series.ticks[0], Tick { at_ms: 1_007, kind: TickKind::Quote { .. } }));
        assert!(matches!(series.ticks[1], Tick { at_ms: 1_007, kind: TickKind::Print { .. } }));
    }

    #[test]
    fn a_row_that_does_not_fit_is_named_by_line_and_column() {
        for (text, kind, said) in [
            (QUOTES.replace("100.05", "-1"), Kind::Quotes, "line 3, column best_ask_price: found \"-1\""),
            (TRADES.replace("true", "yes"), Kind::Trades, "line 3, column is_buyer_maker: found \"yes\""),
            (TRADES.replace("1005", ""), Kind::Trades, "line 2, column time: found \"\""),
            (QUOTES.replace("best_ask_qty", "size"), Kind::Quotes, "no column \"best_ask_qty\""),
            ("1,2,3".to_owned(), Kind::Trades, "has no header"),
        ] {
            let Err(error) = recording(&text, kind) else { panic!("{text} was read") };
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn names_tell_symbol_and_kind() {
        let btc = Symbol::parse("BTCUSDT").unwrap();
        assert_eq!(kind_of("BTCUSDT-bookTicker-2024-08-08T2354.csv.gz"), Some((btc, Kind::Quotes)));
        assert_eq!(kind_of("BTCUSDT-trades-2024-08.csv"), Some((btc, Kind::Trades)));
        assert_eq!(kind_of("BTCUSDT-raw-streams-2024.jsonl.gz"), None);
        assert_eq!(kind_of("BTCUSDT-15m-2024.csv"), None);
    }
}
