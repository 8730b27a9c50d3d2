//! What the exchange says, where the state directory does not: wallet and unrealised profit, legs, the latest executions.

use std::time::Duration;

use hedge_core::{
    AccountSnapshot, Asset, BrokerError, Decimal, InstrumentId, Position, Timestamp, VenueReader,
    report::{Holding, Trade, Trades},
};

/// How far back executions are looked for: one page of the exchange's.
const TRADES_SINCE: Duration = Duration::from_secs(86_400);

/// One look at an account.
#[derive(Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) value: Value,
    pub(crate) positions: Vec<Holding>,
}

/// `USDT + Σ uPnL`.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Known(Decimal),
    /// Legs without a mark price: what they are worth is not known.
    NoMark(Vec<hedge_core::PositionKey>),
}

/// Balances and legs.
pub(crate) async fn account(venue: &dyn VenueReader) -> Result<Account, BrokerError> {
    let account = venue.account().await?;
    let legs = venue.positions().await?;
    let unmarked: Vec<_> = legs.iter().filter(|leg| leg.mark().is_none()).map(|leg| *leg.key()).collect();
    let positions: Vec<Holding> = legs.iter().map(holding).collect();
    let value = if unmarked.is_empty() {
        let unrealized: Decimal = positions.iter().filter_map(|leg| leg.u_pnl).sum();
        Value::Known(wallet(&account) + unrealized)
    } else {
        Value::NoMark(unmarked)
    };
    Ok(Account { value, positions })
}

/// Executions of the last day, newest first. Symbols that are asked for in vain are no reason to know none: they are told.
pub(crate) async fn trades(
    venue: &dyn VenueReader,
    instruments: &[InstrumentId],
    now: Timestamp,
) -> Result<Trades, BrokerError> {
    let mut fills = Vec::new();
    let mut failed = None;
    for instrument in instruments {
        match venue.fills_since(instrument, now.minus(TRADES_SINCE)).await {
            Ok(found) => fills.extend(found),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if fills.is_empty() => return Err(error),
        _ => {}
    }
    fills.sort_by_key(|fill| std::cmp::Reverse((fill.venue_time, fill.trade_id)));
    let trade = |fill: &hedge_core::Fill| Trade {
        symbol: fill.instrument.symbol,
        pnl: fill.realized.map(|realized| realized.get()),
    };
    Ok(Trades { latest: fills.iter().map(trade).collect(), is_cut: failed.is_some() })
}

fn wallet(account: &AccountSnapshot) -> Decimal {
    let ours = account.balances.iter().filter(|balance| balance.asset == Asset::usdt());
    ours.map(|balance| balance.wallet.get()).sum()
}

fn holding(leg: &Position) -> Holding {
    let sign = Decimal::from(leg.key().side.sign());
    let (qty, entry) = (leg.qty().get(), leg.entry().get());
    Holding {
        symbol: leg.key().instrument.symbol,
        side: leg.key().side,
        qty,
        u_pnl: leg.mark().and_then(|mark| (mark.get() - entry).checked_mul(qty)?.checked_mul(sign)),
    }
}
