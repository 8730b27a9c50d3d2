//! What came of a panic close.

use std::collections::BTreeSet;

use hedge_core::{Decimal, Symbol};
use serde::Serialize;

use super::venue::HeldSide;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Two readings without position and plain order, and no conditional order left.
    Flat,
    /// Some legs are on symbols that take no orders; everything else is flat.
    NotTrading,
    /// The time allowed is over.
    OutOfTime,
    /// A person stopped it.
    Interrupted,
    /// A symbol that was named is known to nobody.
    UnknownSymbol,
    /// The venue refuses the key: nothing can be read or sent.
    KeysRefused,
}

/// One leg's story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LegReport {
    /// Which symbol.
    pub symbol: Symbol,
    /// LONG, SHORT, or BOTH in a one-way account.
    pub side: HeldSide,
    /// What it held when first seen.
    pub qty: Decimal,
    /// What our own closes took.
    pub closed: Decimal,
    /// How many closes reached the venue, or may have.
    pub closes: u32,
    /// From the start of the program until it was seen flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flat_ms: Option<u64>,
    /// What it holds still, as last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Decimal>,
    /// The last thing that went wrong, if it is not flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What is still there, as last read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Remaining {
    /// Legs with a position.
    pub legs: usize,
    /// Plain orders.
    pub orders: usize,
    /// Conditional orders; stops of open legs among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditional: Option<usize>,
}

/// The whole story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether everything asked for is flat, verified, and swept.
    pub flat: bool,
    /// How it ended.
    pub end: End,
    /// What was wrong at the end, in a sentence; empty when flat.
    pub because: String,
    /// From the start of the program until the last leg was seen flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_flat_ms: Option<u64>,
    /// From the start of the program until the end: readings repeated, conditional orders gone.
    pub took_ms: u64,
    /// Every leg that was open at any time.
    pub legs: Vec<LegReport>,
    /// Symbols whose plain orders were cancelled.
    pub orders_canceled: BTreeSet<Symbol>,
    /// Symbols whose conditional orders were cancelled after their legs were flat.
    pub conditional_canceled: BTreeSet<Symbol>,
    /// What is still there.
    pub remaining: Remaining,
    /// Client ids of closes whose outcome nobody knows.
    pub unknown: Vec<String>,
    /// Symbols that were named and that the venue does not seem to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Symbol>,
}

impl Verdict {
    /// 0 when flat, 78 when the venue refuses the key, else 13.
    pub const fn exit_code(&self) -> u8 {
        match (self.flat, self.end) {
            (true, _) => 0,
            (false, End::KeysRefused) => 78,
            (false, _) => 13,
        }
    }

    /// The last lines: the times, a line a leg, and what is left.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for leg in &self.legs {
            let name = format!("{} {}", leg.symbol, leg.side);
            lines.push(match (leg.flat_ms, leg.left) {
                (Some(ms), None) => {
                    format!("{name}: {} flat after {ms} ms, {}", leg.qty.normalize(), orders(leg.closes))
                }
                (_, left) => {
                    let left = left.map_or_else(
                        || "an unknown quantity".to_owned(),
                        |left| left.normalize().to_string(),
                    );
                    let trouble = leg.trouble.as_deref().unwrap_or("no refusal");
                    format!("{name}: STILL OPEN with {left} of {}; last: {trouble}", leg.qty.normalize())
                }
            });
        }
        for id in &self.unknown {
            lines.push(format!("the outcome of close {id} was never learned; look for it at the venue"));
        }
        match (self.flat, self.time_to_flat_ms) {
            (true, Some(ms)) => lines.push(format!("FLAT after {ms} ms, verified after {} ms", self.took_ms)),
            (true, None) => lines.push(format!("FLAT: nothing was open; verified after {} ms", self.took_ms)),
            (false, _) => lines.push(format!("NOT FLAT after {} ms: {}", self.took_ms, self.because)),
        }
        lines
    }
}

fn orders(count: u32) -> String {
    match count {
        0 => "by no order of ours".to_owned(),
        1 => "1 close".to_owned(),
        many => format!("{many} closes"),
    }
}
