//! Money is conserved to the last digit, and the journal is the state.

use hedge_core::*;
use proptest::{prelude::*, strategy::Strategy as Generate};

use crate::rig::*;

/// The journal's text, read back and folded into an empty book.
fn folded(journal: &[Envelope]) -> Book {
    let mut book = Book::default();
    let mut changes = Vec::new();
    for envelope in journal {
        let text = serde_json::to_string(envelope).unwrap();
        let read: Envelope = serde_json::from_str(&text).unwrap();
        assert_eq!(&read, envelope, "{text}");
        book.apply(&read, &mut changes);
    }
    book
}

fn the_journal_is_the_state(rig: &Rig) {
    let text = |book: &Book| serde_json::to_string(book).unwrap();
    let fold = folded(&rig.journal);
    same_text(&text(&fold), &text(rig.book()));
    assert!(fold == *rig.book());
    let read: Book = serde_json::from_str(&text(rig.book())).unwrap();
    same_text(&text(&read), &text(rig.book()));
    assert!(read == *rig.book());
    kept_figures_are_true(&read);
    assert_eq!(read.equity(), rig.book().equity());
}

/// Books are long: only the first difference is shown.
fn same_text(a: &str, b: &str) {
    if let Some(i) = a.bytes().zip(b.bytes()).position(|(a, b)| a != b) {
        let shown = |text: &str| text.get(i.saturating_sub(80)..(i + 40).min(text.len())).map(str::to_owned);
        panic!("the texts part:\n{:?}\n{:?}", shown(a), shown(b));
    }
    assert_eq!(a.len(), b.len());
}

#[derive(Clone, Debug)]
enum Act {
    Open { short: bool, milli_qty: u32, cents: u32, pieces: u8, fee: u32, in_bnb: bool },
    Close { short: bool, percent: u32, cents: u32, stated: bool, fee: u32 },
    Mark { cents: u32 },
    Funding { amount: i32, again: bool },
    Transfer { amount: i32 },
    Other { amount: i32 },
    Repeat,
    Reconcile,
    Restart,
}

fn acts() -> impl Generate<Value = Act> {
    let cents = 9_600_u32..10_400;
    prop_oneof![
        4 => (any::<bool>(), 51_u32..5_000, cents.clone(), 1_u8..4, 0_u32..500, any::<bool>()).prop_map(
            |(short, milli_qty, cents, pieces, fee, in_bnb)| Act::Open { short, milli_qty, cents, pieces, fee, in_bnb }
        ),
        4 => (any::<bool>(), 1_u32..101, cents.clone(), any::<bool>(), 0_u32..500)
            .prop_map(|(short, percent, cents, stated, fee)| Act::Close { short, percent, cents, stated, fee }),
        3 => cents.prop_map(|cents| Act::Mark { cents }),
        1 => (-10_000_i32..10_000, any::<bool>()).prop_map(|(amount, again)| Act::Funding { amount, again }),
        1 => (-10_000_i32..10_000).prop_map(|amount| Act::Transfer { amount }),
        1 => (-100_i32..100).prop_map(|amount| Act::Other { amount }),
        1 => Just(Act::Repeat),
        1 => Just(Act::Reconcile),
        1 => Just(Act::Restart),
    ]
}

/// What a leg must hold, kept independently: bought and sold notional, and what was realised.
#[derive(Clone, Debug, Default)]
struct Ledger {
    qty: Decimal,
    opened: Decimal,
    closed: Decimal,
    realized: Decimal,
    all_derived: bool,
}

struct World {
    rig: Rig,
    legs: [Ledger; 2],
    usdt: Decimal,
    flows: u32,
    last_fill: Option<Fill>,
}

impl World {
    fn new() -> Self {
        let fresh = || Ledger { all_derived: true, ..Ledger::default() };
        Self { rig: Rig::new(), legs: [fresh(), fresh()], usdt: d("10000"), flows: 0, last_fill: None }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Open { short: is_short, milli_qty, cents, pieces, fee, in_bnb } => {
                let key = if is_short { short() } else { long() };
                let stop = if is_short { "150" } else { "50" };
                let qty = Decimal::new(i64::from(milli_qty), 3);
                let wanted = Intent::open(key, Size::Qty(Qty::new(qty).unwrap()), px(stop), "test");
                let outcomes = self.rig.want(wanted);
                let Some(entry) = outcomes.submits().first().cloned() else { return };
                self.rig.ack(&entry);
                let mut left = entry.qty;
                for piece in (1..=pieces).rev() {
                    let step = d("0.001");
                    let part = ((left / Decimal::from(piece)) / step).trunc() * step;
                    let part = if piece == 1 { left } else { part };
                    if part.is_zero() {
                        continue;
                    }
                    left -= part;
                    let price = Decimal::new(i64::from(cents) + i64::from(piece) * 7, 2);
                    let mut fill = self.rig.fill_of(&entry, &part.to_string(), &price.to_string());
                    let asset = if in_bnb { Asset::parse("BNB").unwrap() } else { Asset::usdt() };
                    fill.fee = Amount::new(asset, Decimal::new(i64::from(fee), 8));
                    self.usdt -= if in_bnb { Decimal::ZERO } else { fill.fee.value.get() };
                    let ledger = &mut self.legs[usize::from(is_short)];
                    ledger.qty += part;
                    ledger.opened += part * price;
                    self.take(fill);
                }
            }
            Act::Close { short: is_short, percent, cents, stated, fee } => {
                let key = if is_short { short() } else { long() };
                let portion = Portion::Fraction(Ratio::new(Decimal::new(i64::from(percent), 2)).unwrap());
                let outcomes = self.rig.want(Intent::Close {
                    position: key,
                    portion,
                    exit: Exit::Market,
                    because: "test".into(),
                });
                for close in outcomes.submits() {
                    let price = Decimal::new(i64::from(cents), 2);
                    let mut fill = self.rig.fill_of(&close, &close.qty.to_string(), &price.to_string());
                    fill.fee = Amount::usdt(Decimal::new(i64::from(fee), 8));
                    self.usdt -= fill.fee.value.get();
                    let sign = Decimal::from(key.side.sign());
                    let leg = self.rig.leg(&key);
                    if stated {
                        // The venue's own average has eight places at most.
                        let entry = leg.entry().unwrap().get().round_dp(8);
                        let profit = ((price - entry) * close.qty * sign).round_dp(8);
                        fill.realized = Some(SignedAmount::from_decimal(profit));
                    }
                    let ledger = &mut self.legs[usize::from(is_short)];
                    ledger.all_derived &= !stated;
                    ledger.qty -= close.qty;
                    ledger.closed += close.qty * price;
                    let before = self.rig.leg(&key).realized;
                    let known = fill.realized;
                    self.take(fill);
                    let gained = self.rig.leg(&key).realized - before;
                    if let Some(stated) = known {
                        assert_eq!(gained, stated.get(), "the venue's word on profit is taken as it is");
                    }
                    self.legs[usize::from(is_short)].realized += gained;
                    self.usdt += gained;
                }
            }
            Act::Mark { cents } => {
                let price = Decimal::new(i64::from(cents), 2).round_dp(1);
                self.rig.mark(&price.to_string());
            }
            Act::Funding { amount, again } => {
                let value = Decimal::new(i64::from(amount), 8);
                self.flow(CashFlowKind::Funding, value, again);
            }
            Act::Transfer { amount } => {
                self.flow(CashFlowKind::Transfer, Decimal::new(i64::from(amount), 2), false);
            }
            Act::Other { amount } => {
                self.flow(CashFlowKind::Other("REBATE".to_owned()), Decimal::new(i64::from(amount), 6), true);
            }
            Act::Repeat => {
                if let Some(fill) = self.last_fill.clone() {
                    self.rig.account(AccountEvent::Fill { fill });
                }
            }
            Act::Reconcile | Act::Restart => {
                if matches!(act, Act::Restart) {
                    self.rig.restart();
                }
                let live: Vec<Sent> = self.confirmed();
                let found = self.rig.agreeing_snapshot(&live.iter().collect::<Vec<_>>());
                let outcomes = self.rig.snapshot(found);
                assert_eq!(outcomes.corrections(), 0);
            }
        }
    }

    fn confirmed(&self) -> Vec<Sent> {
        self.rig
            .book()
            .live_orders()
            .map(|order| Sent {
                id: order.client_id,
                position: order.position,
                leg: order.leg,
                qty: order.qty.get(),
                purpose: order.purpose,
                side: order.position.side.order_side(order.leg.action()),
                valid_until: None,
            })
            .collect()
    }

    /// The fill goes in, and whatever the engine sends for it is taken by the venue.
    fn take(&mut self, fill: Fill) {
        self.last_fill = Some(fill.clone());
        let outcomes = self.rig.account(AccountEvent::Fill { fill });
        for effect in outcomes.effects {
            match effect {
                Did::Submit(sent) => drop(self.rig.ack(&sent)),
                Did::Cancel(id, _) => {
                    let gone = self.confirmed().into_iter().find(|sent| sent.id == id).unwrap();
                    self.rig.cancelled(&gone);
                }
                Did::Query(..) | Did::Snapshot(_) => panic!("{effect:?}"),
            }
        }
    }

    fn flow(&mut self, kind: CashFlowKind, value: Decimal, again: bool) {
        self.flows += 1;
        self.usdt += value;
        let flow = CashFlow {
            kind,
            amount: Amount::usdt(value),
            instrument: Some(btc()),
            venue_time: self.rig.now,
            id: format!("flow-{}", self.flows),
        };
        for _ in 0..=u8::from(again) {
            self.rig.account(AccountEvent::CashFlow { flow: flow.clone() });
        }
        // The income ledger repeats fees and profits of fills: they are in the book already.
        for kind in [CashFlowKind::Fee, CashFlowKind::RealizedPnl] {
            let id = format!("{kind:?}-{}", self.flows);
            let flow = CashFlow { kind, id, ..flow.clone() };
            self.rig.account(AccountEvent::CashFlow { flow });
        }
    }

    fn check(&self) {
        self.rig.identity_holds();
        assert_eq!(self.rig.book().wallet(&Asset::usdt()), self.usdt);
        for (ledger, key) in self.legs.iter().zip([long(), short()]) {
            let leg = self.rig.leg(&key);
            let sign = Decimal::from(key.side.sign());
            assert_eq!(leg.qty, ledger.qty);
            assert_eq!(leg.realized, ledger.realized);
            if ledger.all_derived {
                assert_eq!(leg.cost, ledger.opened - ledger.closed + ledger.realized * sign, "{key}");
            }
            if ledger.qty.is_zero() {
                assert_eq!(leg.cost, Decimal::ZERO);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_traded_on_both_legs_the_books_balance_and_fold_from_the_journal(
        acts in prop::collection::vec(acts(), 1..40)
    ) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
            world.check();
        }
        the_journal_is_the_state(&world.rig);
    }
}

#[test]
fn a_small_example_adds_up_by_hand() {
    let mut rig = Rig::new();
    let entry = rig.want(Intent::open(long(), Size::Qty(q("3")), px("90"), "test")).only();
    for (qty, price) in [("1", "100"), ("2", "100.1")] {
        let mut fill = rig.fill_of(&entry, qty, price);
        fill.fee = Amount::usdt(d("0.05"));
        rig.account(AccountEvent::Fill { fill });
    }
    let leg = rig.leg(&long());
    assert_eq!((leg.qty, leg.cost, leg.fees), (d("3"), d("300.2"), d("0.10")));
    rig.mark("101");
    assert_eq!(rig.book().unrealized(), d("2.8"));
    assert_eq!(rig.book().equity(), d("10002.70"));
    let close = rig
        .want(Intent::Close {
            position: long(),
            portion: Portion::Qty(q("1")),
            exit: Exit::Market,
            because: "test".into(),
        })
        .only();
    rig.fill(&close, "1", "102");
    // A third of 300.2 leaves the cost: 100.06666667.
    assert_eq!(rig.leg(&long()).realized, d("1.93333333"));
    assert_eq!(rig.leg(&long()).cost, d("200.13333333"));
    rig.identity_holds();
    let close = rig.want(Intent::close(long(), "test")).only();
    rig.fill(&close, "2", "102");
    assert_eq!(rig.leg(&long()).realized, d("5.8"), "3 × 102 − 300.2");
    assert_eq!(rig.book().equity(), d("10005.70"));
    rig.identity_holds();
    the_journal_is_the_state(&rig);
}

#[test]
fn a_short_leg_gains_when_the_price_falls() {
    let mut rig = Rig::new();
    rig.opened_on(short(), "105");
    rig.mark("97.5");
    assert_eq!(rig.leg(&short()).unrealized(px("97.5")), d("2.5"));
    let close = rig.want(Intent::close(short(), "test")).only();
    assert_eq!(close.side, OrderSide::Buy);
    rig.fill(&close, "1", "97");
    assert_eq!(rig.leg(&short()).realized, d("3"));
    rig.identity_holds();
}

#[test]
fn the_venue_s_stated_profit_reaches_the_wallet_unchanged() {
    let mut rig = Rig::new();
    let entry = rig.want(Intent::open(long(), Size::Qty(q("3")), px("90"), "test")).only();
    rig.fill(&entry, "1", "100");
    rig.fill(&entry, "2", "100.1");
    let close = rig.want(Intent::close(long(), "test")).only();
    let mut fill = rig.fill_of(&close, "3", "102");
    // From an average that the venue rounded to 100.06667.
    fill.realized = Some(SignedAmount::parse("5.79999").unwrap());
    rig.account(AccountEvent::Fill { fill });
    assert_eq!(rig.book().wallet(&Asset::usdt()), d("10005.79999"));
    rig.identity_holds();
}

#[test]
fn a_flow_counts_once_however_many_came_since() {
    let mut rig = Rig::new();
    let start = rig.now;
    let flow = |i: u64| CashFlow {
        kind: CashFlowKind::Funding,
        amount: Amount::usdt(d("-0.01")),
        instrument: None,
        venue_time: start.plus(ms(i)),
        id: format!("funding-{i}"),
    };
    for i in 0..3_000 {
        rig.account(AccountEvent::CashFlow { flow: flow(i) });
    }
    for i in [0, 1, 1_500, 2_999] {
        rig.account(AccountEvent::CashFlow { flow: flow(i) });
    }
    assert_eq!(rig.book().totals().funding, d("-30"));
    rig.identity_holds();
}

#[test]
fn a_correction_of_the_wallet_is_booked_as_one() {
    let mut rig = Rig::new();
    let mut found = rig.agreeing_snapshot(&[]);
    found.account.balances[0].wallet = SignedAmount::parse("10000.5").unwrap();
    rig.snapshot(found.clone());
    assert_eq!(rig.book().totals().corrections, d("0"));
    rig.snapshot(found);
    assert_eq!(rig.book().totals().corrections, d("0.5"));
    rig.identity_holds();
}

#[test]
fn a_leg_that_is_corrected_keeps_the_sums_right() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    rig.mark("103");
    let mut found = rig.agreeing_snapshot(&[&stop]);
    found.positions = vec![Position::new(long(), q("4"), px("99"))];
    rig.snapshot(found.clone());
    rig.snapshot(found);
    assert_eq!(rig.book().unrealized(), d("16"));
    rig.identity_holds();
    the_journal_is_the_state(&rig);
}

#[test]
fn fees_in_another_asset_leave_the_dollars_alone() {
    let mut rig = Rig::new();
    let entry = rig.open(long(), "95").only();
    let mut fill = rig.fill_of(&entry, "1", "100");
    fill.fee = Amount::new(Asset::parse("BNB").unwrap(), d("0.0001"));
    rig.account(AccountEvent::Fill { fill });
    assert_eq!(rig.book().wallet(&Asset::parse("BNB").unwrap()), d("-0.0001"));
    assert_eq!(rig.book().totals().fees, d("0"));
    assert_eq!(rig.book().equity(), d("10000"));
    rig.identity_holds();
}

#[test]
fn funding_is_attributed_to_the_larger_leg() {
    let mut rig = Rig::new();
    rig.opened();
    let flow = CashFlow {
        kind: CashFlowKind::Funding,
        amount: Amount::usdt(d("-0.25")),
        instrument: Some(btc()),
        venue_time: rig.now,
        id: "funding-1".to_owned(),
    };
    rig.account(AccountEvent::CashFlow { flow });
    assert_eq!((rig.leg(&long()).funding, rig.leg(&short()).funding), (d("-0.25"), d("0")));
    rig.identity_holds();
}

#[test]
fn a_journal_with_trouble_in_it_folds_to_the_same_state() {
    let mut rig = Rig::new();
    let (_, stop) = rig.opened();
    let refused =
        rig.want(Intent::Protect { position: long(), trigger: px("97"), because: "trail".into() }).only();
    let bridge = rig.reject(&refused, RejectReason::SecondCloseAll, -4130).only();
    rig.ack(&bridge);
    rig.cancelled(&stop);
    let entry = rig.open(short(), "105").only();
    rig.time_out(&entry);
    rig.run_for(ms(3_000));
    let fill = rig.strange_fill(PositionKey::short(eth()), Action::Open, "1", "100");
    rig.account(AccountEvent::Fill { fill });
    rig.operator(OperatorCommand::Flatten);
    rig.account(AccountEvent::Disconnected { reason: "gone".to_owned() });
    rig.account(AccountEvent::Reconnected);
    the_journal_is_the_state(&rig);
    rig.restart();
    the_journal_is_the_state(&rig);
}
