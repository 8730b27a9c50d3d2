//! The journal as text: every variant reads back as it was written, and a few are pinned letter by letter.

use std::{borrow::Cow, collections::BTreeSet};

use hedge_core::{reconcile::Difference, *};
use proptest::prelude::*;

use crate::{given::every_state, rig::*};

fn report() -> OrderReport {
    OrderReport {
        instrument: btc(),
        client_id: ReportedId::parse("h0sn8www00111s"),
        order: OrderRef::Algo { id: VenueOrderId(7), child: Some(VenueOrderId(8)) },
        side: ReportedSide::Long,
        order_side: OrderSide::Sell,
        kind: ReportedKind::Unknown("ODD".to_owned()),
        price: Some(px("1.5")),
        trigger: Some(px("95")),
        qty: Some(q("1")),
        filled: d("0.25"),
        average: Some(px("94.9")),
        covers: Coverage::WholeLeg,
        state: ReportedState::Unknown("ODD".to_owned()),
        reason: Some("margin".to_owned()),
        venue_time: Timestamp::from_ms(1_732_100_000_123),
    }
}

fn fill() -> Fill {
    Fill {
        instrument: btc(),
        trade_id: TradeId(55),
        order: VenueOrderId(8),
        client_id: Some(ReportedId::parse("web_x")),
        side: ReportedSide::Short,
        order_side: OrderSide::Sell,
        qty: q("0.010"),
        price: px("100.50"),
        fee: Amount::new(Asset::parse("BNB").unwrap(), d("0.00001")),
        realized: Some(SignedAmount::parse("-1.25").unwrap()),
        maker: true,
        venue_time: Timestamp::from_ms(1_732_100_000_123),
    }
}

fn bar() -> Bar {
    Bar {
        open_time: Timestamp::from_ms(1_732_100_400_000),
        interval: Interval::M15,
        open: 1_000,
        high: 1_010,
        low: 990,
        close: 1_005,
        price_scale: 1,
        volume: 12_345,
        volume_scale: 3,
    }
}

fn flow(kind: CashFlowKind) -> CashFlow {
    CashFlow {
        kind,
        amount: Amount::usdt(d("-0.5")),
        instrument: Some(eth()),
        venue_time: Timestamp::from_ms(6),
        id: "77".to_owned(),
    }
}

fn account_events() -> Vec<AccountEvent> {
    vec![
        AccountEvent::Order { report: report() },
        AccountEvent::Fill { fill: fill() },
        AccountEvent::Legs {
            legs: vec![LegSize { instrument: btc(), side: ReportedSide::Both, qty: d("0"), entry: None }],
            venue_time: Timestamp::from_ms(5),
        },
        AccountEvent::Balances { balances: snapshot().account.balances, venue_time: Timestamp::from_ms(5) },
        AccountEvent::CashFlow { flow: flow(CashFlowKind::Other("REBATE".to_owned())) },
        AccountEvent::LeverageChanged { instrument: btc(), leverage: Leverage::new(20).unwrap() },
        AccountEvent::MarginCall { detail: "80 %".to_owned() },
        AccountEvent::Disconnected { reason: "silent".to_owned() },
        AccountEvent::Reconnected,
        AccountEvent::Unrecognised { name: "NEW_THING".to_owned() },
    ]
}

fn market_events() -> Vec<MarketEvent> {
    let instrument = InstrumentIx(3);
    vec![
        MarketEvent::History { instrument, bar: bar() },
        MarketEvent::Bar { instrument, bar: bar() },
        MarketEvent::Mark { instrument, mark: px("100"), venue_time: Timestamp::from_ms(1) },
        MarketEvent::Funding { instrument, rate: d("-0.0001"), settles_at: Timestamp::from_ms(2) },
        MarketEvent::Book {
            instrument,
            bid: px("99.9"),
            bid_qty: q("1"),
            ask: px("100.1"),
            ask_qty: q("2"),
            venue_time: Timestamp::from_ms(3),
        },
        MarketEvent::Trade {
            instrument,
            price: px("100"),
            qty: q("1"),
            seller_aggressed: true,
            venue_time: Timestamp::from_ms(4),
        },
        MarketEvent::Gap { instrument, from: Timestamp::from_ms(5), to: Timestamp::from_ms(6) },
        MarketEvent::Silent { instrument },
    ]
}

fn order() -> ClientOrderId {
    ClientOrderId::parse("h0sn8www00111s").unwrap()
}

fn facts() -> Vec<Fact> {
    let mut full = snapshot();
    full.positions =
        vec![Position::new(long(), q("2"), px("100")).with_prices(Some(px("101")), Some(px("50")))];
    full.orders = vec![report()];
    full.fills = vec![fill()];
    let mut facts = vec![
        Fact::RunStarted(RunStarted { data_hash: Some("abc".to_owned()), ..started(3) }),
        Fact::Instrument { ix: InstrumentIx(1), spec: Box::new(spec(eth())) },
        Fact::Snapshot { snapshot: Box::new(full) },
        Fact::CancelAcked { order: order() },
        Fact::CancelFailed {
            order: order(),
            outcome: Outcome::NotSent,
            reason: Some(RejectReason::NotFound),
            message: "no \"such\" order\n".to_owned(),
            retry_at: None,
        },
        Fact::QueryAnswered {
            order: order(),
            answer: Box::new(QueryAnswer {
                venue_time: Timestamp::from_ms(9),
                report: Some(report()),
                fills: vec![fill()],
                leg_qty: d("1.5"),
            }),
        },
        Fact::QueryFailed { order: order(), message: "time-out".to_owned() },
        Fact::Tick,
        Fact::RunStopped { because: "SIGTERM".to_owned() },
    ];
    for event in account_events() {
        facts.push(Fact::Account { event: Box::new(event) });
    }
    for event in market_events() {
        facts.push(Fact::Market { event });
    }
    for state in every_state() {
        facts.push(Fact::SubmitAcked {
            order: order(),
            venue: OrderRef::Client { id: order(), space: OrderSpace::Plain },
            state,
            filled: d("0"),
        });
    }
    for outcome in [Outcome::NotSent, Outcome::Rejected, Outcome::Unknown] {
        facts.push(Fact::SubmitFailed {
            order: order(),
            outcome,
            reason: Some(RejectReason::WouldTrigger),
            code: Some(-2021),
            message: "Order would immediately trigger.".to_owned(),
            acceptable_until: Some(Timestamp::from_ms(1_732_100_005_000)),
            retry_at: None,
        });
    }
    for command in [
        OperatorCommand::Halt,
        OperatorCommand::ExitOnly,
        OperatorCommand::Resume,
        OperatorCommand::Lift,
        OperatorCommand::Flatten,
        OperatorCommand::FlattenAtStart,
    ] {
        facts.push(Fact::Operator { command, because: "测试".to_owned() });
    }
    facts
}

fn intents() -> Vec<Intent> {
    let mut intents = vec![
        Intent::open(long(), Size::Notional(Notional::parse("100").unwrap()), px("95"), "cross_up"),
        Intent::Open {
            position: short(),
            size: Size::Qty(q("1")),
            entry: Entry::Limit { price: px("100"), tif: Tif::Gtd { until: Timestamp::from_ms(1) } },
            protection: Protection::Unprotected { because: Cow::Borrowed("hedged") },
            because: Cow::Borrowed("z_high"),
        },
        Intent::Protect { position: long(), trigger: px("97"), because: Cow::Borrowed("trail") },
        Intent::Cancel { order: order(), because: Cow::Borrowed("old") },
    ];
    for exit in exits() {
        for portion in [Portion::All, Portion::Qty(q("1")), Portion::Fraction(Ratio::parse("0.5").unwrap())] {
            intents.push(Intent::Close { position: long(), portion, exit, because: Cow::Borrowed("exit") });
        }
    }
    intents
}

fn exits() -> Vec<Exit> {
    vec![
        Exit::Market,
        Exit::Limit { price: px("110"), tif: Tif::PostOnly },
        Exit::StopMarket { trigger: px("95"), by: TriggerBy::Mark },
        Exit::TakeProfitMarket { trigger: px("110"), by: TriggerBy::Last },
        Exit::TrailingStop {
            activate: Some(px("105")),
            callback: Bps::parse("100").unwrap(),
            by: TriggerBy::Mark,
        },
    ]
}

fn differences() -> Vec<Difference> {
    vec![
        Difference::LegSize { position: long(), book: d("1"), venue: d("0"), entry: Some(px("100")) },
        Difference::Wallet { asset: Asset::usdt(), book: d("1"), venue: d("2") },
        Difference::OwnOrder { report: Box::new(report()) },
        Difference::NotOpen { order: order(), book: OrderState::Working },
        Difference::State { order: order(), book: OrderState::Canceling, venue: ReportedState::Filled },
        Difference::ForeignOrder { report: Box::new(report()) },
        Difference::Mode { venue: PositionMode::Net },
        Difference::ForeignPosition { instrument: eth(), detail: "LONG 1 at 2".to_owned() },
        Difference::Flow { flow: Box::new(flow(CashFlowKind::Funding)) },
        Difference::Fee { flow: Box::new(flow(CashFlowKind::Fee)), book: d("0.4") },
    ]
}

fn reading(z: f64, rsi: f64, atr: f64) -> Reading {
    Reading {
        instrument: btc(),
        timeframe: Interval::M15,
        z: Some(z),
        rsi: Some(rsi),
        atr: Some(atr),
        cross_up: true,
        cross_down: false,
        in_trade: false,
        side: None,
        emitted: false,
        veto: vec![Cow::Borrowed("z_low")],
    }
}

fn decisions() -> Vec<Decision> {
    let strategy = StrategyId::parse("btc-breakout:1").unwrap();
    let mut decisions = vec![
        Decision::Screened { strategy, reading: reading(2.57, 53.3, 0.011) },
        Decision::CancelRequested { order: order(), because: Cow::Borrowed("the leg is flat") },
        Decision::QueryRequested { order: order() },
        Decision::AbsenceProven { order: order() },
        Decision::OrderAdopted { instrument: btc(), order: OrderRef::Plain(VenueOrderId(7)) },
        Decision::AdoptedCancelRequested {
            instrument: btc(),
            order: OrderRef::Plain(VenueOrderId(7)),
            because: Cow::Borrowed("operator: flat"),
        },
        Decision::FlattenRequested { position: long(), because: Cow::Borrowed("operator") },
        Decision::Alert { position: Some(short()), text: Cow::Borrowed("look") },
        Decision::Alert { position: None, text: Cow::Borrowed("look") },
        Decision::LegHalted {
            position: long(),
            forced: ForcedClose::Adl,
            because: Cow::Borrowed("auto-deleveraging by order adl_autoclose"),
        },
        Decision::StopMissing { position: long(), guard: Guard::Stop, since: Timestamp::from_ms(8) },
        Decision::StopRepaired {
            position: short(),
            guard: Guard::TakeProfit { trigger: px("90") },
            after_ms: 1_250,
        },
        Decision::Muted {
            instrument: btc(),
            until: Timestamp::from_ms(9),
            because: Cow::Borrowed("protection failed"),
        },
    ];
    for verdict in [
        Verdict::Approve,
        Verdict::Shrink { to: q("0.5") },
        Verdict::Refuse { rule: Cow::Borrowed("max_positions") },
    ] {
        decisions.push(Decision::Assessed {
            position: long(),
            checks: vec![
                GateCheck::at_most("max_positions", d("3"), d("2")),
                GateCheck::holds("posture", false, Cow::Borrowed("posture is Halted")),
            ]
            .into(),
            verdict,
        });
    }
    for intent in intents() {
        decisions.push(Decision::Intended { strategy, intent });
    }
    for exit in exits() {
        for covers in [Coverage::Qty, Coverage::WholeLeg] {
            decisions.push(Decision::OrderApproved {
                client_id: order(),
                strategy: None,
                position: long(),
                leg: Leg::Close(exit, covers),
                qty: q("1"),
                purpose: OrderPurpose::Stop,
                protection: None,
            });
        }
    }
    decisions.push(Decision::OrderApproved {
        client_id: order(),
        strategy: Some(strategy),
        position: short(),
        leg: Leg::Open(Entry::Limit { price: px("99.7"), tif: Tif::Ioc }),
        qty: q("1"),
        purpose: OrderPurpose::Entry,
        protection: Some(Protection::Stop {
            trigger: px("105"),
            take_profits: vec![TakeProfit { trigger: px("90"), portion: Ratio::parse("0.5").unwrap() }],
        }),
    });
    for posture in [Posture::Normal, Posture::ExitOnly, Posture::Halted] {
        decisions.push(Decision::PostureChanged { posture, because: Cow::Borrowed("daily loss") });
    }
    for difference in differences() {
        decisions.push(Decision::Corrected { difference });
    }
    decisions
}

fn envelope(event: Event) -> Envelope {
    Envelope { seq: Seq(7), at: Timestamp::from_ms(1_732_100_000_123), cause: Some(Seq(6)), event }
}

fn reads_back(event: Event) -> String {
    let envelope = envelope(event);
    let text = serde_json::to_string(&envelope).unwrap();
    assert!(!text.contains('\n'), "one record is one line: {text}");
    let read: Envelope = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read, envelope, "{text}");
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    text
}

#[test]
fn every_fact_reads_back_as_it_was_written() {
    let mut names = BTreeSet::new();
    for fact in facts() {
        let name = fact.kind();
        names.insert(name);
        let text = reads_back(Event::Fact(fact));
        assert!(text.contains(&format!("{{\"fact\":{{\"fact\":\"{name}\"")), "{text}");
    }
    assert_eq!(names.len(), 14, "{names:?}");
}

#[test]
fn every_decision_reads_back_as_it_was_written() {
    let mut names = BTreeSet::new();
    for decision in decisions() {
        let name = decision.kind();
        names.insert(name);
        let text = reads_back(Event::Decision(decision));
        assert!(text.contains(&format!("{{\"decision\":{{\"decision\":\"{name}\"")), "{text}");
    }
    assert_eq!(names.len(), 17, "{names:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reading_keeps_every_bit_of_its_numbers(
        z in prop::num::f64::NORMAL, rsi in 0.0_f64..100.0, atr in 0.0_f64..0.1,
    ) {
        let written = reading(z, rsi, atr);
        let read: Reading = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        prop_assert_eq!(read.z.map(f64::to_bits), Some(z.to_bits()));
        prop_assert_eq!(read.rsi.map(f64::to_bits), Some(rsi.to_bits()));
        prop_assert_eq!(read.atr.map(f64::to_bits), Some(atr.to_bits()));
    }
}

#[test]
fn a_number_that_is_none_reads_back_as_none() {
    let written = reading(f64::NAN, 1.0, 1.0);
    let read: Reading = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
    assert_eq!(read.z, None, "JSON has no NaN: it is written as missing");
}

#[test]
fn what_is_malformed_is_an_error_and_never_a_default() {
    let good =
        reads_back(Event::Fact(Fact::Account { event: Box::new(AccountEvent::Fill { fill: fill() }) }));
    for (old, new) in [
        ("\"qty\":\"0.01\"", "\"qty\":\"0\""),
        ("\"qty\":\"0.01\"", "\"qty\":\"-1\""),
        ("\"qty\":\"0.01\",", ""),
        ("\"price\":\"100.5\"", "\"price\":\"\""),
        ("\"side\":\"SHORT\"", "\"side\":\"FLAT\""),
        ("\"order_side\":\"SELL\"", "\"order_side\":\"sell\""),
        ("\"trade_id\":55", "\"trade_id\":\"x\""),
        ("binance:BTCUSDT", "BTCUSDT"),
        ("binance:BTCUSDT", "kraken:BTCUSDT"),
        ("\"kind\":\"fill\"", "\"kind\":\"filled\""),
        ("\"fact\":\"account\"", "\"fact\":\"accounts\""),
    ] {
        assert!(good.contains(old), "{old} is not in {good}");
        let bad = good.replace(old, new);
        assert!(serde_json::from_str::<Envelope>(&bad).is_err(), "{bad}");
    }
}

/// These texts are the journal format. They never change; new variants are added.
#[test]
fn the_text_of_the_journal_is_pinned() {
    let golden = |event: Event, text: &str| assert_eq!(reads_back(event), text);
    golden(
        Event::Fact(Fact::RunStarted(started(1))),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"run_started","run":1732100000,"term":1,"format":1,"code_version":"test","config_hash":"0","profile":"paper"}}}"#,
    );
    golden(
        Event::Fact(Fact::Market {
            event: MarketEvent::Mark {
                instrument: InstrumentIx(3),
                mark: px("100.50"),
                venue_time: Timestamp::from_ms(1),
            },
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"market","event":{"kind":"mark","instrument":3,"mark":"100.5","venue_time":1000000}}}}"#,
    );
    golden(
        Event::Fact(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(3), bar: bar() } }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"market","event":{"kind":"bar","instrument":3,"bar":{"open_time":1732100400000000000,"interval":"15m","open":1000,"high":1010,"low":990,"close":1005,"price_scale":1,"volume":12345,"volume_scale":3}}}}}"#,
    );
    golden(
        Event::Fact(Fact::Account { event: Box::new(AccountEvent::Fill { fill: fill() }) }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"account","event":{"kind":"fill","fill":{"instrument":"binance:BTCUSDT","trade_id":55,"order":8,"client_id":{"foreign":"web_x"},"side":"SHORT","order_side":"SELL","qty":"0.01","price":"100.5","fee":{"asset":"BNB","value":"0.00001"},"realized":"-1.25","maker":true,"venue_time":1732100000123000000}}}}}"#,
    );
    golden(
        Event::Fact(Fact::SubmitAcked {
            order: order(),
            venue: OrderRef::Algo { id: VenueOrderId(7), child: None },
            state: ReportedState::Working,
            filled: d("0"),
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"submit_acked","order":"h0sn8www00111s","venue":{"algo":{"id":7,"child":null}},"state":"working","filled":"0"}}}"#,
    );
    golden(
        Event::Fact(Fact::SubmitFailed {
            order: order(),
            outcome: Outcome::Unknown,
            reason: None,
            code: None,
            message: "time-out".to_owned(),
            acceptable_until: Some(Timestamp::from_ms(1_732_100_005_000)),
            retry_at: None,
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"submit_failed","order":"h0sn8www00111s","outcome":"unknown","reason":null,"code":null,"message":"time-out","acceptable_until":1732100005000000000}}}"#,
    );
    golden(
        Event::Fact(Fact::Operator { command: OperatorCommand::ExitOnly, because: "lunch".to_owned() }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"operator","command":"exit_only","because":"lunch"}}}"#,
    );
    golden(
        Event::Fact(Fact::Tick),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"fact":{"fact":"tick"}}}"#,
    );
    golden(
        Event::Decision(Decision::OrderApproved {
            client_id: order(),
            strategy: None,
            position: long(),
            leg: Leg::Close(Exit::StopMarket { trigger: px("95"), by: TriggerBy::Mark }, Coverage::WholeLeg),
            qty: q("1"),
            purpose: OrderPurpose::Stop,
            protection: None,
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"decision":{"decision":"order_approved","client_id":"h0sn8www00111s","strategy":null,"position":{"instrument":"binance:BTCUSDT","side":"LONG"},"leg":{"close":[{"stop_market":{"trigger":"95","by":"mark"}},"whole_leg"]},"qty":"1","purpose":"stop"}}}"#,
    );
    golden(
        Event::Decision(Decision::Assessed {
            position: short(),
            checks: vec![GateCheck::at_most("max_positions", d("3"), d("2"))].into(),
            verdict: Verdict::Refuse { rule: Cow::Borrowed("max_positions") },
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"decision":{"decision":"assessed","position":{"instrument":"binance:BTCUSDT","side":"SHORT"},"checks":[{"rule":"max_positions","value":"3","limit":"2","distance":"-1","verdict":"refuse"}],"verdict":{"refuse":{"rule":"max_positions"}}}}}"#,
    );
    golden(
        Event::Decision(Decision::Intended {
            strategy: StrategyId::parse("eth").unwrap(),
            intent: Intent::close(long(), "enough"),
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"decision":{"decision":"intended","strategy":"eth","intent":{"kind":"close","position":{"instrument":"binance:BTCUSDT","side":"LONG"},"portion":"all","exit":"market","because":"enough"}}}}"#,
    );
    golden(
        Event::Decision(Decision::PostureChanged {
            posture: Posture::ExitOnly,
            because: Cow::Borrowed("daily loss"),
        }),
        r#"{"seq":7,"at":1732100000123000000,"cause":6,"event":{"decision":{"decision":"posture_changed","posture":"exit_only","because":"daily loss"}}}"#,
    );
}
