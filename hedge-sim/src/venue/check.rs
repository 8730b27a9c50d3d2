//! All checks of a plain order, in the exchange's order, before anything changes.
//!
//! Source: fact sheet 3, 4.5, 14.6 item 2.

use hedge_core::money::{compare, difference, greatest, product, sum};
use rust_decimal::Decimal;

use super::command::{AccountId, NewOrder, Restriction};
use super::error::{Refusal, VenueError};
use super::exchange::Venue;
use super::filters;
use super::order::closes;
use super::vocabulary::{OrderType, PositionSide, Side, Stp, SymbolStatus, Tif};

/// A GTD order must live longer than this. Source: fact sheet 4.5.
const GTD_MIN_AHEAD_MS: i64 = 600_000;
const GTD_MAX_MS: i64 = 253_402_300_799_000;

/// An order that passed, in ticks and steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted {
    pub(super) ax: usize,
    pub(super) symbol: usize,
    pub(super) position_side: PositionSide,
    pub(super) tif: Tif,
    pub(super) ticks: i64,
    pub(super) steps: i64,
    pub(super) reduces: bool,
    pub(super) stp: Stp,
    pub(super) good_till_ms: i64,
}

/// Where a plain order comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client.
    Client,
    /// The trigger of an algo order.
    Algo,
    /// The trigger of a close-all algo order: it takes the leg whatever rests beside it.
    CloseAll,
}

impl Venue {
    pub(super) fn account_index(&self, account: AccountId) -> Result<usize, VenueError> {
        let ax = usize::from(account.0);
        if ax < self.accounts.len() {
            return Ok(ax);
        }
        Err(VenueError { http: 401, ..Refusal::BadKey.into() })
    }

    pub(super) fn symbol_index(&self, symbol: &str) -> Result<usize, VenueError> {
        self.names.get(symbol).map(|id| usize::from(*id)).ok_or_else(|| Refusal::BadSymbol.into())
    }

    /// Checks a plain order from the outside in; nothing has happened when it is refused.
    pub(super) fn check_order(&self, order: &NewOrder, origin: Origin) -> Result<Accepted, VenueError> {
        let ax = self.account_index(order.account)?;
        let symbol = self.symbol_index(&order.symbol)?;
        self.check_order_on(ax, symbol, order, origin)
    }

    /// As [`check_order`](Self::check_order), for one whose account and symbol were looked up.
    pub(super) fn check_order_on(
        &self,
        ax: usize,
        symbol: usize,
        order: &NewOrder,
        origin: Origin,
    ) -> Result<Accepted, VenueError> {
        debug_assert_eq!(self.markets.get(symbol).map(|market| &market.rules.symbol), Some(&order.symbol));
        check_shape(order)?;
        let tif = self.check_tif(order, symbol)?;
        let position_side = self.check_mode(ax, order.position_side, order.reduce_only, origin)?;
        let reduces = order.reduce_only == Some(true) || closes(order.side, position_side);
        self.check_status(symbol, reduces)?;
        self.check_restriction(ax, reduces)?;
        if origin == Origin::Client {
            self.check_client_id(ax, order.client_order_id.as_deref())?;
        }
        let (ticks, steps) = self.check_filters(order, symbol, origin)?;
        self.check_good_till(tif, order.good_till_ms)?;
        self.check_order_count(ax, symbol)?;
        let accepted = Accepted {
            ax,
            symbol,
            position_side,
            tif,
            ticks,
            steps,
            reduces,
            stp: order.stp.unwrap_or(Stp::ExpireMaker),
            good_till_ms: if tif == Tif::Gtd { order.good_till_ms.unwrap_or(0) / 1_000 * 1_000 } else { 0 },
        };
        if reduces {
            self.check_leg(&accepted, order.side, origin, None)?;
        } else {
            self.check_notional(&accepted, order.order_type)?;
            self.check_bracket(&accepted, order.side, None)?;
            self.check_margin(&accepted, order.side, None)?;
        }
        self.check_book(&accepted, order.side, order.order_type)?;
        Ok(accepted)
    }

    fn check_tif(&self, order: &NewOrder, symbol: usize) -> Result<Tif, VenueError> {
        if order.order_type == OrderType::Market {
            return Ok(Tif::Gtc);
        }
        let rules = &self.markets[symbol].rules;
        match order.tif {
            None => Err(missing("timeInForce")),
            Some(tif) if tif == Tif::GteGtc || !rules.tifs.contains(&tif) => Err(Refusal::BadTif.into()),
            Some(tif) => Ok(tif),
        }
    }

    /// The row an order is for. Source: fact sheet 3.
    pub(super) fn check_mode(
        &self,
        ax: usize,
        position_side: Option<PositionSide>,
        reduce_only: Option<bool>,
        origin: Origin,
    ) -> Result<PositionSide, VenueError> {
        let given = position_side.unwrap_or(PositionSide::Both);
        if (given != PositionSide::Both) != self.accounts[ax].hedge {
            return Err(Refusal::PositionSideMismatch.into());
        }
        // The flag itself is the mistake, whatever its value.
        if origin == Origin::Client && self.accounts[ax].hedge && reduce_only.is_some() {
            return Err(Refusal::ReduceOnlyNotRequired.into());
        }
        Ok(given)
    }

    /// Only an open symbol takes openings; one that is being wound up still takes closes.
    pub(super) fn check_status(&self, symbol: usize, reduces: bool) -> Result<(), VenueError> {
        match self.markets[symbol].rules.status {
            SymbolStatus::Trading => Ok(()),
            SymbolStatus::PreSettle | SymbolStatus::PreDelivering if reduces => Ok(()),
            SymbolStatus::PendingTrading | SymbolStatus::PreSettle | SymbolStatus::PreDelivering => {
                Err(Refusal::NotOpenForPositions.into())
            }
            SymbolStatus::Settling
            | SymbolStatus::Delivering
            | SymbolStatus::Delivered
            | SymbolStatus::Close => Err(Refusal::SymbolClosed.into()),
        }
    }

    pub(super) fn check_restriction(&self, ax: usize, reduces: bool) -> Result<(), VenueError> {
        match self.accounts[ax].restriction {
            Restriction::None => Ok(()),
            Restriction::ReduceOnly if reduces => Ok(()),
            Restriction::ReduceOnly => Err(Refusal::OnlyReduceOnly.into()),
            Restriction::NoOrders => Err(Refusal::MayNotTrade.into()),
        }
    }

    /// A client id must be well formed and not borne by an open order.
    fn check_client_id(&self, ax: usize, client_id: Option<&str>) -> Result<(), VenueError> {
        let Some(text) = client_id else { return Ok(()) };
        filters::client_id(text)?;
        let newest = self.accounts[ax].by_client.newest(text.as_bytes(), &self.orders);
        let bearer = newest.and_then(|id| self.orders.get(&id));
        if bearer.is_some_and(|o| o.status.is_open()) {
            Err(Refusal::DuplicateClientId.into())
        } else {
            Ok(())
        }
    }

    fn check_filters(
        &self,
        order: &NewOrder,
        symbol: usize,
        origin: Origin,
    ) -> Result<(i64, i64), VenueError> {
        let market = &self.markets[symbol];
        let rules = &market.rules;
        let qty = order.qty.ok_or_else(|| missing("quantity"))?;
        let market_order = order.order_type == OrderType::Market;
        let price = match (order.price, order.price_match) {
            _ if market_order => None,
            (Some(price), _) => Some(price),
            (None, Some(price_match)) => Some(self.matched_price(symbol, order.side, price_match)?),
            (None, None) => return Err(missing("price")),
        };
        if let Some(price) = price {
            filters::precise(price, rules.price_precision)?;
        }
        let lot = if market_order { rules.market_lot } else { rules.lot };
        // A close-all takes the leg in one piece; the market lot is not in its way.
        let lot =
            if origin == Origin::CloseAll { super::rules::LotRule { max: Decimal::MAX, ..lot } } else { lot };
        filters::precise(qty, rules.qty_precision)?;
        let ticks = price.map(|p| filters::limit_ticks(rules, p)).transpose()?.unwrap_or(0);
        let steps = filters::lot_steps(rules, &lot, qty)?;
        if let Some(price) = price {
            filters::percent_price(market, order.side, price)?;
        }
        Ok((ticks, steps))
    }

    /// Price of a book level for an order that leaves its price to the exchange.
    pub(super) fn matched_price(
        &self,
        symbol: usize,
        side: Side,
        price_match: super::vocabulary::PriceMatch,
    ) -> Result<Decimal, VenueError> {
        let market = &self.markets[symbol];
        let book = if price_match.is_opponent() { side.opposite() } else { side };
        let level = market.ladder(book).nth(price_match.level());
        level.map(|l| market.rules.price_of(l.ticks)).ok_or_else(|| Refusal::NoBbo.into())
    }

    pub(super) fn check_good_till(&self, tif: Tif, good_till_ms: Option<i64>) -> Result<(), VenueError> {
        if tif != Tif::Gtd {
            return Ok(());
        }
        let date = good_till_ms.ok_or_else(|| missing("goodTillDate"))?;
        let earliest = self.now_ms + GTD_MIN_AHEAD_MS;
        if date > earliest && date < GTD_MAX_MS { Ok(()) } else { Err(Refusal::BadGtd.into()) }
    }

    fn check_order_count(&self, ax: usize, symbol: usize) -> Result<(), VenueError> {
        let Some(limit) = self.markets[symbol].rules.max_num_orders else { return Ok(()) };
        let open = self.accounts[ax].open_orders.iter().filter_map(|id| self.orders.get(id));
        let count = open.filter(|o| o.symbol == symbol).count();
        if count >= limit as usize { Err(Refusal::MaxOpenOrders.into()) } else { Ok(()) }
    }

    fn check_notional(&self, accepted: &Accepted, order_type: OrderType) -> Result<(), VenueError> {
        let market = &self.markets[accepted.symbol];
        let price = if order_type == OrderType::Market {
            market.mark()
        } else {
            market.rules.price_of(accepted.ticks)
        };
        filters::min_notional(&market.rules, product(&price, &market.rules.qty_of(accepted.steps)))
    }

    /// A close needs a leg that is not yet spoken for by resting closes. Source: fact sheet 14.6 item 3.
    pub(super) fn check_leg(
        &self,
        accepted: &Accepted,
        side: Side,
        origin: Origin,
        exclude: Option<u64>,
    ) -> Result<(), VenueError> {
        let Accepted { ax, symbol, position_side, steps, .. } = *accepted;
        let resting = self.resting_closes(ax, symbol, position_side, side);
        let spoken_for = match origin {
            Origin::CloseAll => 0,
            _ => resting.iter().filter(|(id, _)| Some(*id) != exclude).map(|(_, left)| left).sum(),
        };
        let free = self.closable(ax, symbol, position_side, side) - spoken_for;
        if steps > 0 && steps <= free { Ok(()) } else { Err(Refusal::ReduceOnlyRejected.into()) }
    }

    /// Position plus orders must fit the bracket of the leverage. Source: fact sheet 14.5.
    pub(super) fn check_bracket(
        &self,
        accepted: &Accepted,
        side: Side,
        exclude: Option<u64>,
    ) -> Result<(), VenueError> {
        let Accepted { ax, symbol, position_side, .. } = *accepted;
        let market = &self.markets[symbol];
        let slot = &self.accounts[ax].slots[symbol];
        let held = super::margin::leg_notional(market, slot, position_side, market.mark());
        let open = self.open_notional(ax, symbol, position_side, exclude);
        let extra = self.order_notional(accepted, side);
        let after = match side {
            Side::Buy => sum(&sum(&held, &open.opening_bids), &extra),
            Side::Sell => difference(&difference(&held, &open.opening_asks), &extra),
        };
        let cap = market.rules.max_notional(slot.leverage);
        let is_more = |than: &Decimal| compare(&after.abs(), than).is_gt();
        if is_more(&cap) && is_more(&held.abs()) { Err(Refusal::AboveBracket.into()) } else { Ok(()) }
    }

    /// The margin an opening order binds must be available, the loss it begins with included.
    pub(super) fn check_margin(
        &self,
        accepted: &Accepted,
        side: Side,
        exclude: Option<u64>,
    ) -> Result<(), VenueError> {
        let Accepted { ax, symbol, position_side, steps, .. } = *accepted;
        let market = &self.markets[symbol];
        let notional = self.order_notional(accepted, side);
        let at_mark = product(&market.mark(), &market.rules.qty_of(steps));
        let open_loss = match side {
            Side::Buy => difference(&notional, &at_mark),
            Side::Sell => difference(&at_mark, &notional),
        };
        let open_loss = greatest(open_loss, Decimal::ZERO);
        let at_most = sum(&notional, &open_loss);
        let account = &self.accounts[ax];
        let is_clear = !account.held.is_empty() && self.surely_has(ax, symbol, &at_most);
        debug_assert!(!is_clear || at_most <= self.asset_sums(ax, market.asset, exclude).available());
        if is_clear {
            return Ok(());
        }
        let available = if account.held.is_empty() && account.open_orders.is_empty() {
            greatest(account.wallets[market.asset].balance, Decimal::ZERO)
        } else {
            self.asset_sums(ax, market.asset, exclude).available()
        };
        // No order binds more than its notional: mostly that settles it.
        if compare(&at_most, &available).is_le() {
            return Ok(());
        }
        let without = self.order_margin(ax, symbol, position_side, None, exclude);
        let with = self.order_margin(ax, symbol, position_side, Some((side, notional)), exclude);
        let bound = with - without;
        let needed = if bound > Decimal::ZERO { bound + open_loss } else { Decimal::ZERO };
        if needed > available { Err(Refusal::MarginInsufficient.into()) } else { Ok(()) }
    }

    /// Notional at the limit price, or at the best opposite price for a market order.
    fn order_notional(&self, accepted: &Accepted, side: Side) -> Decimal {
        let market = &self.markets[accepted.symbol];
        let ticks = if accepted.ticks > 0 { accepted.ticks } else { market.best_opposite(side) };
        product(&market.rules.price_of(ticks), &market.rules.qty_of(accepted.steps))
    }

    /// What only the book can tell: no price for a market order, post-only that would take, FOK that cannot fill.
    fn check_book(&self, accepted: &Accepted, side: Side, order_type: OrderType) -> Result<(), VenueError> {
        let Accepted { symbol, ticks, steps, tif, .. } = *accepted;
        if order_type == OrderType::Market {
            let bound = self.market_bound(symbol, side);
            let any = self.is_takeable(symbol, side, bound);
            return if any { Ok(()) } else { Err(Refusal::NoOppositePrice.into()) };
        }
        match tif {
            Tif::Gtx if self.is_takeable(symbol, side, ticks) => Err(Refusal::PostOnlyRejected.into()),
            Tif::Fok if self.takeable(symbol, side, ticks, steps) < steps => Err(Refusal::FokRejected.into()),
            _ => Ok(()),
        }
    }
}

/// Which fields go with which type.
fn check_shape(order: &NewOrder) -> Result<(), VenueError> {
    match order.order_type {
        conditional if conditional.is_conditional() => Err(Refusal::ConditionalElsewhere.into()),
        OrderType::Liquidation => Err(Refusal::BadOrderType.into()),
        OrderType::Market if order.tif.is_some() => Err(Refusal::TifNotRequired.into()),
        OrderType::Market if order.price.is_some() => Err(Refusal::PriceNotRequired.into()),
        OrderType::Market if order.price_match.is_some() => Err(Refusal::PriceMatchType.into()),
        OrderType::Limit if order.price.is_some() && order.price_match.is_some() => {
            Err(Refusal::PriceMatchWithPrice.into())
        }
        _ => Ok(()),
    }
}

/// The refusal for an absent parameter.
pub(super) fn missing(name: &str) -> VenueError {
    VenueError::refuse(
        -1102,
        format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
    )
}
