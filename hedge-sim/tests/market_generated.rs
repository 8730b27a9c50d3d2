//! The generated market as its users see it: consistent across intervals, without a seam, sane in its statistics.

// The helpers below are test code although they stand outside of the test functions.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use hedge_core::{Interval, Symbol};
use hedge_sim::market::{
    DataSet, GeneratedMarket, Kline, KlineInterval, KlineQuery, MarketStep, Schedule, SymbolProfile,
};

const DAY_MS: i64 = 86_400_000;
/// 2026-01-01, a Thursday.
const NEW_YEAR: i64 = 1_767_225_600_000;

fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}
fn btc() -> Symbol {
    symbol("BTCUSDT")
}
fn fixed(interval: Interval) -> KlineInterval {
    interval.into()
}
/// All klines of `interval` that open in `[from, to)`.
fn klines(
    market: &mut GeneratedMarket,
    symbol: Symbol,
    interval: KlineInterval,
    from: i64,
    to: i64,
) -> Vec<Kline> {
    let query = KlineQuery {
        interval,
        start_ms: Some(from),
        end_ms: Some(to - 1),
        limit: usize::MAX,
        now_ms: to + 40 * DAY_MS,
    };
    market.klines(symbol, &query).unwrap()
}
fn sum(parts: &[Kline]) -> Kline {
    let mut sum = parts[0];
    parts[1..].iter().for_each(|part| sum.absorb(part));
    sum
}

#[test]
fn every_kline_is_exactly_its_minutes() {
    let mut market = GeneratedMarket::built_in(3);
    for name in ["BTCUSDT", "DOGEUSDT"] {
        let (from, to) = (NEW_YEAR, NEW_YEAR + 3 * DAY_MS);
        let minutes = klines(&mut market, symbol(name), fixed(Interval::M1), from, to);
        assert_eq!(minutes.len(), 3 * 1_440);
        for interval in Interval::ALL {
            let coarse = klines(&mut market, symbol(name), fixed(interval), from, to);
            let parts = minutes.chunks_exact((interval.ms() / 60_000) as usize);
            assert_eq!(coarse, parts.map(sum).collect::<Vec<_>>(), "{name} {interval}");
        }
    }
}

#[test]
fn three_days_weeks_and_months_are_exactly_their_days_also_before_2018() {
    let mut market = GeneratedMarket::built_in(3);
    // 2017-12-01 to 2018-02-01: across the beginning of full detail.
    let (from, to) = (1_512_086_400_000, 1_517_443_200_000);
    let days = klines(&mut market, btc(), fixed(Interval::D1), from - 7 * DAY_MS, to + 7 * DAY_MS);
    for interval in [KlineInterval::D3, KlineInterval::W1, KlineInterval::Month] {
        let coarse = klines(&mut market, btc(), interval, from, to);
        assert!(coarse.len() >= 2);
        for kline in coarse {
            let inside = |day: &&Kline| (kline.open_ms..=kline.close_ms).contains(&day.open_ms);
            let parts: Vec<Kline> = days.iter().filter(inside).copied().collect();
            assert_eq!(kline, sum(&parts), "{interval}");
        }
    }
    let day = klines(&mut market, btc(), fixed(Interval::D1), from, from + DAY_MS);
    let minutes = klines(&mut market, btc(), fixed(Interval::M1), from, from + DAY_MS);
    assert_eq!(day, [sum(&minutes)]);
}

#[test]
fn there_are_fifteen_hundred_klines_up_to_a_week_and_the_last_is_unfinished() {
    let mut market = GeneratedMarket::built_in(5);
    let now_ms = NEW_YEAR + 12 * 3_600_000 + 34_567;
    for interval in KlineInterval::all() {
        let query = KlineQuery { interval, start_ms: None, end_ms: None, limit: 1_500, now_ms };
        let klines = market.klines(btc(), &query).unwrap();
        // Months are as many as there are since 1990.
        let count = if interval == KlineInterval::Month { 36 * 12 + 1 } else { 1_500 };
        assert_eq!(klines.len(), count, "{interval}");
        assert!(
            klines
                .windows(2)
                .all(|pair| pair[0].close_ms + 1 == pair[1].open_ms && pair[0].close == pair[1].open)
        );
        let last = klines[count - 1];
        assert!(last.open_ms <= now_ms && now_ms <= last.close_ms, "{interval}");
        assert_eq!(last.close, market.price_at(btc(), now_ms).unwrap(), "{interval}");
    }
}

#[test]
fn every_kline_holds_together() {
    let mut market = GeneratedMarket::built_in(8);
    for name in market.symbols().collect::<Vec<_>>() {
        for kline in klines(&mut market, name, fixed(Interval::M1), NEW_YEAR, NEW_YEAR + DAY_MS) {
            assert!(0 < kline.low && kline.low <= kline.open.min(kline.close));
            assert!(kline.high >= kline.open.max(kline.close));
            assert!(0 < kline.taker_buy_volume && kline.taker_buy_volume < kline.volume);
            let quote = |price: i64| i128::from(price) * i128::from(kline.volume);
            assert!((quote(kline.low)..=quote(kline.high)).contains(&kline.quote_volume));
            assert!(kline.trades >= 80);
        }
    }
}

#[test]
fn prints_make_the_klines_and_their_numbers_have_no_holes() {
    let mut market = GeneratedMarket::built_in(3);
    // Across midnight.
    let (from, to) = (NEW_YEAR - 5 * 60_000, NEW_YEAR + 5 * 60_000);
    let prints = market.trades(btc(), from, to - 1, usize::MAX).unwrap();
    assert!(prints.windows(2).all(|pair| pair[0].id + 1 == pair[1].id && pair[0].at_ms <= pair[1].at_ms));
    assert!(prints.windows(2).all(|pair| pair[0].last_trade_id + 1 == pair[1].first_trade_id));
    for minute in klines(&mut market, btc(), fixed(Interval::M1), from, to) {
        let inside =
            || prints.iter().filter(|print| (minute.open_ms..=minute.close_ms).contains(&print.at_ms));
        let prices: Vec<i64> = inside().map(|print| print.price).collect();
        assert_eq!((prices[0], prices[prices.len() - 1]), (minute.open, minute.close));
        assert_eq!(prices.iter().max(), Some(&minute.high));
        assert_eq!(prices.iter().min(), Some(&minute.low));
        assert_eq!(inside().map(|print| print.qty).sum::<i64>(), minute.volume);
        assert_eq!(
            inside().map(|print| print.last_trade_id - print.first_trade_id + 1).sum::<i64>(),
            minute.trades
        );
    }
    for print in &prints {
        assert_eq!(print.price, market.price_at(btc(), print.at_ms).unwrap());
    }
    let middle = prints[prints.len() / 2].id;
    let onward = market.trades_from(btc(), middle, 200, to).unwrap();
    assert_eq!(onward, prints[prints.len() / 2..][..200]);
    let latest = market.latest_trades(btc(), 300, to - 1).unwrap();
    assert_eq!(latest, prints[prints.len() - 300..]);
}

#[test]
fn an_unfinished_minute_grows_into_the_finished_one() {
    let mut market = GeneratedMarket::built_in(3);
    let finished = klines(&mut market, btc(), fixed(Interval::M1), NEW_YEAR, NEW_YEAR + 60_000)[0];
    let mut before: Option<Kline> = None;
    for offset in (0..60_000).step_by(777).chain([59_999]) {
        let query = KlineQuery {
            interval: fixed(Interval::M1),
            start_ms: Some(NEW_YEAR),
            end_ms: None,
            limit: 5,
            now_ms: NEW_YEAR + offset,
        };
        let now = market.klines(btc(), &query).unwrap()[0];
        assert_eq!((now.open, now.open_ms, now.close_ms), (finished.open, NEW_YEAR, NEW_YEAR + 59_999));
        if let Some(before) = before {
            assert!(now.high >= before.high && now.low <= before.low && now.volume >= before.volume);
        }
        before = Some(now);
    }
    let last = before.unwrap();
    assert_eq!(
        (last.high, last.low, last.close, last.volume, last.trades),
        (finished.high, finished.low, finished.close, finished.volume, finished.trades)
    );
}

#[test]
fn a_seed_and_a_symbol_decide_everything_and_the_order_of_questions_nothing() {
    let mut forward = GeneratedMarket::built_in(42);
    let only_btc = SymbolProfile::built_in(btc()).unwrap();
    let mut backward = GeneratedMarket::new(42, vec![only_btc]).unwrap();
    let day = |market: &mut GeneratedMarket, at: i64| {
        klines(market, btc(), fixed(Interval::M15), NEW_YEAR + at * DAY_MS, NEW_YEAR + (at + 1) * DAY_MS)
    };
    let ahead: Vec<_> = (0..5).map(|at| day(&mut forward, at)).collect();
    let mut back: Vec<_> = (0..5).rev().map(|at| day(&mut backward, at)).collect();
    back.reverse();
    assert_eq!(ahead, back);
    assert_ne!(ahead[0], day(&mut GeneratedMarket::built_in(43), 0));
    assert_ne!(
        klines(&mut forward, symbol("ETHUSDT"), fixed(Interval::H1), NEW_YEAR, NEW_YEAR + DAY_MS)[0].close,
        ahead[0][3].close
    );
}

#[test]
fn a_seed_gives_the_same_bytes_on_every_machine() {
    let mut market = GeneratedMarket::built_in(1);
    let data = market.data_set(&[btc(), symbol("SOLUSDT")], Interval::M15, NEW_YEAR, 200, 50).unwrap();
    assert_eq!(data.content_hash(), "ca5d166de7cbe154c847b2d0ec2d0a920634e7824786605efcf87a0156de5c49");
}

#[test]
fn more_bars_continue_the_same_schedule() {
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT"].map(symbol);
    let mut market = GeneratedMarket::built_in(9);
    let short = market.data_set(&symbols, Interval::M15, NEW_YEAR, 100, 50).unwrap();
    let long = market.data_set(&symbols, Interval::M15, NEW_YEAR, 200, 50).unwrap();
    let steps = |data: DataSet| Schedule::new(Arc::new(data), 50).collect::<Vec<_>>();
    let (short, long) = (steps(short), steps(long));
    assert_eq!(short, long[..short.len()]);
    let count = |wanted: fn(&MarketStep) -> bool| long.iter().filter(|step| wanted(step)).count();
    assert_eq!(count(|step| matches!(step, MarketStep::Warmup { .. })), 4 * 50);
    assert_eq!(count(|step| matches!(step, MarketStep::BarClosed { .. })), 4 * 200);
    assert_eq!(count(|step| matches!(step, MarketStep::Move { .. })), 4 * 800);
    assert_eq!(count(|step| matches!(step, MarketStep::Move { jump: true, .. })), 0);
    // 200 bars are 50 hours from midnight: six settlements each.
    assert_eq!(count(|step| matches!(step, MarketStep::Funding { .. })), 4 * 6);
}

/// 1990-01-01.
const BEGINNING: i64 = 631_152_000_000;

fn query(interval: KlineInterval, start_ms: Option<i64>, end_ms: Option<i64>, now_ms: i64) -> KlineQuery {
    KlineQuery { interval, start_ms, end_ms, limit: 10, now_ms }
}

#[test]
fn the_market_begins_in_1990_with_a_kline_of_every_length() {
    let mut market = GeneratedMarket::built_in(4);
    for interval in KlineInterval::all() {
        let mut opens = |start, end| {
            let klines = market.klines(btc(), &query(interval, start, end, NEW_YEAR)).unwrap();
            klines.iter().map(|kline| kline.open_ms).collect::<Vec<_>>()
        };
        for before in [i64::MIN, 0, BEGINNING] {
            let opens = opens(Some(before), None);
            assert_eq!((opens.len(), opens[0]), (10, BEGINNING), "{interval}");
        }
        assert_eq!(opens(None, Some(BEGINNING)), [BEGINNING], "{interval}");
        assert_eq!(opens(None, Some(BEGINNING - 1)), [0_i64; 0], "{interval}");
        assert_eq!(opens(Some(NEW_YEAR + 1), None), [0_i64; 0], "{interval}");
        assert_eq!(opens(Some(i64::MAX), Some(i64::MAX)), [0_i64; 0], "{interval}");
    }
    let prints = market.trades(btc(), i64::MIN, BEGINNING + 60_000, 3).unwrap();
    assert_eq!(prints, market.trades_from(btc(), i64::MIN, 3, NEW_YEAR).unwrap());
    assert!(prints[0].at_ms >= BEGINNING && prints[0].id > 0);
    let newest = market.latest_trades(btc(), 1_000, BEGINNING + 1_000).unwrap();
    assert!(!newest.is_empty() && newest.len() < 1_000);
    let funding = market.funding(btc(), 0, NEW_YEAR, 1).unwrap();
    assert_eq!(funding[0].at_ms, BEGINNING);
    assert!(market.funding(btc(), i64::MIN, BEGINNING - 1, 9).unwrap().is_empty());
}

#[test]
fn what_cannot_be_answered_is_an_error() {
    let mut market = GeneratedMarket::built_in(1);
    let error = market.price_at(symbol("PEPEUSDT"), NEW_YEAR).unwrap_err().to_string();
    assert!(error.contains("no PEPEUSDT, only ADAUSDT"), "{error}");
    assert!(market.price_at(btc(), i64::MAX).is_err());
    assert!(market.price_at(btc(), BEGINNING - 1).is_err());
    assert!(market.trades_from(btc(), i64::MAX, 10, NEW_YEAR).is_err());
    for extreme in [i64::MIN, i64::MAX] {
        let query = query(KlineInterval::Month, None, None, extreme);
        assert!(market.klines(btc(), &query).is_err());
    }
    let profile = SymbolProfile::built_in(btc()).unwrap();
    assert!(GeneratedMarket::new(1, vec![profile.clone(), profile]).is_err());
    assert!(GeneratedMarket::new(1, Vec::new()).is_err());
}

fn log_changes(klines: &[Kline]) -> Vec<f64> {
    klines.windows(2).map(|pair| (pair[1].close as f64 / pair[0].close as f64).ln()).collect()
}
fn deviation(changes: &[f64]) -> f64 {
    let mean = changes.iter().sum::<f64>() / changes.len() as f64;
    (changes.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / changes.len() as f64).sqrt()
}
fn kurtosis(changes: &[f64]) -> f64 {
    let square = deviation(changes).powi(2);
    changes.iter().map(|x| x.powi(4)).sum::<f64>() / changes.len() as f64 / (square * square)
}
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    product / a.len() as f64 / (deviation(a) * deviation(b))
}

#[test]
fn volatility_tails_clusters_and_correlation_are_those_of_a_market() {
    let mut market = GeneratedMarket::built_in(1);
    let (from, to) = (NEW_YEAR - 60 * DAY_MS, NEW_YEAR);
    let per_year = (365.0 * 96.0_f64).sqrt();
    let btc_changes = log_changes(&klines(&mut market, btc(), fixed(Interval::M15), from, to));
    for name in market.symbols().collect::<Vec<_>>() {
        let changes = log_changes(&klines(&mut market, name, fixed(Interval::M15), from, to));
        let yearly = deviation(&changes) * per_year;
        println!("{name}: yearly {yearly:.2}, kurtosis {:.1}", kurtosis(&changes));
        assert!((0.3..1.5).contains(&yearly), "{name}: yearly volatility {yearly}");
        assert!(kurtosis(&changes) > 4.0, "{name}: kurtosis {}", kurtosis(&changes));
        let sizes: Vec<f64> = changes.iter().map(|x| x.abs()).collect();
        let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
        let centred: Vec<f64> = sizes.iter().map(|x| x - mean).collect();
        let clustering = correlation(&centred[1..], &centred[..centred.len() - 1]);
        assert!(clustering > 0.1, "{name}: sizes of neighbours correlate {clustering}");
        assert!(correlation(&changes[1..], &changes[..changes.len() - 1]).abs() < 0.15, "{name}");
        let common = correlation(&changes, &btc_changes);
        println!("  clustering {clustering:.2}, with BTC {common:.2}");
        assert!(common > 0.4, "{name}: correlation with BTC {common}");
    }
}

#[test]
fn prices_stay_within_a_factor_of_five_and_still_go_places() {
    for seed in 1..3 {
        let mut market = GeneratedMarket::built_in(seed);
        for (name, anchor) in [("BTCUSDT", 680_000.0), ("SOLUSDT", 150_000.0)] {
            let months =
                klines(&mut market, symbol(name), fixed(Interval::D1), NEW_YEAR - 1_000 * DAY_MS, NEW_YEAR);
            let high = months.iter().map(|month| month.high).max().unwrap() as f64;
            let low = months.iter().map(|month| month.low).min().unwrap() as f64;
            println!("seed {seed} {name}: {:.2}..{:.2} of the anchor", low / anchor, high / anchor);
            assert!(high / anchor < 5.1 && low / anchor > 0.19, "seed {seed} {name}");
            assert!(high / low > 1.5, "seed {seed} {name}: {}", high / low);
        }
    }
}

#[test]
fn there_are_jumps_and_trends_of_days_and_of_months() {
    let mut market = GeneratedMarket::built_in(1);
    let days = klines(&mut market, btc(), fixed(Interval::D1), NEW_YEAR - 1_000 * DAY_MS, NEW_YEAR);
    let moved = |length: usize| {
        days.windows(length)
            .map(|part| part[length - 1].close as f64 / part[0].open as f64 - 1.0)
            .collect::<Vec<_>>()
    };
    for (length, size) in [(5, 0.10), (60, 0.25)] {
        let moves = moved(length);
        assert!(moves.iter().any(|part| *part > size), "no rise over {length} days");
        assert!(moves.iter().any(|part| *part < -size), "no fall over {length} days");
    }
    let minutes = klines(&mut market, btc(), fixed(Interval::M1), NEW_YEAR - 90 * DAY_MS, NEW_YEAR);
    let jumps = log_changes(&minutes).iter().filter(|change| change.abs() > 0.01).count();
    assert!((3..200).contains(&jumps), "{jumps} minutes moved more than one percent");
}

#[test]
fn funding_is_mostly_the_base_rate_sometimes_negative_and_never_beyond_the_cap() {
    let mut market = GeneratedMarket::built_in(1);
    let rows = market.funding(symbol("SOLUSDT"), NEW_YEAR - 300 * DAY_MS, NEW_YEAR, usize::MAX).unwrap();
    assert_eq!(rows.len(), 901);
    assert!(
        rows.iter()
            .all(|row| row.at_ms % (8 * 3_600_000) == 0 && row.rate.abs().to_string().as_str() <= "0.003")
    );
    let rate = |row: &hedge_sim::market::FundingPayment| row.rate.to_string().parse::<f64>().unwrap();
    let rates: Vec<f64> = rows.iter().map(rate).collect();
    let base = rates.iter().filter(|rate| **rate == 0.0001).count();
    let negative = rates.iter().filter(|rate| **rate < 0.0).count();
    println!("base {base}, negative {negative} of 901");
    assert!((300..850).contains(&base) && (9..300).contains(&negative));
    let mean = rates.iter().sum::<f64>() / 901.0;
    let centred: Vec<f64> = rates.iter().map(|rate| rate - mean).collect();
    assert!(correlation(&centred[1..], &centred[..900]) > 0.5);
    let open =
        klines(&mut market, symbol("SOLUSDT"), fixed(Interval::M1), rows[7].at_ms, rows[7].at_ms + 60_000)[0];
    assert_eq!(rows[7].mark, Some(open.price(open.open)));
    assert_eq!(market.next_funding(symbol("SOLUSDT"), rows[7].at_ms).unwrap(), rows[8]);
}
