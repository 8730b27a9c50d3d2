//! Where a simulated account begins: at the real one, or where an earlier simulation's journal ends.

use std::collections::BTreeMap;

use hedge_core::{
    AccountSnapshot, Asset, Book, Coverage, Decimal, Entry, Exit, InstrumentId, Leg, OrderRecord, OrderRef,
    OrderState, Position, PositionKey, PositionMode, Price, Tif, Timestamp,
};

use crate::{
    translate,
    venue::{Child, Command, Due, Seed},
};

/// Where a simulated account begins.
#[derive(Clone, Debug)]
pub struct Start {
    /// The venue's time.
    pub at: Timestamp,
    /// Position mode.
    pub mode: PositionMode,
    /// Whether several assets share margin; the shell refuses it.
    pub multi_assets: bool,
    /// Whether the account may trade, where stated.
    pub can_trade: Option<bool>,
    /// Whether the account may withdraw, where stated.
    pub can_withdraw: Option<bool>,
    /// Wallets, unrealised profit not included.
    pub wallets: Vec<(Asset, Decimal)>,
    /// Open legs.
    pub legs: Vec<StartLeg>,
    /// Orders that are live in the journal, oldest first.
    pub orders: Vec<OrderRecord>,
    /// The last known marks.
    pub marks: BTreeMap<InstrumentId, Price>,
    /// Whether these are the marks of now: orders can be filled around them.
    pub marks_are_current: bool,
}

/// A leg that is open at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartLeg {
    /// Which leg.
    pub key: PositionKey,
    /// How much is held.
    pub qty: Decimal,
    /// What it cost: the sum of price times quantity.
    pub cost: Decimal,
}

impl From<&Position> for StartLeg {
    /// What a venue states is an average: the cost is its entry price times the quantity.
    fn from(position: &Position) -> Self {
        Self {
            key: *position.key(),
            qty: position.qty().get(),
            cost: position.qty().get() * position.entry().get(),
        }
    }
}

impl Start {
    /// As an account stands. Its open orders are not taken over.
    pub fn of_account(account: &AccountSnapshot, positions: &[Position]) -> Self {
        Self {
            at: account.venue_time,
            mode: account.mode,
            multi_assets: account.multi_assets,
            can_trade: account.can_trade,
            can_withdraw: account.can_withdraw,
            wallets: account.balances.iter().map(|row| (row.asset, row.wallet.get())).collect(),
            legs: positions.iter().map(StartLeg::from).collect(),
            orders: Vec::new(),
            marks: marks_of(positions).collect(),
            marks_are_current: true,
        }
    }

    /// Where the book of an earlier simulation ends. What the account holds on instruments that the book does not know is
    /// the account's: nobody traded it.
    pub fn of_book(book: &Book, account: &AccountSnapshot, positions: &[Position]) -> Self {
        let leg = |leg: &hedge_core::LegState| StartLeg { key: leg.key, qty: leg.qty, cost: leg.cost };
        let known_marks = book.instruments().filter_map(|(ix, spec)| Some((spec.id, book.mark(ix)?.0)));
        let unknown = positions.iter().filter(|position| book.leg(position.key()).is_none());
        Self {
            at: account.venue_time,
            mode: PositionMode::Hedge,
            multi_assets: account.multi_assets,
            can_trade: account.can_trade,
            can_withdraw: account.can_withdraw,
            wallets: book.wallets().collect(),
            legs: book.open_legs().map(leg).chain(unknown.map(StartLeg::from)).collect(),
            orders: book.live_orders().cloned().collect(),
            marks: marks_of(positions).chain(known_marks).collect(),
            marks_are_current: false,
        }
    }
}

fn marks_of(positions: &[Position]) -> impl Iterator<Item = (InstrumentId, Price)> {
    positions.iter().filter_map(|position| Some((position.key().instrument, position.mark()?)))
}

/// What of an order of the journal is at the venue, as a seed; `None` for one of which nothing ever came back: it never
/// got there. `price` is what a promised execution is made at, where the order has no limit.
///
/// The journal is the truth. What the exchange had told and the journal had taken in is so again; what it had not told is
/// undone with the process that simulated it, and asked-for questions about it are answered accordingly.
pub(super) fn seed_of(order: &OrderRecord, price: Option<Price>, now: Timestamp) -> Option<Seed> {
    let never_arrived =
        matches!(order.state, OrderState::Journalled | OrderState::InFlight | OrderState::Unknown);
    if never_arrived || order.state.is_terminal() {
        return None;
    }
    let missing = order.reported_filled - order.filled;
    let limit = match order.leg {
        Leg::Open(Entry::Limit { price, .. }) | Leg::Close(Exit::Limit { price, .. }, _) => Some(price),
        Leg::Open(Entry::Market) | Leg::Close(..) => None,
    };
    let due = limit
        .or(price)
        .filter(|_| missing > Decimal::ZERO)
        .map(|price| Due { qty: missing, price: price.get() });
    let (filled, promised) = (order.filled, order.filled + due.map_or(Decimal::ZERO, |due| due.qty));
    match (translate::place_as(&order.client_id, &order.position, &order.leg, order.qty), order.venue?) {
        (Command::Place(new), OrderRef::Plain(id)) => {
            let rests = may_rest(&order.leg, now) && order.ending.is_none();
            Some(Seed::Order { id: id.0.unsigned_abs(), order: new, filled, due, rests })
        }
        (Command::PlaceAlgo(algo), OrderRef::Algo { id, child }) => {
            let waits = matches!(order.state, OrderState::Working | OrderState::Canceling)
                && child.is_none()
                && promised.is_zero()
                && order.ending.is_none();
            let fired = Child {
                id: child.map(|child| child.0.unsigned_abs()),
                qty: order.qty.get().max(promised),
                filled,
                due,
            };
            Some(Seed::Algo { id: id.0.unsigned_abs(), algo, child: (!waits).then_some(fired) })
        }
        _ => None,
    }
}

/// Whether an order of this kind stays in the book.
fn may_rest(leg: &Leg, now: Timestamp) -> bool {
    let tif = match leg {
        Leg::Open(Entry::Limit { tif, .. })
        | Leg::Close(Exit::Limit { tif, .. }, Coverage::Qty | Coverage::WholeLeg) => tif,
        Leg::Open(Entry::Market) | Leg::Close(..) => return false,
    };
    match tif {
        Tif::Gtc | Tif::PostOnly => true,
        Tif::Gtd { until } => *until > now,
        Tif::Ioc | Tif::Fok => false,
    }
}
