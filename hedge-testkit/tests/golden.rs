//! The journal's text, pinned: a file of lines for every kind of record, byte for byte, in every form that it may have.
//!
//! A journal is kept for years, so these lines never change. What is new gets new lines: a variant without one does not
//! compile here until it is listed, and does not pass until a line of `golden/` has it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::{collections::BTreeMap, fs, path::Path};

#[path = "golden/parts.rs"]
mod parts;

use self::parts::Parts;
use hedge_core::{
    AccountEvent, CashFlowKind, CheckVerdict, Coverage, Decision, Difference, Entry, Envelope, Event, Exit,
    Fact, ForcedClose, Guard, InstrumentStatus, Intent, Interval, Leg, MarketEvent, OperatorCommand,
    OrderPurpose, OrderRef, OrderSide, OrderSpace, OrderState, Outcome, Portion, PositionMode, PositionSide,
    Posture, Protection, RejectReason, ReportedId, ReportedKind, ReportedSide, ReportedState, Size, Tif,
    TriggerBy, Verdict,
};

/// The lines of each file, by its name without the ending.
fn golden() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "jsonl") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        files.insert(name, text.lines().map(str::to_owned).collect());
    }
    files
}

/// The file a record belongs into.
fn file_of(event: &Event) -> String {
    let text = serde_json::to_value(event).unwrap();
    match event {
        Event::Fact(Fact::Market { .. }) => {
            format!("market.{}", text["fact"]["event"]["kind"].as_str().unwrap())
        }
        Event::Fact(Fact::Account { .. }) => {
            format!("account.{}", text["fact"]["event"]["kind"].as_str().unwrap())
        }
        Event::Fact(fact) => format!("fact.{}", fact.kind()),
        Event::Decision(decision) => format!("decision.{}", decision.kind()),
    }
}

#[test]
fn every_golden_line_reads_as_its_record_and_writes_as_the_same_bytes() {
    let mut lines = 0;
    for (name, all) in golden() {
        for (place, line) in all.iter().enumerate() {
            let record: Envelope = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{name} line {}: {error}", place + 1));
            assert_eq!(file_of(&record.event), name, "line {}", place + 1);
            let written = serde_json::to_string(&record).unwrap();
            assert_eq!(&written, line, "{name} line {}: the journal's text has changed", place + 1);
            lines += 1;
        }
    }
    assert!(lines >= 240, "{lines} lines: golden lines are never taken away");
}

/// What versions before the chain wrote after the record, and what is written now: neither is part of it.
#[test]
fn a_record_reads_the_same_with_the_checksum_of_either_form() {
    for line in golden().into_values().flatten() {
        let record: Envelope = serde_json::from_str(&line).unwrap();
        let body = line.strip_suffix('}').unwrap();
        for tail in [r#","sum":"fd7c0de590b9e860"}"#, r#","chain":"92a4f1c07d0be1b5a1f0c3b2e8d97a64"}"#] {
            let read: Envelope = serde_json::from_str(&format!("{body}{tail}")).unwrap();
            assert_eq!(read, record, "{line}");
        }
    }
}

/// A record of a kind or word that this version does not know is an error, never another record.
#[test]
fn a_golden_line_with_another_word_for_its_kind_does_not_read() {
    for (name, all) in golden() {
        let kind = name.split_once('.').unwrap().1;
        for line in all {
            let other = line.replacen(&format!("\"{kind}\""), &format!("\"{kind}_of_tomorrow\""), 1);
            assert_ne!(other, line, "{name}");
            assert!(serde_json::from_str::<Envelope>(&other).is_err(), "{other}");
        }
    }
}

/// The lines of these files.
fn text_of(names: &[&str]) -> String {
    let mut files = golden();
    names
        .iter()
        .map(|name| files.remove(*name).unwrap_or_else(|| panic!("no file {name}")).join("\n"))
        .collect()
}

/// Each variant with the text that only it has. The patterns are a match without a wildcard: a new variant does not compile.
macro_rules! has_every {
    ($text:ident, $type:ty, $($pattern:pat => $needle:expr),+ $(,)?) => {{
        #[allow(dead_code)]
        fn is_listed(value: &$type) {
            match value { $($pattern => {}),+ }
        }
        $(assert!($text.contains($needle), "no golden line has {} ({})", $needle, stringify!($pattern));)+
    }};
}

#[test]
fn every_variant_has_a_golden_file() {
    let files = golden();
    let text = files.keys().map(|name| format!("<{name}>")).collect::<String>();
    has_every!(text, Event, Event::Fact(_) => "<fact.", Event::Decision(_) => "<decision.");
    has_every!(text, Fact,
        Fact::RunStarted(_) => "<fact.run_started>", Fact::Instrument { .. } => "<fact.instrument>",
        Fact::Market { .. } => "<market.", Fact::Account { .. } => "<account.",
        Fact::Snapshot { .. } => "<fact.snapshot>", Fact::SubmitAcked { .. } => "<fact.submit_acked>",
        Fact::SubmitFailed { .. } => "<fact.submit_failed>", Fact::CancelAcked { .. } => "<fact.cancel_acked>",
        Fact::CancelFailed { .. } => "<fact.cancel_failed>", Fact::QueryAnswered { .. } => "<fact.query_answered>",
        Fact::QueryFailed { .. } => "<fact.query_failed>", Fact::Operator { .. } => "<fact.operator>",
        Fact::Tick => "<fact.tick>", Fact::RunStopped { .. } => "<fact.run_stopped>");
    has_every!(text, MarketEvent,
        MarketEvent::History { .. } => "<market.history>", MarketEvent::Bar { .. } => "<market.bar>",
        MarketEvent::Mark { .. } => "<market.mark>", MarketEvent::Funding { .. } => "<market.funding>",
        MarketEvent::Book { .. } => "<market.book>", MarketEvent::Trade { .. } => "<market.trade>",
        MarketEvent::Gap { .. } => "<market.gap>", MarketEvent::Silent { .. } => "<market.silent>");
    has_every!(text, AccountEvent,
        AccountEvent::Order { .. } => "<account.order>", AccountEvent::Fill { .. } => "<account.fill>",
        AccountEvent::Legs { .. } => "<account.legs>", AccountEvent::Balances { .. } => "<account.balances>",
        AccountEvent::CashFlow { .. } => "<account.cash_flow>",
        AccountEvent::LeverageChanged { .. } => "<account.leverage_changed>",
        AccountEvent::MarginCall { .. } => "<account.margin_call>",
        AccountEvent::Disconnected { .. } => "<account.disconnected>",
        AccountEvent::Reconnected => "<account.reconnected>",
        AccountEvent::Unrecognised { .. } => "<account.unrecognised>");
    has_every!(text, Decision,
        Decision::Screened { .. } => "<decision.screened>", Decision::Intended { .. } => "<decision.intended>",
        Decision::Assessed { .. } => "<decision.assessed>",
        Decision::OrderApproved { .. } => "<decision.order_approved>",
        Decision::CancelRequested { .. } => "<decision.cancel_requested>",
        Decision::QueryRequested { .. } => "<decision.query_requested>",
        Decision::FlattenRequested { .. } => "<decision.flatten_requested>",
        Decision::OrderAdopted { .. } => "<decision.order_adopted>",
        Decision::AdoptedCancelRequested { .. } => "<decision.adopted_cancel_requested>",
        Decision::AbsenceProven { .. } => "<decision.absence_proven>",
        Decision::PostureChanged { .. } => "<decision.posture_changed>",
        Decision::Corrected { .. } => "<decision.corrected>", Decision::Alert { .. } => "<decision.alert>",
        Decision::StopMissing { .. } => "<decision.stop_missing>",
        Decision::StopRepaired { .. } => "<decision.stop_repaired>",
        Decision::LegHalted { .. } => "<decision.leg_halted>", Decision::Muted { .. } => "<decision.muted>");
}

#[test]
fn every_form_of_an_order_has_a_golden_line() {
    let text = text_of(&["decision.intended"]);
    has_every!(text, Intent,
        Intent::Open { .. } => r#""intent":{"kind":"open""#, Intent::Close { .. } => r#""intent":{"kind":"close""#,
        Intent::Protect { .. } => r#""intent":{"kind":"protect""#, Intent::Cancel { .. } => r#""intent":{"kind":"cancel""#);
    has_every!(text, Size, Size::Qty(_) => r#""size":{"qty":""#, Size::Notional(_) => r#""size":{"notional":""#);
    has_every!(text, Portion,
        Portion::All => r#""portion":"all""#, Portion::Qty(_) => r#""portion":{"qty":""#,
        Portion::Fraction(_) => r#""portion":{"fraction":""#);
    has_every!(text, Entry, Entry::Market => r#""entry":"market""#, Entry::Limit { .. } => r#""entry":{"limit":{"#);
    has_every!(text, Exit,
        Exit::Market => r#""exit":"market""#, Exit::Limit { .. } => r#""exit":{"limit":{"#,
        Exit::StopMarket { .. } => r#""exit":{"stop_market":{"#,
        Exit::TakeProfitMarket { .. } => r#""exit":{"take_profit_market":{"#,
        Exit::TrailingStop { .. } => r#""exit":{"trailing_stop":{"#);
    has_every!(text, Tif,
        Tif::Gtc => r#""tif":"gtc""#, Tif::Ioc => r#""tif":"ioc""#, Tif::Fok => r#""tif":"fok""#,
        Tif::PostOnly => r#""tif":"post_only""#, Tif::Gtd { .. } => r#""tif":{"gtd":{"until":"#);
    has_every!(text, TriggerBy, TriggerBy::Mark => r#""by":"mark""#, TriggerBy::Last => r#""by":"last""#);
    has_every!(text, Protection,
        Protection::Stop { .. } => r#""protection":{"stop":{"trigger":"#,
        Protection::Unprotected { .. } => r#""protection":{"unprotected":{"because":"#);
    let text = text_of(&["decision.order_approved"]);
    has_every!(text, Leg,
        Leg::Open(_) => r#""leg":{"open":"market"}"#, Leg::Close(..) => r#""leg":{"close":["market","#);
    has_every!(text, OrderPurpose,
        OrderPurpose::Entry => r#""purpose":"entry""#, OrderPurpose::Stop => r#""purpose":"stop""#,
        OrderPurpose::TakeProfit => r#""purpose":"take_profit""#, OrderPurpose::Close => r#""purpose":"close""#);
    let text = text_of(&["account.order"]);
    has_every!(text, Coverage,
        Coverage::Qty => r#""covers":"qty""#, Coverage::WholeLeg => r#""covers":"whole_leg""#);
    has_every!(text, OrderSide,
        OrderSide::Buy => r#""order_side":"BUY""#, OrderSide::Sell => r#""order_side":"SELL""#);
    let text = text_of(&["decision.assessed"]);
    has_every!(text, PositionSide,
        PositionSide::Long => r#""position":{"instrument":"binance:BTCUSDT","side":"LONG"}"#,
        PositionSide::Short => r#""position":{"instrument":"binance:BTCUSDT","side":"SHORT"}"#);
    has_every!(text, Verdict,
        Verdict::Approve => r#""verdict":"approve""#, Verdict::Shrink { .. } => r#""verdict":{"shrink":{"to":"#,
        Verdict::Refuse { .. } => r#""verdict":{"refuse":{"rule":"#);
    has_every!(text, CheckVerdict,
        CheckVerdict::Pass => r#""verdict":"pass""#, CheckVerdict::Shrink => r#""verdict":"shrink""#,
        CheckVerdict::Refuse => r#""verdict":"refuse""#);
    let text = text_of(&["decision.stop_missing"]);
    has_every!(text, Guard,
        Guard::Stop => r#""guard":"stop""#, Guard::TakeProfit { .. } => r#""guard":{"take_profit":{"trigger":"#);
}

#[test]
fn everything_a_venue_may_report_has_a_golden_line() {
    let text = text_of(&["account.order"]);
    has_every!(text, ReportedId,
        ReportedId::Ours(_) => r#""client_id":{"ours":""#, ReportedId::Foreign(_) => r#""client_id":{"foreign":""#,
        ReportedId::Venue { .. } => r#""client_id":{"venue":{"forced":""#);
    let halted = text_of(&["decision.leg_halted"]);
    has_every!(halted, ForcedClose,
        ForcedClose::Liquidation => r#""forced":"liquidation""#, ForcedClose::Adl => r#""forced":"adl""#,
        ForcedClose::Settlement => r#""forced":"settlement""#, ForcedClose::Delivery => r#""forced":"delivery""#);
    let named = text_of(&["account.order", "fact.submit_acked", "decision.order_adopted"]);
    has_every!(named, OrderRef,
        OrderRef::Plain(_) => r#"{"plain":7}"#, OrderRef::Algo { .. } => r#"{"algo":{"id":7,"child":"#,
        OrderRef::Client { .. } => r#"{"client":{"id":"#);
    has_every!(named, OrderSpace,
        OrderSpace::Plain => r#""space":"plain""#, OrderSpace::Algo => r#""space":"algo""#);
    has_every!(text, ReportedSide,
        ReportedSide::Long => r#""side":"LONG","order_side""#, ReportedSide::Short => r#""side":"SHORT","order_side""#,
        ReportedSide::Both => r#""side":"BOTH","order_side""#);
    has_every!(text, ReportedKind,
        ReportedKind::Limit => r#""kind":"limit""#, ReportedKind::Market => r#""kind":"market""#,
        ReportedKind::Stop => r#""kind":"stop""#, ReportedKind::StopMarket => r#""kind":"stop_market""#,
        ReportedKind::TakeProfit => r#""kind":"take_profit""#,
        ReportedKind::TakeProfitMarket => r#""kind":"take_profit_market""#,
        ReportedKind::TrailingStop => r#""kind":"trailing_stop""#,
        ReportedKind::Liquidation => r#""kind":"liquidation""#, ReportedKind::Unknown(_) => r#""kind":{"unknown":""#);
    has_every!(text, ReportedState,
        ReportedState::Working => r#""state":"working""#,
        ReportedState::PartiallyFilled => r#""state":"partially_filled""#,
        ReportedState::Triggering => r#""state":"triggering""#, ReportedState::Triggered => r#""state":"triggered""#,
        ReportedState::Filled => r#""state":"filled""#, ReportedState::Finished => r#""state":"finished""#,
        ReportedState::Canceled => r#""state":"canceled""#, ReportedState::Expired => r#""state":"expired""#,
        ReportedState::Rejected => r#""state":"rejected""#, ReportedState::Unknown(_) => r#""state":{"unknown":""#);
    let text = text_of(&["account.cash_flow"]);
    has_every!(text, CashFlowKind,
        CashFlowKind::Funding => r#""flow":{"kind":"funding""#, CashFlowKind::Transfer => r#""flow":{"kind":"transfer""#,
        CashFlowKind::Fee => r#""flow":{"kind":"fee""#, CashFlowKind::RealizedPnl => r#""flow":{"kind":"realized_pnl""#,
        CashFlowKind::Other(_) => r#""flow":{"kind":{"other":""#);
    let text = text_of(&["fact.snapshot"]);
    has_every!(text, PositionMode,
        PositionMode::Hedge => r#""mode":"hedge""#, PositionMode::Net => r#""mode":"net""#);
    let text = text_of(&["fact.instrument"]);
    has_every!(text, InstrumentStatus,
        InstrumentStatus::Trading => r#""status":"trading""#,
        InstrumentStatus::NotTrading(_) => r#""status":{"not_trading":""#);
    let text = text_of(&["market.bar"]);
    for interval in Interval::ALL {
        assert!(text.contains(&format!("\"interval\":\"{interval}\"")), "{interval}");
    }
    for file in ["fact.submit_failed", "fact.cancel_failed"] {
        let text = text_of(&[file]);
        has_every!(text, Outcome,
            Outcome::NotSent => r#""outcome":"not_sent""#, Outcome::Rejected => r#""outcome":"rejected""#,
            Outcome::Unknown => r#""outcome":"unknown""#);
    }
    let text = text_of(&["fact.submit_failed"]);
    has_every!(text, RejectReason,
        RejectReason::InsufficientMargin => r#""reason":"insufficient_margin""#,
        RejectReason::Filter => r#""reason":"filter""#, RejectReason::ModeMismatch => r#""reason":"mode_mismatch""#,
        RejectReason::NothingToClose => r#""reason":"nothing_to_close""#,
        RejectReason::WouldTrigger => r#""reason":"would_trigger""#,
        RejectReason::WouldTake => r#""reason":"would_take""#, RejectReason::Unfilled => r#""reason":"unfilled""#,
        RejectReason::DuplicateId => r#""reason":"duplicate_id""#, RejectReason::NotFound => r#""reason":"not_found""#,
        RejectReason::TooManyOrders => r#""reason":"too_many_orders""#,
        RejectReason::SecondCloseAll => r#""reason":"second_close_all""#, RejectReason::Auth => r#""reason":"auth""#,
        RejectReason::Clock => r#""reason":"clock""#, RejectReason::Restricted => r#""reason":"restricted""#,
        RejectReason::NotTrading => r#""reason":"not_trading""#, RejectReason::AlreadySo => r#""reason":"already_so""#,
        RejectReason::Precondition => r#""reason":"precondition""#,
        RejectReason::BadRequest => r#""reason":"bad_request""#, RejectReason::Unlisted => r#""reason":"unlisted""#);
}

#[test]
fn everything_the_engine_may_note_has_a_golden_line() {
    let text = text_of(&["fact.operator"]);
    has_every!(text, OperatorCommand,
        OperatorCommand::Halt => r#""command":"halt""#, OperatorCommand::ExitOnly => r#""command":"exit_only""#,
        OperatorCommand::Resume => r#""command":"resume""#, OperatorCommand::Lift => r#""command":"lift""#,
        OperatorCommand::Flatten => r#""command":"flatten""#,
        OperatorCommand::FlattenAtStart => r#""command":"flatten_at_start""#);
    let text = text_of(&["decision.posture_changed"]);
    has_every!(text, Posture,
        Posture::Normal => r#""posture":"normal""#, Posture::ExitOnly => r#""posture":"exit_only""#,
        Posture::Halted => r#""posture":"halted""#);
    let text = text_of(&["decision.corrected"]);
    has_every!(text, Difference,
        Difference::LegSize { .. } => r#""differs":"leg_size""#, Difference::Wallet { .. } => r#""differs":"wallet""#,
        Difference::OwnOrder { .. } => r#""differs":"own_order""#, Difference::NotOpen { .. } => r#""differs":"not_open""#,
        Difference::State { .. } => r#""differs":"state""#,
        Difference::ForeignOrder { .. } => r#""differs":"foreign_order""#,
        Difference::Flow { .. } => r#""differs":"flow""#, Difference::Fee { .. } => r#""differs":"fee""#,
        Difference::Mode { .. } => r#""differs":"mode""#,
        Difference::ForeignPosition { .. } => r#""differs":"foreign_position""#);
    has_every!(text, OrderState,
        OrderState::Journalled => r#""book":"journalled""#, OrderState::InFlight => r#""book":"in_flight""#,
        OrderState::Unknown => r#""book":"unknown""#, OrderState::Working => r#""book":"working""#,
        OrderState::PartiallyFilled => r#""book":"partially_filled""#,
        OrderState::Canceling => r#""book":"canceling""#, OrderState::Triggered => r#""book":"triggered""#,
        OrderState::Filled => r#""book":"filled""#, OrderState::Canceled => r#""book":"canceled""#,
        OrderState::Expired => r#""book":"expired""#, OrderState::Rejected => r#""book":"rejected""#,
        OrderState::Dropped => r#""book":"dropped""#);
}

/// What may be missing is there in one line and missing in another.
#[test]
fn every_optional_part_has_a_golden_line_with_it_and_one_without() {
    let mut parts = Parts::default();
    for (name, lines) in golden() {
        for line in lines {
            parts.of_record(&name, &serde_json::from_str(&line).unwrap());
        }
    }
    assert_eq!(parts.one_sided(), Vec::<String>::new());
}
