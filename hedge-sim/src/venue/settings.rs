//! Settings of accounts and symbols: modes, leverage, fees, transfers, listing, status.
//!
//! Source: fact sheet 3, 4.7.

use rust_decimal::Decimal;

use super::account::{Account, LEG_SIDES, Slot, Wallet};
use super::command::{AccountId, FeeRates, SymbolId};
use super::error::{Refusal, VenueError};
use super::event::{AccountUpdate, EventBody, VenueEvent};
use super::exchange::Venue;
use super::ledger::{Booking, Info};
use super::margin::leg_value;
use super::market::Market;
use super::rules::InstrumentRules;
use super::vocabulary::{
    AlgoStatus, ExpiryReason, IncomeType, MarginType, OrderStatus, SymbolStatus, UpdateReason,
};

/// No account holds more; beyond it sums might overflow.
const MOST_MONEY: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

impl Venue {
    /// Lists an instrument.
    pub(super) fn list(&mut self, rules: &InstrumentRules, price: Decimal) -> Result<SymbolId, VenueError> {
        let refuse = |text: String| VenueError::refuse(Refusal::InvalidValue.code(), text);
        rules.validate().map_err(|e| refuse(e.to_string()))?;
        if self.names.contains_key(&rules.symbol) {
            return Err(refuse(format!("{} is already listed", rules.symbol)));
        }
        let id =
            u16::try_from(self.markets.len()).map_err(|_| refuse("no more than 65536 instruments".into()))?;
        let last = rules.ticks_nearest(price).filter(|t| *t > 0);
        let last = last.ok_or_else(|| refuse(format!("{} cannot be listed at {price}", rules.symbol)))?;
        let asset = self.asset_index(&rules.margin_asset);
        let seed = super::market::mix(self.config.seed ^ u64::from(id) << 32);
        let market = Market::open(rules.clone(), asset, last, self.config.top_of_book_usdt, seed);
        let mut market =
            market.ok_or_else(|| refuse(format!("{} cannot be listed at {price}", rules.symbol)))?;
        market.next_trade_id = market.next_trade_id.max(self.first_trade_id);
        let leverage = self.config.leverage.clamp(1, rules.max_leverage().max(1));
        for account in &mut self.accounts {
            account.slots.push(Slot::new(leverage));
        }
        self.names.insert(rules.symbol.clone(), id);
        self.markets.push(market);
        Ok(SymbolId(id))
    }

    /// Index of an asset, new ones get an empty wallet in every account.
    pub(super) fn asset_index(&mut self, asset: &str) -> usize {
        if let Some(found) = self.assets.iter().position(|a| a == asset) {
            return found;
        }
        self.assets.push(asset.to_owned());
        for account in &mut self.accounts {
            account.wallets.push(Wallet::empty(self.now_ms));
        }
        self.assets.len() - 1
    }

    /// Opens an account. The first wallet is USDT's.
    pub(super) fn open_account(
        &mut self,
        account: AccountId,
        balance_usdt: Decimal,
    ) -> Result<(), VenueError> {
        if usize::from(account.0) != self.accounts.len()
            || !is_money(balance_usdt)
            || balance_usdt < Decimal::ZERO
        {
            return Err(Refusal::InvalidValue.into());
        }
        let mut opened = Account::new(account, self.config.fees, self.assets.len(), self.now_ms);
        for market in &self.markets {
            opened.slots.push(Slot::new(self.config.leverage.clamp(1, market.rules.max_leverage().max(1))));
        }
        opened.wallets[0].balance = balance_usdt;
        self.accounts.push(opened);
        Ok(())
    }

    pub(super) fn set_fees(
        &mut self,
        ax: usize,
        symbol: Option<SymbolId>,
        fees: FeeRates,
    ) -> Result<(), VenueError> {
        let limit = Decimal::new(1, 1);
        if fees.maker.abs() > limit || fees.taker.abs() > limit {
            return Err(Refusal::InvalidValue.into());
        }
        match symbol {
            None => {
                self.accounts[ax].fees = fees;
                self.accounts[ax].slots.iter_mut().for_each(|slot| slot.fees = None);
            }
            Some(id) => {
                let slot = self.accounts[ax].slots.get_mut(usize::from(id.0));
                slot.ok_or(VenueError::of(Refusal::BadSymbol))?.fees = Some(fees);
            }
        }
        Ok(())
    }

    /// Switches one-way and hedge mode; only an account without orders and positions may.
    pub(super) fn set_position_mode(&mut self, ax: usize, hedge: bool) -> Result<(), VenueError> {
        let account = &mut self.accounts[ax];
        if account.hedge == hedge {
            return Err(Refusal::PositionModeUnchanged.into());
        }
        if !account.open_orders.is_empty() || !account.open_algos.is_empty() {
            return Err(Refusal::PositionModeOrders.into());
        }
        if !account.held.is_empty() {
            return Err(Refusal::PositionModePosition.into());
        }
        account.hedge = hedge;
        account.update_ms = self.now_ms;
        Ok(())
    }

    pub(super) fn set_margin_type(
        &mut self,
        ax: usize,
        symbol: usize,
        margin_type: MarginType,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        if self.accounts[ax].slots[symbol].margin_type == margin_type {
            return Err(Refusal::MarginTypeUnchanged.into());
        }
        if margin_type == MarginType::Isolated && self.accounts[ax].switches.multi_assets {
            return Err(Refusal::IsolatedInAssetMode.into());
        }
        if !self.open_orders_on(ax, Some(symbol)).is_empty()
            || !self.open_algos_on(ax, Some(symbol)).is_empty()
        {
            return Err(Refusal::MarginTypeOrders.into());
        }
        if self.accounts[ax].held.binary_search(&symbol).is_ok() {
            return Err(Refusal::MarginTypePosition.into());
        }
        self.accounts[ax].slots[symbol].margin_type = margin_type;
        self.accounts[ax].update_ms = self.now_ms;
        let sides = self.accounts[ax].sides();
        let update = AccountUpdate {
            reason: UpdateReason::MarginTypeChange,
            balances: Vec::new(),
            positions: sides.iter().map(|side| self.position_view(ax, symbol, *side)).collect(),
            symbol: String::new(),
        };
        self.emit(out, Some(self.accounts[ax].id), EventBody::Account(Box::new(update)));
        Ok(())
    }

    /// Changes leverage and returns the largest notional at it.
    pub(super) fn set_leverage(
        &mut self,
        ax: usize,
        symbol: usize,
        leverage: u32,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Decimal, VenueError> {
        let market = &self.markets[symbol];
        let rules = &market.rules;
        if leverage == 0 || leverage > rules.max_leverage() {
            return Err(Refusal::BadLeverage.into());
        }
        let slot = &self.accounts[ax].slots[symbol];
        let before = slot.leverage;
        let held = LEG_SIDES.map(|side| leg_value(market, slot, side, market.mark()).notional.abs());
        let has_position = held.iter().any(|n| *n > Decimal::ZERO);
        if slot.is_isolated() && has_position && leverage < before {
            return Err(Refusal::LeverageLowering.into());
        }
        let max_notional = rules.max_notional(leverage);
        let name = rules.symbol.clone();
        let asset = market.asset;
        for (side, notional) in LEG_SIDES.into_iter().zip(held) {
            let open = self.open_notional(ax, symbol, side, None);
            if notional + open.opening_bids.max(open.opening_asks) > max_notional {
                return Err(Refusal::AboveBracket.into());
            }
        }
        self.accounts[ax].slots[symbol].leverage = leverage;
        if leverage < before && self.asset_sums(ax, asset, None).free() < Decimal::ZERO {
            self.accounts[ax].slots[symbol].leverage = before;
            return Err(Refusal::LeverageTooSmall.into());
        }
        // What the symbol binds is another share of it now.
        self.drop_guard(ax);
        self.accounts[ax].update_ms = self.now_ms;
        self.emit(out, Some(self.accounts[ax].id), EventBody::Leverage { symbol: name, leverage });
        Ok(max_notional)
    }

    /// Moves money in or out and returns the ledger id.
    pub(super) fn transfer(
        &mut self,
        ax: usize,
        asset: &str,
        amount: Decimal,
        out: &mut Vec<VenueEvent>,
    ) -> Result<u64, VenueError> {
        let index = self.assets.iter().position(|a| a == asset);
        let index = index.ok_or(VenueError::of(Refusal::InvalidValue))?;
        let after =
            self.accounts[ax].wallets[index].balance + if is_money(amount) { amount } else { Decimal::ZERO };
        if amount.is_zero() || !is_money(amount) || after > MOST_MONEY {
            return Err(Refusal::InvalidValue.into());
        }
        if amount < Decimal::ZERO && -amount > self.asset_sums(ax, index, None).max_withdraw() {
            return Err(Refusal::BalanceInsufficient.into());
        }
        let kind = IncomeType::Transfer;
        let tran_id = self.book(ax, Booking { kind, amount, asset: index, symbol: None, info: Info::None });
        let reason = if amount > Decimal::ZERO { UpdateReason::Deposit } else { UpdateReason::Withdraw };
        let update = AccountUpdate {
            reason,
            balances: vec![self.balance_change(ax, index, amount)],
            positions: Vec::new(),
            symbol: String::new(),
        };
        self.emit(out, Some(self.accounts[ax].id), EventBody::Account(Box::new(update)));
        self.drop_guard(ax);
        self.settle_margins(ax, out);
        Ok(tran_id)
    }

    /// Changes a symbol's status. A symbol that leaves trading for good loses its orders, and its positions are settled
    /// at mark. Source: fact sheet 7.1, 7.2.
    pub(super) fn set_status(&mut self, symbol: usize, status: SymbolStatus, out: &mut Vec<VenueEvent>) {
        self.markets[symbol].rules.status = status;
        let gone = matches!(
            status,
            SymbolStatus::Settling | SymbolStatus::Delivering | SymbolStatus::Delivered | SymbolStatus::Close
        );
        if !gone {
            return;
        }
        for ax in 0..self.accounts.len() {
            for id in self.open_orders_on(ax, Some(symbol)) {
                self.end_order(id, OrderStatus::Expired, ExpiryReason::Delisting, out);
            }
            for id in self.open_algos_on(ax, Some(symbol)) {
                self.end_algo(id, AlgoStatus::Expired, "the symbol left trading", out);
            }
            for side in LEG_SIDES {
                if !self.accounts[ax].leg(symbol, side).is_flat() {
                    self.force_close(ax, symbol, side, "settlement_autoclose", out);
                }
            }
            self.settle_margins(ax, out);
        }
    }
}

/// At most eight decimals and a sane size.
pub(super) fn is_money(amount: Decimal) -> bool {
    amount.normalize().scale() <= 8 && amount.abs() <= MOST_MONEY
}
