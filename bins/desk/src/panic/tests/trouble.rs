use std::time::Duration;

use hedge_core::{OrderSide, RejectReason};
use tokio::time::sleep;

use super::*;
use crate::panic::HeldSide::*;

#[tokio::test(start_paused = true)]
async fn a_close_whose_answer_was_lost_is_found_and_not_sent_again() {
    for visible_after in [0, 1_000, 3_000] {
        let script = Script::new();
        script.hold(leg("AUSDT", Long), "1");
        script.fault("close", [Fault::LostAnswer(Duration::from_millis(visible_after))]);
        let (verdict, said) = close_all(&script).await;
        assert!(verdict.flat, "{said:#?}");
        assert_eq!(script.commands(), ["close AUSDT LONG 1"]);
        assert_eq!((verdict.legs[0].closes, verdict.unknown.len()), (1, 0), "{said:#?}");
        assert!(said.iter().any(|line| line.contains("no second close meanwhile")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_never_arrived_is_sent_again_only_after_the_proof() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", [Fault::LostRequest]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let closes = script.times("close");
    assert_eq!(closes.len(), 2);
    // Its window of three seconds, and five in which it may be there and not be seen.
    let between = closes[1] - closes[0];
    assert!(between > LIFETIME + VISIBILITY && between < Duration::from_secs(12), "{between:?}");
    assert!(said.iter().any(|line| line.contains("never arrived")), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_proof_waits_while_the_venue_cannot_be_asked() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", [Fault::LostRequest]);
    script.fault("time", vec![Fault::LostRequest; 8]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let closes = script.times("close");
    assert!(closes[1] - closes[0] > Duration::from_secs(20), "{closes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_fires_while_a_close_is_in_doubt_ends_the_leg_without_another_close() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", [Fault::LostRequest]);
    script.later(Duration::from_millis(4_000), leg("AUSDT", Long), "0");
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    assert_eq!(script.commands().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_market_order_that_stays_live_is_cancelled_and_then_replaced() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", [Fault::Live]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let commands = script.commands();
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert!(commands[1].starts_with("cancel AUSDT"));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_executed_is_decided_again_from_a_fresh_reading() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.hold(leg("AUSDT", Short), "2");
    script.fault(
        "close",
        [Fault::NotSent, Fault::Limited(Duration::from_secs(4)), Fault::NotSent, Fault::NotSent],
    );
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat && script.is_flat(), "{said:#?}");
    assert!(
        script.times("close").iter().max().unwrap() > &Duration::from_secs(4),
        "the venue's pause is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thin_book_is_eaten_in_several_closes() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", [Fault::Partly("0.3"), Fault::Partly("0"), Fault::Partly("0.2")]);
    let (verdict, _) = close_all(&script).await;
    assert!(verdict.flat);
    let expected = ["1", "0.7", "0.7", "0.5"].map(|qty| format!("close AUSDT LONG {qty}"));
    assert_eq!(script.commands(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_resting_close_that_no_list_showed_is_found_through_the_refusal() {
    let script = Script::new();
    let long = leg("AUSDT", Long);
    script.hold(long, "1");
    script.rest(long, OrderSide::Sell, "0.4", false);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let commands = script.commands();
    assert_eq!(commands.first().unwrap(), "close AUSDT LONG 1");
    assert!(commands.iter().any(|line| line.starts_with("cancel ")), "{commands:?}");
}

#[tokio::test(start_paused = true)]
async fn while_orders_cannot_be_cancelled_only_what_is_free_is_closed() {
    let script = Script::new();
    let long = leg("AUSDT", Long);
    script.hold(long, "1");
    script.rest(long, OrderSide::Sell, "0.4", true);
    for call in ["cancel", "cancel plain"] {
        script.fault(call, [Fault::NotSent, Fault::NotSent, Fault::NotSent]);
    }
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let closes: Vec<_> = script.commands().into_iter().filter(|line| line.starts_with("close")).collect();
    assert_eq!(closes, ["close AUSDT LONG 0.6", "close AUSDT LONG 0.4"]);
}

#[tokio::test(start_paused = true)]
async fn a_quantity_above_the_maximum_is_halved_when_the_rules_are_unknown() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("rules", vec![Fault::NotSent; 50]);
    let above = Fault::Refused(RejectReason::Filter, -4005);
    script.fault("close", [above.clone(), above]);
    script.hold(leg("AUSDT", Long), "9.0");
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let closes = script.commands();
    assert_eq!(closes[..4], ["9", "4", "2", "2"].map(|qty| format!("close AUSDT LONG {qty}")), "{closes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lagging_replica_does_not_cause_a_second_close() {
    let script = Script::new();
    sleep(Duration::from_secs(60)).await;
    script.hold(leg("AUSDT", Long), "1");
    script.lag(Duration::from_secs(63));
    sleep(Duration::from_secs(1)).await;
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    assert_eq!(script.commands(), ["close AUSDT LONG 1"]);
}

#[tokio::test(start_paused = true)]
async fn positions_are_read_another_way_when_the_first_one_fails() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("held", vec![Fault::LostRequest; 200]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    assert!(script.times("close")[0] < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_orders_that_hangs_delays_no_close() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("resting", [Fault::Slow(Duration::from_secs(30))]);
    script.fault("rules", [Fault::Slow(Duration::from_secs(30))]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    assert!(script.times("close")[0] < Duration::from_secs(2), "{:?}", script.times("close"));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_fails_is_repeated_until_no_conditional_order_is_left() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.stop(leg("AUSDT", Long), 1);
    script.fault("sweep", [Fault::NotSent, Fault::LostRequest]);
    script.fault("waiting", [Fault::NotSent, Fault::NotSent]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    assert_eq!(script.conditional(), 0);
}
