//! Recorded tick streams as the live market.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hedge_sim::binance::{Exchange, ExchangeConfig, MarketSource, Pace};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, config, number};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hedge-sim-ticks-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn played(path: &Path, speed: f64) -> ExchangeConfig {
    let market = MarketSource::Ticks { path: path.to_owned(), symbols: Vec::new() };
    ExchangeConfig { market, pace: Pace::Speed(speed), ..config() }
}

fn best(ms: i64, bid: &str, ask: &str) -> String {
    json!({"stream": "ethusdt@bookTicker", "data": {
        "e": "bookTicker", "u": ms, "s": "ETHUSDT", "b": bid, "B": "1.000", "a": ask, "A": "2.000", "T": ms, "E": ms,
    }})
    .to_string()
}

fn trade(ms: i64, id: u64, price: &str, maker: bool) -> String {
    json!({"stream": "ethusdt@trade", "data": {
        "e": "trade", "E": ms, "T": ms, "s": "ETHUSDT", "t": id, "p": price, "q": "0.500", "X": "MARKET", "m": maker,
    }})
    .to_string()
}

fn diff(ms: i64, [first, last, before]: [u64; 3], bids: Value, asks: Value) -> String {
    json!({"e": "depthUpdate", "E": ms, "T": ms, "s": "ETHUSDT", "U": first, "u": last, "pu": before, "b": bids, "a": asks})
        .to_string()
}

/// A small recording: a snapshot between changes, then prices that fall by 2 and rise again.
fn recording() -> String {
    let t = 1_700_000_000_000;
    let snapshot = json!({"lastUpdateId": 105, "E": t + 20, "T": t + 20,
        "bids": [["3000.00", "1.000"], ["2999.00", "5.000"], ["2990.00", "7.000"]],
        "asks": [["3000.10", "2.000"], ["3001.00", "4.000"], ["3010.00", "6.000"]]});
    [
        diff(t, [90, 100, 89], json!([["2500.00", "9.000"]]), json!([])),
        diff(t + 10, [101, 110, 100], json!([["2998.00", "3.000"]]), json!([["3001.00", "0.000"]])),
        snapshot.to_string(),
        best(t + 30, "3000.00", "3000.10"),
        trade(t + 40, 7_001, "3000.10", false),
        diff(t + 1_000, [111, 120, 110], json!([["2990.00", "0.000"]]), json!([["3002.00", "1.500"]])),
        best(t + 2_000, "2998.00", "2998.10"),
        trade(t + 2_010, 7_002, "2998.00", true),
        trade(t + 61_000, 7_003, "2998.10", false),
    ]
    .join("\n")
}

#[tokio::test]
async fn the_recorded_book_is_the_book_and_fills_come_from_it() {
    let folder = Folder::new("book");
    let file = folder.file("ETHUSDT-raw.jsonl", &recording());
    let mut config = played(&file, 1.0);
    config.pace = Pace::Speed(0.001);
    let desk = Desk::open(config).await;
    desk.signed(Method::POST, "/fapi/v1/positionSide/dual", "dualSidePosition=true").await.ok();
    assert!(
        desk.exchange.notes().iter().any(|note| note.contains("8 events")),
        "{:?}",
        desk.exchange.notes()
    );
    // At the start the snapshot, the change that reaches behind it, the best prices and a trade are known.
    let book = desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=10").await.ok();
    assert_eq!(
        book["bids"],
        json!([["3000.00", "1.000"], ["2999.00", "5.000"], ["2998.00", "3.000"], ["2990.00", "7.000"]])
    );
    assert_eq!(book["asks"], json!([["3000.10", "2.000"], ["3010.00", "6.000"]]));
    assert_eq!(desk.get("/fapi/v1/ticker/price", "symbol=ETHUSDT").await.ok()["price"], "3000.10");
    let trades = desk.get("/fapi/v1/trades", "symbol=ETHUSDT").await.ok();
    assert_eq!((&trades[0]["id"], trades.as_array().unwrap().len()), (&json!(7_001), 1));
    // Two at the best ask, one of the level behind it.
    let order = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=2.5&newClientOrderId=taker";
    desk.order(order).await.ok();
    let filled = desk.signed(Method::GET, "/fapi/v1/userTrades", "symbol=ETHUSDT").await.ok();
    let of = |at: usize| (filled[at]["price"].as_str().unwrap(), filled[at]["qty"].as_str().unwrap());
    assert_eq!([of(0), of(1)], [("3000.10", "2.000"), ("3010.00", "0.500")]);
    let left = desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=5").await.ok();
    assert_eq!(
        left["asks"],
        json!([["3010.00", "5.500"]]),
        "what was eaten stays eaten until the next quote"
    );
    // A bid fills when the recorded ask comes to it.
    let bid = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.4&price=2999.50&newClientOrderId=maker";
    desk.order(bid).await.ok();
    let find = async || {
        desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=maker").await.ok()
    };
    assert_eq!(find().await["status"], "NEW");
    let mut socket = desk.socket("/public/ws/ethusdt@bookTicker").await;
    desk.exchange.set_speed(100.0).unwrap();
    while socket.event("bookTicker").await["b"] != "2998.00" {}
    assert_eq!(find().await["status"], "FILLED");
    assert_eq!(find().await["avgPrice"], "2999.50");
    let all = async {
        while desk.get("/fapi/v1/trades", "symbol=ETHUSDT").await.ok().as_array().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    let rows = desk.get("/fapi/v1/klines", "symbol=ETHUSDT&interval=1m").await.ok();
    assert!(rows.as_array().unwrap().len() >= 2, "the trades are a minute apart");
    let volume: f64 = rows.as_array().unwrap().iter().map(|row| number(&row[5])).sum();
    assert_eq!(volume, 1.5);
    // When the recording is over the market stands still and answers on.
    assert_eq!(desk.get("/fapi/v1/ticker/price", "symbol=ETHUSDT").await.ok()["price"], "2998.10");
    desk.get("/fapi/v1/ticker/24hr", "symbol=ETHUSDT").await.ok();
    assert_eq!(desk.get("/fapi/v1/fundingRate", "symbol=ETHUSDT").await.ok(), json!([]));
}

#[tokio::test]
async fn tables_alone_make_a_market_with_a_made_up_book_behind_it() {
    let folder = Folder::new("tables");
    folder.file(
        "ETHUSDT-bookTicker-x.csv",
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n1,3000.00,1.000,3000.20,2.000,1700000000000,1700000000000\n",
    );
    folder.file(
        "ETHUSDT-trades-x.csv",
        "id,price,qty,quote_qty,time,is_buyer_maker\n5,3000.20,0.100,300.02,1700000000005,false\n",
    );
    let desk = Desk::open(played(&folder.0, 1.0)).await;
    let ticker = desk.get("/fapi/v1/ticker/bookTicker", "symbol=ETHUSDT").await.ok();
    assert_eq!((&ticker["bidPrice"], &ticker["askPrice"]), (&json!("3000.00"), &json!("3000.20")));
    let book = desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=100").await.ok();
    assert_eq!(book["bids"].as_array().unwrap().len(), 100);
    assert_eq!(desk.get("/fapi/v1/trades", "symbol=ETHUSDT").await.ok()[0]["id"], 5);
}

#[tokio::test]
async fn what_cannot_be_played_is_refused_by_file_and_line() {
    let folder = Folder::new("refused");
    let good = best(1, "3000.00", "3000.10");
    let cases = [
        ("ETHUSDT-a.jsonl", format!("{good}\nnot json"), "line 2: not a captured message"),
        (
            "ETHUSDT-b.jsonl",
            format!("{good}\n{}", trade(2, 1, "3000.001", true)),
            "line 2: price \"3000.001\"",
        ),
        ("ETHUSDT-c.jsonl", good.clone(), "need best prices (bookTicker) and trades"),
        ("NOPEUSDT-d.jsonl", good.replace("ETHUSDT", "NOPEUSDT"), "no instrument"),
        ("ETHUSDT-e.csv", "a,b\n1,2\n".to_owned(), "line 1: the header is neither"),
        (
            "ETHUSDT-trades-f.csv",
            "id,price,qty,time,is_buyer_maker\n1,3000.00,1.0,now,true\n".to_owned(),
            "line 2: time",
        ),
        ("other.csv", String::new(), "expected a name"),
    ];
    for (name, text, said) in cases {
        let file = folder.file(name, &text);
        let error = Exchange::start(played(&file, 1.0)).await.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{name}: {error}");
    }
    let lockstep = ExchangeConfig { pace: Pace::Lockstep, ..played(&folder.0.join("ETHUSDT-c.jsonl"), 1.0) };
    assert!(Exchange::start(lockstep).await.unwrap_err().to_string().contains("lockstep"));
}

#[tokio::test]
async fn a_restart_on_the_log_goes_on_where_the_recording_was() {
    let folder = Folder::new("log");
    let file = folder.file("ETHUSDT-raw.jsonl", &recording());
    let logged = || ExchangeConfig {
        log_path: Some(folder.0.join("log")),
        start_ms: Some(1_795_168_800_000),
        ..played(&file, 1_000.0)
    };
    let desk = Desk::open(logged()).await;
    let over = async {
        while desk.get("/fapi/v1/trades", "symbol=ETHUSDT").await.ok().as_array().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over).await.unwrap();
    let digest = desk.exchange.state_digest();
    desk.exchange.shutdown().await;
    let again = Desk::open(logged()).await;
    assert_eq!(again.exchange.state_digest(), digest);
    let trades = again.get("/fapi/v1/trades", "symbol=ETHUSDT").await.ok();
    assert_eq!(trades.as_array().unwrap().len(), 3, "the tape is that of the recording");
    again.exchange.shutdown().await;
}

/// DATA TEST: six recorded minutes of BTCUSDT, played over sockets and compared with the recording itself.
#[tokio::test]
async fn six_recorded_minutes_of_a_live_market_come_over_the_sockets() {
    let Some(data) = std::env::var_os("HEDGE_TEST_DATA") else {
        return println!("SKIP recorded ticks: HEDGE_TEST_DATA is not set");
    };
    let path = Path::new(&data).join("binance_um/ticks");
    println!("DATA TEST {}", path.display());
    let config =
        ExchangeConfig { environment: hedge_sim::binance::Environment::Mainnet, ..played(&path, 60.0) };
    let desk = Desk::open(config).await;
    assert!(desk.exchange.notes().iter().any(|note| note.contains("2 tables beside them are not")));
    assert!(!desk.exchange.notes().iter().any(|note| note.contains("holes")), "{:?}", desk.exchange.notes());
    let mut depth = desk.socket("/public/ws/btcusdt@depth@100ms").await;
    let mut trades = desk.socket("/market/ws/btcusdt@aggTrade").await;
    let first = depth.event("depthUpdate").await;
    let snapshot = desk.get("/fapi/v1/depth", "symbol=BTCUSDT&limit=1000").await.ok();
    let mut book = Book::default();
    book.change(&snapshot["bids"], &snapshot["asks"]);
    let known = snapshot["lastUpdateId"].as_i64().unwrap();
    let mut last = first["u"].as_i64().unwrap();
    for _ in 0..30 {
        let event = depth.event("depthUpdate").await;
        assert_eq!(event["pu"].as_i64(), Some(last), "the chain holds");
        last = event["u"].as_i64().unwrap();
        if last >= known {
            book.change(&event["b"], &event["a"]);
            let (bid, ask) = (book.bids.keys().next_back().unwrap(), book.asks.keys().next().unwrap());
            assert!(bid < ask, "the book is never crossed: {bid} {ask}");
            assert!((6_150_000..=6_190_000).contains(bid), "{bid}");
        }
    }
    // Recorded ids and prices, without a hole.
    let mut id = None;
    for _ in 0..500 {
        let trade = trades.event("aggTrade").await;
        let now = trade["a"].as_i64().unwrap();
        assert!(id.is_none_or(|id| now == id + 1), "{trade}");
        assert!((61_590.3..=61_839.9).contains(&number(&trade["p"])), "{trade}");
        id = Some(now);
    }
    desk.signed(Method::POST, "/fapi/v1/positionSide/dual", "dualSidePosition=true").await.ok();
    desk.order("symbol=BTCUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.05").await.ok();
    let fill = desk.signed(Method::GET, "/fapi/v1/userTrades", "symbol=BTCUSDT").await.ok()[0].clone();
    assert!((61_590.0..=61_840.0).contains(&number(&fill["price"])), "{fill}");
}

/// A local book in hundredths of a dollar.
#[derive(Default)]
struct Book {
    bids: std::collections::BTreeMap<i64, f64>,
    asks: std::collections::BTreeMap<i64, f64>,
}

impl Book {
    fn change(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels.as_array().unwrap() {
                let (price, qty) = ((number(&level[0]) * 100.0).round() as i64, number(&level[1]));
                if qty == 0.0 {
                    side.remove(&price)
                } else {
                    side.insert(price, qty)
                };
            }
        }
    }
}
