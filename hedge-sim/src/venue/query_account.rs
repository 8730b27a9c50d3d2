//! Reads of positions, money, settings, prices and the book.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::account::LEG_SIDES;
use super::command::{AccountId, FeeRates, Restriction, SymbolId};
use super::error::VenueError;
use super::exchange::{Venue, VenueConfig};
use super::margin::leg_value;
use super::market::Market;
use super::rules::InstrumentRules;
use super::view::{
    AccountConfigView, AssetView, BestView, DepthView, PositionView, PricesView, SymbolConfigView,
};
use super::vocabulary::{PositionSide, Side};

impl Venue {
    /// Instrument of a name.
    pub fn symbol_id(&self, symbol: &str) -> Option<SymbolId> {
        self.names.get(symbol).map(|id| SymbolId(*id))
    }

    /// Rules of an instrument.
    pub fn rules(&self, symbol: SymbolId) -> Option<&InstrumentRules> {
        self.market(symbol).map(|m| &m.rules)
    }

    /// All instruments in listing order.
    pub fn instruments(&self) -> impl Iterator<Item = (SymbolId, &InstrumentRules)> {
        self.markets.iter().zip(0u16..).map(|(market, id)| (SymbolId(id), &market.rules))
    }

    /// Ids of all accounts.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.iter().map(|account| account.id)
    }

    /// How the exchange was set up.
    pub fn config(&self) -> &VenueConfig {
        &self.config
    }

    /// The latest time any command brought.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Number of the last event, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// Last and mark.
    pub fn prices(&self, symbol: SymbolId) -> Option<PricesView> {
        self.market(symbol).map(|m| PricesView {
            last: m.rules.price_of(m.last),
            last_ticks: m.last,
            mark: m.mark(),
            time_ms: m.moved_ms,
        })
    }

    /// Best bid and ask.
    pub fn best(&self, symbol: SymbolId) -> Option<BestView> {
        let depth = self.depth(symbol, 1)?;
        let ((bid, bid_qty), (ask, ask_qty)) = (*depth.bids.first()?, *depth.asks.first()?);
        let time_ms = self.market(symbol)?.moved_ms;
        Some(BestView { update_id: depth.last_update_id, bid, bid_qty, ask, ask_qty, time_ms })
    }

    /// The book, at most `limit` levels a side: the standing book with the accounts' own orders in it.
    pub fn depth(&self, symbol: SymbolId, limit: usize) -> Option<DepthView> {
        let market = self.market(symbol)?;
        Some(DepthView {
            last_update_id: market.book_seq,
            bids: self.depth_side(market, Side::Buy, limit),
            asks: self.depth_side(market, Side::Sell, limit),
        })
    }

    fn depth_side(&self, market: &Market, side: Side, limit: usize) -> Vec<(Decimal, Decimal)> {
        let resting = market.book_side(side);
        let sized = market.ladder(side).map(|level| (level.ticks, market.level_steps(side, level)));
        let mut levels: Vec<(i64, i64)> = sized.filter(|(_, steps)| *steps > 0).take(limit).collect();
        let own =
            resting.iter().filter_map(|r| self.orders.get(&r.order_id).map(|o| (r.ticks, o.remaining())));
        levels.extend(own);
        levels.sort_by_key(|(ticks, _)| -side.sign() * ticks);
        levels.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        levels.truncate(limit);
        levels.into_iter().map(|(t, s)| (market.rules.price_of(t), market.rules.qty_of(s))).collect()
    }

    /// Position rows of one symbol or all: BOTH in one-way mode, LONG and SHORT in hedge mode. Flat rows are included;
    /// `active` marks those that have a position or an open order.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn positions(
        &self,
        account: AccountId,
        symbol: Option<&str>,
    ) -> Result<Vec<PositionView>, VenueError> {
        let (ax, symbol) = self.scope(account, symbol)?;
        let symbols = match symbol {
            Some(one) => one..one + 1,
            None => 0..self.markets.len(),
        };
        let sides = self.accounts[ax].sides();
        Ok(symbols.flat_map(|s| sides.iter().map(move |side| self.position_view(ax, s, *side))).collect())
    }

    pub(super) fn position_view(&self, ax: usize, symbol: usize, side: PositionSide) -> PositionView {
        let market = &self.markets[symbol];
        let rules = &market.rules;
        let slot = &self.accounts[ax].slots[symbol];
        let leg = slot.leg(side);
        let value = leg_value(market, slot, side, market.mark());
        let size = rules.qty_of(leg.steps.abs());
        let per_unit = |cost: Decimal| {
            if leg.is_flat() { Decimal::ZERO } else { (cost / size).round_dp(8).normalize() }
        };
        let open = self.open_notional(ax, symbol, side, None);
        let order_margin = self.order_margin(ax, symbol, side, None, None);
        let isolated = slot.is_isolated() && !leg.is_flat();
        let initial = value.initial(slot.leverage);
        PositionView {
            symbol: rules.symbol.clone(),
            position_side: side,
            qty: rules.qty_of(leg.steps),
            entry_price: per_unit(leg.cost),
            break_even_price: per_unit(leg.cost + Decimal::from(leg.steps.signum()) * leg.fees),
            mark_price: market.mark(),
            unrealized_pnl: value.unrealized.round_dp(8),
            liquidation_price: self.liquidation_price(ax, symbol, side),
            notional: value.notional,
            leverage: slot.leverage,
            margin_type: slot.margin_type,
            isolated_margin: if isolated {
                (leg.isolated_wallet + value.unrealized).round_dp(8)
            } else {
                Decimal::ZERO
            },
            isolated_wallet: leg.isolated_wallet,
            initial_margin: (initial + order_margin).round_dp(8),
            maint_margin: value.maint.round_dp(8),
            position_initial_margin: initial.round_dp(8),
            open_order_initial_margin: order_margin.round_dp(8),
            max_notional: rules.max_notional(slot.leverage),
            bid_notional: open.bids,
            ask_notional: open.asks,
            adl: adl_rank(value.unrealized, initial),
            accumulated_realized: leg.realized,
            margin_asset: rules.margin_asset.clone(),
            update_ms: leg.update_ms,
            active: !leg.is_flat() || open.bids > Decimal::ZERO || open.asks > Decimal::ZERO,
        }
    }

    /// Assets of an account, USDT first.
    ///
    /// # Errors
    /// `-2015` unknown account.
    pub fn assets(&self, account: AccountId) -> Result<Vec<AssetView>, VenueError> {
        let ax = self.account_index(account)?;
        Ok((0..self.assets.len()).map(|asset| self.asset_view(ax, asset)).collect())
    }

    fn asset_view(&self, ax: usize, asset: usize) -> AssetView {
        let sums = self.asset_sums(ax, asset, None);
        let unrealized = sums.cross_unrealized + sums.isolated_unrealized;
        let positions = sums.cross_initial + sums.isolated_initial;
        AssetView {
            asset: self.assets[asset].clone(),
            wallet_balance: sums.wallet,
            cross_wallet_balance: sums.cross_wallet(),
            unrealized_pnl: unrealized.round_dp(8),
            cross_unrealized_pnl: sums.cross_unrealized.round_dp(8),
            margin_balance: (sums.wallet + unrealized).round_dp(8),
            maint_margin: sums.maint.round_dp(8),
            initial_margin: (positions + sums.order_margin).round_dp(8),
            position_initial_margin: positions.round_dp(8),
            open_order_initial_margin: sums.order_margin.round_dp(8),
            available_balance: sums.available().trunc_with_scale(8),
            max_withdraw: sums.max_withdraw().trunc_with_scale(8),
            update_ms: self.accounts[ax].wallets[asset].update_ms,
        }
    }

    /// Settings of an account.
    ///
    /// # Errors
    /// `-2015` unknown account.
    pub fn account_config(&self, account: AccountId) -> Result<AccountConfigView, VenueError> {
        let account = &self.accounts[self.account_index(account)?];
        Ok(AccountConfigView {
            hedge_mode: account.hedge,
            multi_assets: account.switches.multi_assets,
            can_trade: account.restriction != Restriction::NoOrders,
            fee_tier: 0,
            update_ms: account.update_ms,
        })
    }

    /// Settings for one symbol or all.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn symbol_configs(
        &self,
        account: AccountId,
        symbol: Option<&str>,
    ) -> Result<Vec<SymbolConfigView>, VenueError> {
        let (ax, wanted) = self.scope(account, symbol)?;
        let rows = self.accounts[ax].slots.iter().zip(&self.markets).enumerate();
        let rows = rows.filter(|(at, _)| wanted.is_none_or(|w| w == *at));
        Ok(rows
            .map(|(_, (slot, market))| SymbolConfigView {
                symbol: market.rules.symbol.clone(),
                margin_type: slot.margin_type,
                leverage: slot.leverage,
                max_notional: market.rules.max_notional(slot.leverage),
            })
            .collect())
    }

    /// Fee rates for a symbol.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn commission_rate(&self, account: AccountId, symbol: &str) -> Result<FeeRates, VenueError> {
        let (ax, symbol) = (self.account_index(account)?, self.symbol_index(symbol)?);
        Ok(self.accounts[ax].fee_rates(symbol))
    }

    /// Whether any account has an order, an algo order or a position on the symbol.
    pub fn is_in_use(&self, symbol: SymbolId) -> bool {
        let index = usize::from(symbol.0);
        let Some(market) = self.markets.get(index) else { return false };
        let held = |a: &super::account::Account| LEG_SIDES.iter().any(|side| !a.leg(index, *side).is_flat());
        !(market.bids.is_empty() && market.asks.is_empty() && market.algos.is_empty())
            || self.accounts.iter().any(held)
    }

    /// Hash of the whole state: equal digests mean equal exchanges.
    pub fn state_digest(&self) -> String {
        // Every map has text or number keys, so writing cannot fail; were it to, the text differs from any hash.
        match serde_json::to_vec(self) {
            Ok(bytes) => Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(error) => format!("state cannot be written: {error}"),
        }
    }

    fn market(&self, symbol: SymbolId) -> Option<&Market> {
        self.markets.get(usize::from(symbol.0))
    }
}

/// Deleveraging rank by return on margin: losers never, then a rank for every 50 % gained. The exchange ranks against
/// all other accounts, of which there are none here.
fn adl_rank(unrealized: Decimal, initial: Decimal) -> u8 {
    use rust_decimal::prelude::ToPrimitive;
    if unrealized <= Decimal::ZERO || initial <= Decimal::ZERO {
        return 0;
    }
    let rank = (unrealized / initial * Decimal::TWO).trunc().to_u8().unwrap_or(4);
    (rank + 1).min(4)
}
