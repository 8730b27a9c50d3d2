//! What an account did at a simulated exchange, as lines that can be compared: without ids.

use std::collections::BTreeMap;

use hedge_core::{Book, Decision, Envelope, Event, GateCheck, OrderState};
use hedge_sim::venue::{AccountId, IncomeType, Venue, Window};
use rust_decimal::Decimal;

/// Everything that one account did, in order, without ids.
#[derive(Debug, Default, PartialEq)]
pub struct Picture {
    /// Plain orders of all symbols in the order in which the exchange numbered them.
    pub plain: Vec<String>,
    /// Algo orders of all symbols, in theirs.
    pub algos: Vec<String>,
    /// Executions, symbol by symbol.
    pub fills: Vec<String>,
    /// The ledger: fees, realised profit, funding.
    pub income: Vec<String>,
    /// Sum of the ledger by kind.
    pub sums: BTreeMap<String, Decimal>,
    /// Open legs at the end.
    pub legs: Vec<String>,
    /// Wallet at the end.
    pub wallet: Decimal,
    /// What the account is worth at the end.
    pub worth: Decimal,
    /// Plain and algo orders by client id.
    pub by_client: BTreeMap<String, String>,
}

fn n(value: Decimal) -> String {
    value.normalize().to_string()
}

impl Picture {
    pub fn of(venue: &Venue, account: AccountId, symbols: &[String]) -> Self {
        let mut picture = Self::default();
        for order in venue.all_orders(account, None, Window::default()).unwrap() {
            let line = format!(
                "{} {:?} {:?} {:?} ({:?}) {:?} qty {} price {} trigger {} filled {} at {} close-all {}: {:?}, {} to {}",
                order.symbol,
                order.position_side,
                order.side,
                order.order_type,
                order.orig_type,
                order.tif,
                n(order.orig_qty),
                n(order.price),
                n(order.stop_price),
                n(order.executed_qty),
                n(order.avg_price),
                order.close_position,
                order.status,
                order.time_ms,
                order.update_ms,
            );
            if order.algo_id.is_none() {
                let before = picture.by_client.insert(order.client_order_id.clone(), line.clone());
                assert_eq!(before, None, "{} is there twice", order.client_order_id);
            }
            picture.plain.push(line);
        }
        let mut algos: Vec<_> = symbols
            .iter()
            .flat_map(|symbol| venue.all_algos(account, symbol, Window::default()).unwrap())
            .collect();
        algos.sort_by_key(|algo| algo.algo_id);
        for algo in algos {
            let line = format!(
                "{} {:?} {:?} {:?} {:?} qty {} price {} trigger {} by {:?} close-all {} filled {} at {}: {:?} {:?}, {} to {}",
                algo.symbol,
                algo.position_side,
                algo.side,
                algo.order_type,
                algo.tif,
                n(algo.qty),
                n(algo.price),
                n(algo.trigger_price),
                algo.working_type,
                algo.close_position,
                n(algo.actual_qty),
                n(algo.actual_price),
                algo.status,
                algo.reject_reason,
                algo.create_ms,
                algo.update_ms,
            );
            let before = picture.by_client.insert(algo.client_algo_id.clone(), line.clone());
            assert_eq!(before, None, "{} is there twice", algo.client_algo_id);
            picture.algos.push(line);
        }
        for symbol in symbols {
            for trade in venue.user_trades(account, symbol, None, Window::default()).unwrap() {
                picture.fills.push(format!(
                    "{} {:?} {:?} {} at {} fee {} {} profit {} maker {} at {}",
                    trade.symbol,
                    trade.position_side,
                    trade.side,
                    n(trade.qty),
                    n(trade.price),
                    n(trade.commission),
                    trade.commission_asset,
                    n(trade.realized_pnl),
                    trade.maker,
                    trade.time_ms
                ));
            }
        }
        for row in venue.income(account, None, None, Window::default()).unwrap() {
            // The wallet at the start is booked before or after the history; it is compared by its sum.
            if row.income_type != IncomeType::Transfer {
                let (kind, sum) = (row.income_type, n(row.income));
                picture
                    .income
                    .push(format!("{} {kind:?} {sum} {} at {}", row.symbol, row.asset, row.time_ms));
            }
            *picture.sums.entry(format!("{:?}", row.income_type)).or_default() += row.income;
        }
        for leg in venue.positions(account, None).unwrap().iter().filter(|leg| !leg.qty.is_zero()) {
            picture.legs.push(format!(
                "{} {:?} {} entry {} mark {} profit {}",
                leg.symbol,
                leg.position_side,
                n(leg.qty),
                n(leg.entry_price),
                n(leg.mark_price),
                n(leg.unrealized_pnl)
            ));
        }
        let usdt = venue.assets(account).unwrap().into_iter().find(|row| row.asset == "USDT").unwrap();
        picture.wallet = usdt.wallet_balance.normalize();
        picture.worth = usdt.margin_balance.normalize();
        picture
    }
    /// All orders of both id spaces in the order in which a journal approved them, and the cancels between them: as
    /// approved, as the book has them at the end, and as the exchange has them.
    pub fn in_order_of(&self, records: &[Envelope], book: &Book) -> Vec<String> {
        let mut numbers = BTreeMap::new();
        let mut lines = Vec::new();
        for record in records {
            match &record.event {
                Event::Decision(Decision::OrderApproved {
                    client_id,
                    strategy,
                    position,
                    leg,
                    qty,
                    purpose,
                    ..
                }) => {
                    let number = numbers.len();
                    assert_eq!(numbers.insert(*client_id, number), None, "{client_id} was approved twice");
                    let order = book.order(client_id).unwrap();
                    let there = self.by_client.get(client_id.as_str());
                    // The exchange forgets what ended unfilled after three days, as the real one does.
                    let forgotten =
                        order.venue.is_some() && order.filled.is_zero() && order.state.is_terminal();
                    let refused = order.state == OrderState::Rejected && order.refusal.is_some();
                    assert!(there.is_some() || forgotten || refused, "the exchange never had {order:?}");
                    lines.push(format!(
                        "{} order {number} of {}: {purpose:?} {position} {leg:?} {qty}, {:?} filled {}; there: {}",
                        record.at,
                        strategy.map_or_else(|| "the engine".to_owned(), |name| name.to_string()),
                        order.state,
                        n(order.filled),
                        there.map_or("no longer there", String::as_str)
                    ));
                }
                Event::Decision(Decision::CancelRequested { order, because }) => {
                    lines.push(format!("{} cancel of order {}: {because}", record.at, numbers[order]));
                }
                _ => {}
            }
        }
        lines
    }
}

/// What strategies saw and wanted and what the gate said, bar by bar.
pub fn thoughts(records: &[Envelope]) -> Vec<String> {
    let thought = |record: &Envelope| match &record.event {
        Event::Decision(decision @ (Decision::Screened { .. } | Decision::Intended { .. })) => {
            Some(format!("{} {}", record.at, serde_json::to_string(decision).unwrap()))
        }
        Event::Decision(Decision::Assessed { position, checks, verdict }) => {
            let rule = |check: &GateCheck| match &*check.rule {
                // The run of a backtest begins with its history, a real one after it.
                "warmup_s" => format!("{} {:?}", check.rule, check.verdict),
                rule => format!("{rule} {} {:?}", check.value.normalize(), check.verdict),
            };
            let checks: Vec<String> = checks.iter().map(|check| rule(&check)).collect();
            Some(format!("{} {position}: {verdict:?}, {}", record.at, checks.join(", ")))
        }
        _ => None,
    };
    records.iter().filter_map(thought).collect()
}

/// Stops at the first line that differs, with what stood before it.
pub fn same(what: &str, embedded: &[String], backtest: &[String]) {
    let differs = (0..embedded.len().max(backtest.len())).find(|&at| embedded.get(at) != backtest.get(at));
    if let Some(at) = differs {
        let before = &embedded[at.saturating_sub(4)..at];
        panic!(
            "{what} {at} differs after\n  {}\nembedded: {:?}\nbacktest: {:?}\n({} and {} in all)",
            before.join("\n  "),
            embedded.get(at),
            backtest.get(at),
            embedded.len(),
            backtest.len()
        );
    }
}
