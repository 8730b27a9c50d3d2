//! Indices: of the coins against the dollar, and one of all listed coins together.
//!
//! The exchange is its own and only price source, so the index of a coin is the mark of its perpetual. The composite is
//! made up: one of each listed coin, under a name that cannot be traded. Source of the shapes: fact sheet 4.1, 8.2 and
//! the vendor's pages on `assetIndex` and `indexInfo`.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::error::ApiError;
use super::numbers::money;
use super::params::Params;
use super::state::Core;
use super::streams::AssetRef;
use crate::venue::InstrumentRules;

/// The composite index of everything that is listed.
pub(crate) const COMPOSITE: &str = "ALLUSDT";
/// How far a coin's bid and ask rate lie from its index, as a fraction.
const BUFFER: Decimal = Decimal::from_parts(5, 0, 0, false, 2);

/// One asset against the dollar.
#[derive(Debug)]
pub(crate) struct AssetIndex {
    pub(crate) asset: AssetRef,
    symbol: String,
    index: Decimal,
    buffer: Decimal,
}

impl AssetIndex {
    fn rates(&self) -> (Decimal, Decimal) {
        let of = |factor: Decimal| (self.index * factor).round_dp(8);
        (of(Decimal::ONE - self.buffer), of(Decimal::ONE + self.buffer))
    }

    fn row(&self, now_ms: i64) -> Value {
        let (bid, ask) = self.rates();
        json!({
            "symbol": self.symbol, "time": now_ms, "index": money(self.index),
            "bidBuffer": money(self.buffer), "askBuffer": money(self.buffer),
            "bidRate": money(bid), "askRate": money(ask),
            "autoExchangeBidBuffer": money(self.buffer), "autoExchangeAskBuffer": money(self.buffer),
            "autoExchangeBidRate": money(bid), "autoExchangeAskRate": money(ask),
        })
    }

    /// The event of `<asset>@assetIndex`.
    pub(crate) fn event(&self, now_ms: i64) -> Value {
        let (bid, ask) = self.rates();
        json!({
            "e": "assetIndexUpdate", "E": now_ms, "s": self.symbol, "i": money(self.index),
            "b": money(self.buffer), "a": money(self.buffer), "B": money(bid), "A": money(ask),
            "q": money(self.buffer), "g": money(self.buffer), "Q": money(bid), "G": money(ask),
        })
    }
}

/// One coin of the composite.
struct Component<'a> {
    rules: &'a InstrumentRules,
    price: Decimal,
    share: Decimal,
}

impl Core {
    /// Margin assets, which are a dollar each, then the coins in the order of their first listing.
    pub(crate) fn asset_indices(&self) -> Vec<AssetIndex> {
        let mut rows: Vec<AssetIndex> = Vec::new();
        for (_, rules) in self.venue.instruments() {
            let symbol = format!("{}USD", rules.margin_asset);
            if let Some(asset) = AssetRef::margin(&rules.margin_asset)
                && rows.iter().all(|row| row.symbol != symbol)
            {
                rows.push(AssetIndex { asset, symbol, index: Decimal::ONE, buffer: Decimal::ZERO });
            }
        }
        for (id, rules) in self.venue.instruments() {
            let symbol = format!("{}USD", rules.base_asset);
            let Some(prices) = self.venue.prices(id).filter(|_| rows.iter().all(|row| row.symbol != symbol))
            else {
                continue;
            };
            rows.push(AssetIndex { asset: AssetRef::Coin(id.0), symbol, index: prices.mark, buffer: BUFFER });
        }
        rows
    }

    /// Coins that trade, each with its share of the sum; empty when an instrument has the composite's name.
    fn components(&self) -> Vec<Component<'_>> {
        if self.venue.symbol_id(COMPOSITE).is_some() {
            return Vec::new();
        }
        let listed = self.venue.instruments();
        let mut found: Vec<Component<'_>> = listed
            .filter(|(_, rules)| rules.contract_type == "PERPETUAL")
            .filter_map(|(id, rules)| {
                let price = self.venue.prices(id)?.mark;
                Some(Component { rules, price, share: Decimal::ZERO })
            })
            .collect();
        let sum: Decimal = found.iter().map(|one| one.price).sum();
        for one in &mut found {
            one.share = one.price.checked_div(sum).unwrap_or_default().round_dp(8);
        }
        found
    }

    /// The event of the composite; nothing when there is none.
    pub(crate) fn composite_event(&self) -> Option<Value> {
        let parts = self.components();
        if parts.is_empty() {
            return None;
        }
        let row = |one: &Component<'_>| {
            json!({
                "b": one.rules.base_asset, "q": one.rules.quote_asset, "w": "1.00000000", "W": money(one.share),
                "i": money(one.price),
            })
        };
        let value: Decimal = parts.iter().map(|one| one.price).sum();
        Some(json!({
            "e": "compositeIndex", "E": self.now_ms(), "s": COMPOSITE, "p": money(value), "C": "baseAsset",
            "c": parts.iter().map(row).collect::<Vec<_>>(), "st": 1,
        }))
    }
}

/// One asset with a symbol, all without one.
pub(crate) fn asset_index(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (rows, now_ms) = (core.asset_indices(), core.now_ms());
    match params.get("symbol") {
        None => Ok(rows.iter().map(|row| row.row(now_ms)).collect()),
        Some(wanted) => {
            let found = rows.iter().find(|row| row.symbol == wanted);
            found.map(|row| row.row(now_ms)).ok_or_else(ApiError::bad_symbol)
        }
    }
}

/// Composite indices: the one there is.
pub(crate) fn index_info(core: &Core, params: &Params) -> Result<Value, ApiError> {
    if params.get("symbol").is_some_and(|symbol| symbol != COMPOSITE) {
        return Err(ApiError::bad_symbol());
    }
    let parts = core.components();
    let row = |one: &Component<'_>| {
        json!({
            "baseAsset": one.rules.base_asset, "quoteAsset": one.rules.quote_asset,
            "weightInQuantity": "1.00000000", "weightInPercentage": money(one.share),
        })
    };
    let list: Vec<Value> = parts.iter().map(row).collect();
    if list.is_empty() {
        return Ok(json!([]));
    }
    Ok(json!([{"symbol": COMPOSITE, "time": core.now_ms(), "component": "baseAsset", "baseAssetList": list}]))
}

/// What an index is made of: this exchange alone.
pub(crate) fn constituents(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (id, rules) = core.symbol(params)?;
    let mark = core.venue.prices(id).ok_or_else(ApiError::bad_symbol)?.mark;
    Ok(json!({
        "symbol": rules.symbol,
        "time": core.now_ms(),
        "constituents": [{
            "exchange": "hedge-exchange-sim", "symbol": rules.symbol, "price": money(mark), "weight": "1.00000000",
        }],
    }))
}
