//! What a data file's name says about its content.

use std::path::Path;

use hedge_core::{Interval, Symbol};

/// What a file holds, judged by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// `SYMBOL-INTERVAL-….csv[.gz]`
    Klines(Symbol, Interval),
    /// `SYMBOL-mark-INTERVAL-….csv[.gz]`
    Marks(Symbol, Interval),
    /// `SYMBOL-fundingRate-….csv[.gz]`
    Funding(Symbol),
}

/// The kind of a file by its name; `None` when the name fits no known layout.
///
/// A symbol may itself contain hyphens, so it is everything before the first part that names a kind.
pub(super) fn file_kind(name: &str) -> Option<FileKind> {
    let stem = name.strip_suffix(".csv").or_else(|| name.strip_suffix(".csv.gz"))?;
    let parts: Vec<&str> = stem.split('-').collect();
    let symbol = |end: usize| Symbol::parse(&parts[..end].join("-")).ok();
    for (at, part) in parts.iter().enumerate().skip(1) {
        if *part == "fundingRate" {
            return Some(FileKind::Funding(symbol(at)?));
        }
        let Some(interval) = Interval::parse(part) else { continue };
        return match parts[at - 1] {
            "mark" if at > 1 => Some(FileKind::Marks(symbol(at - 1)?, interval)),
            _ => Some(FileKind::Klines(symbol(at)?, interval)),
        };
    }
    None
}

/// The last part of a path as text, for messages and lists of names.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_symbol_kind_and_interval() {
        let symbol = |text| Symbol::parse(text).unwrap();
        for (name, kind) in [
            ("BTCUSDT-15m-2024-02-15_2025-01-13.csv.gz", FileKind::Klines(symbol("BTCUSDT"), Interval::M15)),
            ("BTCUSDT-1m-2026-10-03.csv", FileKind::Klines(symbol("BTCUSDT"), Interval::M1)),
            ("BTC-USDT-SWAP-15m-x.csv", FileKind::Klines(symbol("BTC-USDT-SWAP"), Interval::M15)),
            ("BNBUSDT-mark-8h-2024.csv", FileKind::Marks(symbol("BNBUSDT"), Interval::H8)),
            ("BTCUSDT-fundingRate-2026-09.csv", FileKind::Funding(symbol("BTCUSDT"))),
            ("BTCUSDT-fundingRate-markprice-2024.csv", FileKind::Funding(symbol("BTCUSDT"))),
        ] {
            assert_eq!(file_kind(name), Some(kind), "{name}");
        }
    }

    #[test]
    fn other_names_have_no_kind() {
        for name in
            ["README.md", "BTCUSDT-1M-2024.csv", "BTCUSDT.csv", "BTCUSDT-15m-2024.zip", "-15m-2024.csv", ""]
        {
            assert_eq!(file_kind(name), None, "{name}");
        }
    }
}
