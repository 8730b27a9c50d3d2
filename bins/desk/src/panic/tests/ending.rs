use std::time::Duration;

use hedge_core::{InstrumentStatus, RejectReason};
use tokio::{sync::watch, time::sleep};

use super::*;
use crate::panic::{End, HeldSide::*};

#[tokio::test(start_paused = true)]
async fn a_symbol_that_takes_no_orders_keeps_its_stop_and_the_rest_is_flat() {
    let script = Script::new();
    for (n, symbol) in [(1, "AUSDT"), (2, "BUSDT")] {
        script.hold(leg(symbol, Long), "1");
        script.stop(leg(symbol, Long), n);
    }
    let mut odd = usual::spec("AUSDT");
    odd.status = InstrumentStatus::NotTrading("SETTLING".into());
    script.specs(vec![odd, usual::spec("BUSDT")]);
    script.fault("close", vec![Fault::Refused(RejectReason::NotTrading, -4141)]);
    // After the first round every close is of AUSDT.
    let again = script.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(500)).await;
        again.fault("close", vec![Fault::Refused(RejectReason::NotTrading, -4141); 99]);
    });
    let (verdict, said) = close_some(&script, &[], Duration::from_secs(60)).await;
    assert_eq!((verdict.end, verdict.exit_code(), verdict.flat), (End::NotTrading, 13, false), "{said:#?}");
    assert!(verdict.because.contains("AUSDT LONG"), "{}", verdict.because);
    assert!(said.iter().any(|line| line.contains("AUSDT does not trade normally (SETTLING)")), "{said:#?}");
    assert_eq!(script.conditional(), 1, "its stop stays");
    assert_eq!(script.times("sweep BUSDT").len(), 1);
    assert!(script.times("sweep BUSDT")[0] < Duration::from_secs(15), "the other one does not wait for it");
    let tries = script.times("close AUSDT");
    assert!(
        tries.len() > 15 && *tries.last().unwrap() > Duration::from_secs(50),
        "it is tried on: {tries:?}"
    );
    assert!(verdict.lines().iter().any(|line| line.contains("AUSDT LONG: STILL OPEN with 1 of 1")));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_ends_it_with_the_code_for_keys() {
    let script = Script::new();
    let refused = Fault::Refused(RejectReason::Auth, -2015);
    script.fault("held", vec![refused.clone(); 50]);
    script.fault("held another way", vec![refused; 50]);
    let (verdict, said) = close_all(&script).await;
    assert_eq!((verdict.end, verdict.exit_code()), (End::KeysRefused, 78));
    assert!((20_000..25_000).contains(&verdict.took_ms), "a hiccup is waited out: {}", verdict.took_ms);
    assert!(said[0].starts_with("+0.0") && said[0].contains("-2015"), "but told at once: {said:?}");
    assert!(verdict.because.contains("-2015"), "{}", verdict.because);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_for_some_seconds_is_no_end() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    let refused = Fault::Refused(RejectReason::Auth, -2015);
    script.fault("held", vec![refused.clone(); 4]);
    script.fault("held another way", vec![refused; 4]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_symbol_that_trades_again_after_half_a_minute_is_closed_and_everything_verified_again() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.stop(leg("AUSDT", Long), 1);
    script.hold(leg("BUSDT", Short), "2");
    // BUSDT is closed in the first round; afterwards AUSDT is alone.
    script.refuse_on("AUSDT", Duration::from_secs(30));
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat && script.is_flat(), "{said:#?}");
    assert_eq!(script.conditional(), 0);
    assert!(said.iter().any(|line| line.contains("everything else is flat; trying on")), "{said:#?}");
    assert!((30_000..50_000).contains(&verdict.took_ms), "{}", verdict.took_ms);
}

#[tokio::test(start_paused = true)]
async fn named_symbols_that_nobody_knows_are_told() {
    let script = Script::new();
    script.specs(vec![usual::spec("BUSDT")]);
    let (verdict, _) = close_some(&script, &["BUSDT", "NOWHEREUSDT"], Duration::from_secs(60)).await;
    assert_eq!(verdict.unseen.iter().map(|symbol| symbol.as_str()).collect::<Vec<_>>(), ["NOWHEREUSDT"]);
}

#[tokio::test(start_paused = true)]
async fn cancels_that_fail_for_long_do_not_use_the_budget_up() {
    let script = Script::new();
    for symbol in ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "FUSDT", "GUSDT", "HUSDT"] {
        script.hold(leg(symbol, Long), "1");
        script.rest(leg(symbol, Long), hedge_core::OrderSide::Sell, "1", true);
    }
    script.fault("cancel", vec![Fault::NotSent; 2_000]);
    script.fault("cancel plain", vec![Fault::NotSent; 2_000]);
    let (verdict, _) = close_some(&script, &[], Duration::from_secs(60)).await;
    assert_eq!(verdict.end, End::OutOfTime);
    // 40 of the minute's 2,400 for each list, 5 for each reading of the positions.
    let weight = 40 * script.calls("resting") + 5 * script.calls("held");
    assert!(weight < 2_000, "{weight} in a minute");
}

#[tokio::test(start_paused = true)]
async fn it_keeps_trying_until_its_time_is_over_and_then_says_what_is_left() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", vec![Fault::NotSent; 500]);
    let (verdict, _) = close_some(&script, &[], Duration::from_secs(30)).await;
    assert_eq!((verdict.end, verdict.exit_code(), verdict.took_ms), (End::OutOfTime, 13, 30_000));
    assert!(script.times("close").len() > 10);
    assert_eq!((verdict.remaining.legs, verdict.legs[0].left), (1, Some(d("1"))));
    let lines = verdict.lines();
    assert!(lines.last().unwrap().starts_with("NOT FLAT after 30000 ms"), "{lines:?}");
    assert!(lines[0].contains("503"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_told_with_its_end_and_waited_for() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.ban(Duration::from_secs(20));
    script.fault("held", [Fault::Limited(Duration::from_secs(20))]);
    script.fault("resting", [Fault::Limited(Duration::from_secs(20))]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let told: Vec<_> =
        said.iter().filter(|line| line.contains("banned this address until 2026-11-")).collect();
    assert_eq!(told.len(), 1, "{said:#?}");
    assert!(told[0].contains("(in 20 s): trying again then"), "{told:?}");
    assert!(script.times("close")[0] >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_ban_beyond_the_time_allowed_says_what_a_person_can_do() {
    let script = Script::new();
    script.ban(Duration::from_secs(3_600));
    script.fault("held", vec![Fault::Limited(Duration::from_secs(3_600))]);
    let (verdict, said) = close_some(&script, &[], Duration::from_secs(60)).await;
    assert_eq!(verdict.end, End::OutOfTime);
    assert!(said.iter().any(|line| line.contains("run it from another address")), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_once_it_says_where_things_stand_and_twice_it_stops() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("close", vec![Fault::NotSent; 500]);
    let (sender, interrupts) = watch::channel(0);
    tokio::spawn(async move {
        for times in 1..=2 {
            sleep(Duration::from_secs(5)).await;
            sender.send(times).unwrap();
        }
        sleep(Duration::from_secs(600)).await;
    });
    let (verdict, said) = close_with(&script, &[], Duration::from_secs(600), interrupts).await;
    assert_eq!((verdict.end, verdict.exit_code(), verdict.took_ms), (End::Interrupted, 13, 10_000));
    assert!(said.iter().any(|line| line.starts_with("+5.000s AUSDT LONG: 1 still open")), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("ask again to stop")), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_trouble_that_lasts_is_told_once() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.fault("held", vec![Fault::NotSent; 20]);
    script.fault("held another way", vec![Fault::NotSent; 20]);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat);
    assert_eq!(
        said.iter().filter(|line| line.contains("positions could not be read")).count(),
        1,
        "{said:#?}"
    );
    assert!(said.iter().any(|line| line.contains("positions can be read again")), "{said:#?}");
}
