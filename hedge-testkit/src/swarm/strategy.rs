//! The strategy of a run: it wants what the plan says, when its time comes and it makes sense.

use std::borrow::Cow;

use hedge_core::{
    Bps, DataNeed, Decimal, Entry, Exit, InstrumentId, InstrumentSpec, Intent, Leg, Notional, Output,
    Portion, PositionKey, PositionSide, Price, Protection, Ratio, Size, Strategy, StrategyEvent, StrategyId,
    StrategyView, TakeProfit, Tif, Timestamp, TriggerBy,
};

use super::plan::{LegIx, Wish};

/// A wish that is older than this is forgotten: it was due while nothing was heard of the market.
const FRESH_MS: i64 = 3_000;

#[derive(Debug)]
pub(super) struct Scripted {
    id: StrategyId,
    instruments: Vec<InstrumentId>,
    wishes: Vec<(Timestamp, LegIx, Wish)>,
    next: usize,
    started: bool,
}

impl Scripted {
    /// Wishes by time.
    pub(super) fn new(instruments: Vec<InstrumentId>, wishes: Vec<(Timestamp, LegIx, Wish)>) -> Self {
        let id = StrategyId::parse("swarm").expect("a strategy id");
        Self { id, instruments, wishes, next: 0, started: false }
    }

    fn want(&self, leg: LegIx, wish: Wish, view: &StrategyView<'_>) -> Option<Intent> {
        let instrument = *self.instruments.get(usize::from(leg.symbol))?;
        let side = if leg.short { PositionSide::Short } else { PositionSide::Long };
        let key = PositionKey::new(instrument, side);
        let (mark, _) = view.book.mark_of(&instrument)?;
        let spec = view.book.spec(view.book.ix(&instrument)?)?;
        let because = Cow::Borrowed("wished");
        let held = view.leg(&key).is_some();
        // Towards profit is positive.
        let away = |bps: i64| at(spec, mark, side, bps);
        let open = |notional_usdt: i64, stop_bps: i64, entry: Entry, rungs: u8| {
            let rungs = (1..=i64::from(rungs)).filter_map(|rung| {
                Some(TakeProfit { trigger: away(rung * 30)?, portion: Ratio::new(Decimal::new(5, 1)).ok()? })
            });
            Some(Intent::Open {
                position: key,
                size: Size::Notional(Notional::new(Decimal::from(notional_usdt)).ok()?),
                entry,
                protection: Protection::Stop { trigger: away(-stop_bps)?, take_profits: rungs.collect() },
                because: because.clone(),
            })
        };
        let close = |percent: i64, exit: Exit| {
            let portion = match percent {
                100 => Portion::All,
                part => Portion::Fraction(Ratio::new(Decimal::new(part, 2)).ok()?),
            };
            Some(Intent::Close { position: key, portion, exit, because: because.clone() })
        };
        match wish {
            Wish::Market { notional_usdt, stop_bps, rungs } => {
                open(notional_usdt, stop_bps, Entry::Market, rungs)
            }
            Wish::Limit { notional_usdt, stop_bps, away_bps, post_only } => {
                let tif = if post_only { Tif::PostOnly } else { Tif::Gtc };
                let entry = Entry::Limit { price: away(-away_bps)?, tif };
                open(notional_usdt, stop_bps + away_bps.max(0), entry, 0)
            }
            Wish::CancelEntry => {
                let is_entry = |order: &&hedge_core::OrderRecord| matches!(order.leg, Leg::Open(_));
                let entry = view.book.live_orders_of(&key).find(is_entry)?;
                Some(Intent::Cancel { order: entry.client_id, because })
            }
            _ if !held => None,
            Wish::Close { percent } => close(percent, Exit::Market),
            Wish::LimitClose { percent, away_bps } => {
                close(percent, Exit::Limit { price: away(away_bps)?, tif: Tif::Gtc })
            }
            Wish::MoveStop { away_bps } => {
                Some(Intent::Protect { position: key, trigger: away(-away_bps)?, because })
            }
            Wish::TakeProfit { percent, away_bps } => {
                close(percent, Exit::TakeProfitMarket { trigger: away(away_bps)?, by: TriggerBy::Mark })
            }
            Wish::Trail { percent, callback_bps } => {
                let callback = Bps::new(Decimal::from(callback_bps)).ok()?;
                close(percent, Exit::TrailingStop { activate: None, callback, by: TriggerBy::Last })
            }
        }
    }
}

/// A price on the grid, so many basis points from the mark towards the profit of a leg.
fn at(spec: &InstrumentSpec, mark: Price, side: PositionSide, bps: i64) -> Option<Price> {
    let moved = mark.get() * (Decimal::ONE + Decimal::new(bps * side.sign(), 4));
    spec.round_price(moved)
}

impl Strategy for Scripted {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        self.instruments.clone()
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Quote { .. } = event else { return };
        let stale = Timestamp::from_ms(view.now.ms() - FRESH_MS);
        if !self.started {
            self.started = true;
            self.next = self.wishes.partition_point(|(at, ..)| *at <= view.now);
        }
        while let Some(&(at, leg, wish)) = self.wishes.get(self.next).filter(|(at, ..)| *at <= view.now) {
            self.next += 1;
            if at >= stale
                && let Some(intent) = self.want(leg, wish, view)
            {
                out.want(intent);
            }
        }
    }
}
