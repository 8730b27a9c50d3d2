use hedge_sim::venue::PositionSide;

use super::stage::Stage;

#[test]
fn twenty_legs_are_flat_at_once_and_their_stops_go_last() {
    let stage = Stage::new("panic-twenty", 10);
    assert_eq!(stage.held.len(), 20);
    let done = stage.panic_close(&[]);
    stage.check("clean", &done);
    assert_eq!(done.verdict["legs"].as_array().unwrap().len(), 20);
    let (flat_ms, took_ms) = (&done.verdict["time_to_flat_ms"], &done.verdict["took_ms"]);
    println!("TIME TO FLAT, twenty legs, clean: {flat_ms} ms, verified after {took_ms} ms");
    // The cancel of the resting close, two readings and one round of closes: generous for a slow and loaded machine.
    assert!(flat_ms.as_u64().unwrap() < 20_000, "{:#}", done.verdict);
    assert_eq!(stage.closes_sent().len(), 20, "one close a leg");
}

#[test]
fn a_one_way_account_is_closed_as_well() {
    let stage = Stage::with("panic-one-way", 3, false, &|_| {});
    let done = stage.panic_close(&[]);
    stage.check("one-way", &done);
    assert_eq!(stage.closes_sent().len(), 3);
}

#[test]
fn a_large_leg_in_a_thin_book_takes_several_closes_and_never_more_than_it_holds() {
    let stage = Stage::empty("panic-thin", 3, true, 1.0, &|rules| {
        if rules.symbol == "BTCUSDT" {
            // About a dozen levels, and orders of a quarter of the leg at most.
            rules.market_take_bound = Some("0.00002".parse().unwrap());
            rules.market_lot.max = "10".parse().unwrap();
        }
    });
    let mut stage = stage;
    stage.open("BTCUSDT", PositionSide::Long, "40".parse().unwrap());
    stage.protect("BTCUSDT", PositionSide::Long);
    let done = stage.panic_close(&["--symbols", "BTCUSDT"]);
    stage.check("thin book", &done);
    assert!(stage.closes_of("BTCUSDT", PositionSide::Long) >= 4, "{}", done.progress);
}
