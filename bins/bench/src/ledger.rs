//! Whether ten million rows stay usable: how fast they come in, how fast the last day is asked, how large the file is.

use std::{fs, path::Path, time::Instant};

use hedge_core::{
    AccountEvent, Amount, Asset, BoxError, Decimal, Decision, Entry, Envelope, Event, Fact, Fill, GateCheck,
    InstrumentId, Leg, OrderIds, OrderPurpose, OrderRef, OrderSide, PositionKey, Price, Qty, ReportedId,
    ReportedSide, ReportedState, RunId, Seq, SignedAmount, StrategyId, Term, Tif, Timestamp, TradeId,
    VenueOrderId, Verdict,
};
use hedge_store::sqlite::{Ledger, LedgerError, LedgerReader, SqliteOptions};

use crate::figure::{ours, print};

/// Records of one transaction, as the executor's follower takes them.
const BATCH: usize = 4_096;
/// How far the instants of the whole ledger reach. Units: days.
const DAYS: i64 = 365;
const DAY_NS: i64 = 86_400_000_000_000;
/// 2025-01-01.
const START_NS: i64 = 1_735_689_600_000_000_000;
/// Rules that answer about an opening, as in the shipped limits.
const RULES: [&str; 8] = [
    "leg_owner",
    "posture",
    "stop_required",
    "max_positions",
    "order_notional",
    "total_notional",
    "daily_loss_pct",
    "drawdown_pct",
];
/// Rows of one trade: a decision and its checks, the order's decision, the order, a fill.
const ROWS_PER_TRADE: u64 = 1 + RULES.len() as u64 + 1 + 1 + 1;
/// Records of one trade: assessed, approved, acknowledged, filled.
const RECORDS_PER_TRADE: u64 = 4;

/// Fills a ledger in a folder of its own in `dir` and asks it.
pub(crate) fn run(dir: &Path, rows: u64) -> Result<(), String> {
    let dir = dir.join(format!("hedge-bench-ledger-{}", std::process::id()));
    let measured = measure(&dir, rows).map_err(|error| error.to_string());
    fs::remove_dir_all(&dir).ok();
    measured
}

fn measure(dir: &Path, rows: u64) -> Result<(), BoxError> {
    let file = dir.join("ledger.sqlite");
    let trades = rows.div_ceil(ROWS_PER_TRADE).max(1);
    let mut ledger = Ledger::open(&file, SqliteOptions::default())?;
    let maker = Maker::new(trades)?;
    let (mut batch, mut nanos) = (Vec::with_capacity(BATCH), 0_u128);
    for trade in 0..trades {
        maker.trade(trade, &mut batch)?;
        if batch.len() + RECORDS_PER_TRADE as usize > BATCH || trade + 1 == trades {
            let started = Instant::now();
            ledger.append(&batch)?;
            nanos += started.elapsed().as_nanos();
            batch.clear();
        }
    }
    let started = Instant::now();
    drop(ledger);
    let close_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let reader = LedgerReader::open(&file)?;
    let count: u64 = reader.summary()?.rows.iter().map(|(_, rows)| rows).sum();
    let n = usize::try_from(count)?;
    let show = |metric: &str, value: f64, unit: &str| print("LEDGER", ours(), metric, value, unit, n, &[]);
    show("insert", count as f64 / (nanos as f64 / 1e9), "rows/s");
    show("size", fs::metadata(&file)?.len() as f64 / 1e6, "MB");
    show("close", close_ms, "ms");
    let last_day = START_NS + (DAYS - 1) * DAY_NS;
    let questions = [
        ("last_day_fills", format!("SELECT * FROM fills WHERE venue_ns >= {last_day}")),
        ("last_day_orders", format!("SELECT * FROM orders WHERE at_ns >= {last_day}")),
        (
            "last_day_checks",
            format!("SELECT c.* FROM decisions d JOIN gate_checks c USING (seq) WHERE d.at_ns >= {last_day}"),
        ),
        (
            "last_day_fees",
            format!(
                "SELECT symbol, decimal_sum(fee) FROM fills WHERE venue_ns >= {last_day} GROUP BY symbol"
            ),
        ),
    ];
    for (metric, sql) in questions {
        // The second time; the first one finds the pages on the disk.
        let mut took = 0.0;
        for _ in 0..2 {
            let started = Instant::now();
            let mut found = 0_u64;
            reader.query::<LedgerError>(&sql, |_| {
                found += 1;
                Ok(())
            })?;
            took = started.elapsed().as_secs_f64() * 1_000.0;
            if found == 0 {
                return Err(format!("{metric} found nothing").into());
            }
        }
        show(metric, took, "ms");
    }
    Ok(())
}

/// Makes records that look like a year's trading.
struct Maker {
    position: PositionKey,
    ids: OrderIds,
    strategy: StrategyId,
    step_ns: i64,
    price: Price,
    qty: Qty,
    fee: SignedAmount,
}

impl Maker {
    fn new(trades: u64) -> Result<Self, BoxError> {
        Ok(Self {
            position: PositionKey::long(InstrumentId::binance("BTCUSDT")?),
            ids: OrderIds::new(RunId(START_NS / 1_000_000_000), Term(1)),
            strategy: StrategyId::parse("momentum_btc")?,
            step_ns: DAYS * DAY_NS / i64::try_from(trades)?,
            price: Price::new(Decimal::new(1_034_567, 1))?,
            qty: Qty::new(Decimal::new(12, 3))?,
            fee: SignedAmount::new(Decimal::new(4_965, 4))?,
        })
    }

    fn trade(&self, trade: u64, out: &mut Vec<Envelope>) -> Result<(), BoxError> {
        let first = trade * RECORDS_PER_TRADE;
        let at = Timestamp::from_ns(START_NS + self.step_ns * i64::try_from(trade)?);
        let number = VenueOrderId(4_000_000_000 + i64::try_from(trade)?);
        let client_id = self.ids.derive(Seq(first + 1), OrderPurpose::Entry);
        let checks =
            RULES.iter().map(|rule| GateCheck::at_most(rule, Decimal::new(1_234, 2), Decimal::from(100)));
        let events = [
            Event::Decision(Decision::Assessed {
                position: self.position,
                checks: checks.collect(),
                verdict: Verdict::Approve,
            }),
            Event::Decision(Decision::OrderApproved {
                client_id,
                strategy: Some(self.strategy),
                position: self.position,
                leg: Leg::Open(Entry::Limit { price: self.price, tif: Tif::Ioc }),
                qty: self.qty,
                purpose: OrderPurpose::Entry,
                protection: None,
            }),
            Event::Fact(Fact::SubmitAcked {
                order: client_id,
                venue: OrderRef::Plain(number),
                state: ReportedState::Filled,
                filled: self.qty.get(),
            }),
            Event::Fact(Fact::Account {
                event: Box::new(AccountEvent::Fill {
                    fill: Fill {
                        instrument: self.position.instrument,
                        trade_id: TradeId(i64::try_from(trade)?),
                        order: number,
                        client_id: Some(ReportedId::Ours(client_id)),
                        side: ReportedSide::Long,
                        order_side: OrderSide::Buy,
                        qty: self.qty,
                        price: self.price,
                        fee: Amount { asset: Asset::usdt(), value: self.fee },
                        realized: None,
                        maker: false,
                        venue_time: at,
                    },
                }),
            }),
        ];
        for (n, event) in events.into_iter().enumerate() {
            let seq = Seq(first + n as u64);
            out.push(Envelope { seq, at, cause: seq.0.checked_sub(1).map(Seq), event });
        }
        Ok(())
    }
}
