//! One function a table: what goes into which column.

use std::borrow::Cow;

use hedge_core::{
    Action, Book, CashFlow, CashFlowKind, CheckVerdict, Decimal, Entry, Envelope, Exit, Fill, GateChecks,
    InstrumentId, Leg, LegState, OperatorCommand, OrderPurpose, OrderRecord, OrderRef, OrderState,
    PositionSide, Posture, Price, ReportedId, ReportedSide, RunStarted, Seq, StrategyId, Timestamp,
};
use rusqlite::{
    Connection, ToSql, params,
    types::{ToSqlOutput, Value},
};

/// A decimal as text: exact, and the same in every tool.
pub(super) struct Exact(pub(super) Decimal);

impl ToSql for Exact {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(self.0.to_string())))
    }
}

/// Where in the journal a row comes from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) seq: i64,
    pub(super) at_ns: i64,
    pub(super) cause: Option<i64>,
}

impl Origin {
    pub(super) fn of(envelope: &Envelope) -> Self {
        Self { seq: whole(envelope.seq), at_ns: envelope.at.ns(), cause: envelope.cause.map(whole) }
    }
}

/// Journals end long before this does.
pub(super) fn whole(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

pub(super) fn run(conn: &Connection, origin: Origin, started: &RunStarted) -> rusqlite::Result<()> {
    let sql = "INSERT INTO runs (seq, at_ns, run, term, profile, code_version, config_hash)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    conn.prepare_cached(sql)?.execute(params![
        origin.seq,
        origin.at_ns,
        started.run.to_string(),
        started.term.0,
        started.profile,
        started.code_version,
        started.config_hash,
    ])?;
    Ok(())
}

pub(super) fn operator(
    conn: &Connection,
    origin: Origin,
    command: OperatorCommand,
    because: &str,
) -> rusqlite::Result<()> {
    let word = word(&command);
    conn.prepare_cached(
        "INSERT INTO operator_orders (seq, at_ns, command, because) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![origin.seq, origin.at_ns, word, because])?;
    Ok(())
}

/// Puts the order as the book knows it now. What led to it is known when it is decided and stays.
pub(super) fn order(conn: &Connection, origin: Origin, order: &OrderRecord) -> rusqlite::Result<()> {
    let sql = "INSERT INTO orders (client_id, seq, cause, at_ns, strategy, venue, symbol, side, action, order_side,
                   kind, price, trigger, qty, purpose, state, filled, venue_order, child_order, refusal, updated_seq,
                   updated_ns)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                   ?22)
               ON CONFLICT (client_id) DO UPDATE SET qty = excluded.qty, state = excluded.state,
                   filled = excluded.filled, venue_order = excluded.venue_order, child_order = excluded.child_order,
                   refusal = excluded.refusal, updated_seq = excluded.updated_seq, updated_ns = excluded.updated_ns";
    let (kind, price, trigger) = terms(&order.leg);
    let (venue_order, child) = match order.venue {
        Some(OrderRef::Plain(id)) => (Some(id.0), None),
        Some(OrderRef::Algo { id, child }) => (Some(id.0), child.map(|child| child.0)),
        Some(OrderRef::Client { .. }) | None => (None, None),
    };
    let action = order.leg.action();
    let key = &order.position;
    let is_new = whole(order.seq) == origin.seq;
    conn.prepare_cached(sql)?.execute(params![
        order.client_id.as_str(),
        whole(order.seq),
        origin.cause.filter(|_| is_new),
        order.decided_at.ns(),
        order.strategy.as_ref().map(StrategyId::as_str),
        key.instrument.venue.as_str(),
        key.instrument.symbol.as_str(),
        key.side.as_str(),
        match action {
            Action::Open => "open",
            Action::Close => "close",
        },
        key.side.order_side(action).as_str(),
        kind,
        price.map(|price| Exact(price.get())),
        trigger.map(|price| Exact(price.get())),
        Exact(order.qty.get()),
        purpose(order.purpose),
        state(order.state),
        Exact(order.filled),
        venue_order,
        child,
        order.refusal,
        origin.seq,
        origin.at_ns,
    ])?;
    Ok(())
}

fn terms(leg: &Leg) -> (&'static str, Option<Price>, Option<Price>) {
    match leg {
        Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => ("market", None, None),
        Leg::Open(Entry::Limit { price, .. }) | Leg::Close(Exit::Limit { price, .. }, _) => {
            ("limit", Some(*price), None)
        }
        Leg::Close(Exit::StopMarket { trigger, .. }, _) => ("stop_market", None, Some(*trigger)),
        Leg::Close(Exit::TakeProfitMarket { trigger, .. }, _) => ("take_profit_market", None, Some(*trigger)),
        Leg::Close(Exit::TrailingStop { activate, .. }, _) => ("trailing_stop", None, *activate),
    }
}

/// An execution is one row however often it is told.
pub(super) fn fill(conn: &Connection, origin: Origin, fill: &Fill) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO fills (venue, symbol, trade_id, seq, at_ns, venue_ns, client_id, venue_order, side,
                   order_side, qty, price, fee, fee_asset, realized, maker)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    conn.prepare_cached(sql)?.execute(params![
        fill.instrument.venue.as_str(),
        fill.instrument.symbol.as_str(),
        fill.trade_id.0,
        origin.seq,
        origin.at_ns,
        fill.venue_time.ns(),
        fill.client_id.as_ref().map(ReportedId::as_str),
        fill.order.0,
        reported(fill.side),
        fill.order_side.as_str(),
        Exact(fill.qty.get()),
        Exact(fill.price.get()),
        Exact(fill.fee.value.get()),
        fill.fee.asset.as_str(),
        fill.realized.map(|realized| Exact(realized.get())),
        fill.maker,
    ])?;
    Ok(())
}

/// A flow is one row however often it is told.
pub(super) fn flow(conn: &Connection, origin: Origin, flow: &CashFlow) -> rusqlite::Result<()> {
    let sql =
        "INSERT OR IGNORE INTO cash_flows (id, seq, at_ns, venue_ns, kind, asset, amount, venue, symbol)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let kind = match &flow.kind {
        CashFlowKind::Funding => "funding",
        CashFlowKind::Transfer => "transfer",
        CashFlowKind::Fee => "fee",
        CashFlowKind::RealizedPnl => "realized_pnl",
        CashFlowKind::Other(word) => word,
    };
    conn.prepare_cached(sql)?.execute(params![
        flow.id,
        origin.seq,
        origin.at_ns,
        flow.venue_time.ns(),
        kind,
        flow.amount.asset.as_str(),
        Exact(flow.amount.value.get()),
        flow.instrument.map(|instrument| instrument.venue.as_str()),
        flow.instrument.as_ref().map(|instrument| instrument.symbol.as_str()),
    ])?;
    Ok(())
}

/// A leg that has another size now: one row of history, and the row of what is held.
pub(super) fn leg(conn: &Connection, origin: Origin, leg: &LegState) -> rusqlite::Result<()> {
    const COLUMNS: &str = "(venue, symbol, side, seq, at_ns, qty, entry, realized, fees, funding)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let (venue, symbol) = (leg.key.instrument.venue.as_str(), leg.key.instrument.symbol);
    let values = params![
        venue,
        symbol.as_str(),
        leg.key.side.as_str(),
        origin.seq,
        origin.at_ns,
        Exact(leg.qty),
        leg.entry().map(|entry| Exact(entry.get())),
        Exact(leg.realized),
        Exact(leg.fees),
        Exact(leg.funding),
    ];
    conn.prepare_cached(&format!("INSERT INTO position_changes {COLUMNS}"))?.execute(values)?;
    if leg.qty.is_zero() {
        conn.prepare_cached("DELETE FROM positions WHERE venue = ?1 AND symbol = ?2 AND side = ?3")?
            .execute(params![venue, symbol.as_str(), leg.key.side.as_str()])?;
    } else {
        conn.prepare_cached(&format!("INSERT OR REPLACE INTO positions {COLUMNS}"))?.execute(values)?;
    }
    Ok(())
}

pub(super) fn nav(conn: &Connection, origin: Origin, book: &Book) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO nav (at_ns, seq, equity, wallet, unrealized, realized, fees, funding, transfers,
                   corrections, posture)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let (totals, wallet, unrealized) =
        (book.totals(), book.wallet(&hedge_core::Asset::usdt()), book.unrealized());
    conn.prepare_cached(sql)?.execute(params![
        origin.at_ns,
        origin.seq,
        Exact(wallet + unrealized),
        Exact(wallet),
        Exact(unrealized),
        Exact(totals.realized),
        Exact(totals.fees),
        Exact(totals.funding),
        Exact(totals.transfers),
        Exact(totals.corrections),
        posture(book.posture()),
    ])?;
    Ok(())
}

/// The columns of a decision that only some kinds fill.
#[derive(Default)]
pub(super) struct About<'a> {
    pub(super) strategy: Option<&'a StrategyId>,
    pub(super) instrument: Option<&'a InstrumentId>,
    pub(super) side: Option<PositionSide>,
    pub(super) client_id: Option<&'a str>,
    pub(super) outcome: Option<Cow<'a, str>>,
    pub(super) rule: Option<&'a str>,
    pub(super) qty: Option<Decimal>,
    pub(super) because: Option<Cow<'a, str>>,
    pub(super) detail: Option<String>,
}

pub(super) fn decision(
    conn: &Connection,
    origin: Origin,
    kind: &'static str,
    about: &About<'_>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO decisions (seq, at_ns, cause, kind, strategy, venue, symbol, side, client_id, outcome, rule,
                   qty, because, detail)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    conn.prepare_cached(sql)?.execute(params![
        origin.seq,
        origin.at_ns,
        origin.cause,
        kind,
        about.strategy.map(StrategyId::as_str),
        about.instrument.map(|instrument| instrument.venue.as_str()),
        about.instrument.map(|instrument| instrument.symbol.as_str()),
        about.side.map(PositionSide::as_str),
        about.client_id,
        about.outcome.as_deref(),
        about.rule,
        about.qty.map(Exact),
        about.because.as_deref(),
        about.detail,
    ])?;
    Ok(())
}

/// One row for each rule, in the order in which they answered.
pub(super) fn checks(conn: &Connection, origin: Origin, checks: &GateChecks) -> rusqlite::Result<()> {
    let sql = "INSERT INTO gate_checks (seq, n, rule, value, bound, distance, verdict, note)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = conn.prepare_cached(sql)?;
    for (n, check) in checks.iter().enumerate() {
        insert.execute(params![
            origin.seq,
            n as i64,
            check.rule.as_ref(),
            Exact(check.value),
            Exact(check.limit),
            Exact(check.distance),
            match check.verdict {
                CheckVerdict::Pass => "pass",
                CheckVerdict::Shrink => "shrink",
                CheckVerdict::Refuse => "refuse",
            },
            check.note.as_deref(),
        ])?;
    }
    Ok(())
}

/// Where a record of that instant stands among minutes.
pub(super) const fn minute(at: Timestamp) -> i64 {
    at.ms().div_euclid(60_000)
}

/// How a value without fields is written in the journal.
pub(super) fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

const fn reported(side: ReportedSide) -> &'static str {
    match side {
        ReportedSide::Long => "LONG",
        ReportedSide::Short => "SHORT",
        ReportedSide::Both => "BOTH",
    }
}

const fn purpose(purpose: OrderPurpose) -> &'static str {
    match purpose {
        OrderPurpose::Entry => "entry",
        OrderPurpose::Stop => "stop",
        OrderPurpose::TakeProfit => "take_profit",
        OrderPurpose::Close => "close",
    }
}

pub(super) const fn posture(posture: Posture) -> &'static str {
    match posture {
        Posture::Normal => "normal",
        Posture::ExitOnly => "exit_only",
        Posture::Halted => "halted",
    }
}

const fn state(state: OrderState) -> &'static str {
    match state {
        OrderState::Journalled => "journalled",
        OrderState::InFlight => "in_flight",
        OrderState::Unknown => "unknown",
        OrderState::Working => "working",
        OrderState::PartiallyFilled => "partially_filled",
        OrderState::Canceling => "canceling",
        OrderState::Triggered => "triggered",
        OrderState::Filled => "filled",
        OrderState::Canceled => "canceled",
        OrderState::Expired => "expired",
        OrderState::Rejected => "rejected",
        OrderState::Dropped => "dropped",
    }
}
