//! The exchange as an auditor sees it: asked over its sockets, by code that the executor has no part in.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read, Write as _},
    net::TcpStream,
    time::{Duration, SystemTime},
};

use hedge_sim::binance::ApiKey;
use ring::hmac;
use rust_decimal::Decimal;
use serde_json::Value;

/// Longer than any answer takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// As many as the exchange gives at once.
const TRADES_AT_ONCE: usize = 1_000;

/// Where the exchange answers.
#[derive(Clone, Debug)]
pub struct Venue {
    host: String,
}

/// Quantity by symbol and side.
pub type Legs = BTreeMap<(String, String), Decimal>;

/// One order of either id space.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The order that executes: of a conditional order its child, once it has one.
    pub executes: Option<u64>,
    pub is_open: bool,
    /// Takes the whole leg, however large it is.
    pub is_close_all: bool,
    /// Executed; of a conditional order what its child executed.
    pub executed: Decimal,
    /// The leg, where this is a stop that covers it.
    pub stops: Option<(String, String)>,
    /// How much of the leg it covers; all of it where absent.
    pub covers: Option<Decimal>,
}

/// One account, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub legs: Legs,
    pub wallet: Decimal,
    /// By client id. An id that stands for several orders has several rows.
    pub orders: BTreeMap<String, Vec<Order>>,
}

impl Account {
    /// Client ids of open orders.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        self.orders.iter().filter(|(_, rows)| rows.iter().any(|row| row.is_open)).map(|(id, _)| id.as_str())
    }

    /// Open legs without a live stop for all of them.
    pub fn bare(&self) -> Vec<(String, String)> {
        let covers = |leg: &(String, String), qty: Decimal| {
            self.orders.values().flatten().any(|order| {
                order.is_open
                    && order.stops.as_ref() == Some(leg)
                    && order.covers.is_none_or(|covered| covered >= qty)
            })
        };
        self.legs.iter().filter(|(leg, qty)| !covers(leg, **qty)).map(|(leg, _)| leg.clone()).collect()
    }
}

/// One execution.
#[derive(Clone, Debug)]
pub struct Trade {
    pub id: u64,
    pub order: u64,
    pub qty: Decimal,
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value} is no number")).parse::<Decimal>().unwrap().normalize()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn leg(row: &Value) -> (String, String) {
    (text(&row["symbol"]), text(&row["position_side"]))
}

impl Venue {
    /// By its address, `http://127.0.0.1:…`.
    pub fn at(rest: &str) -> Self {
        Self { host: rest.strip_prefix("http://").unwrap().to_owned() }
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Value {
        let (host, length, key) = (&self.host, body.len(), ApiKey::DEMO_KEY);
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-MBX-APIKEY: {key}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    fn signed(&self, method: &str, path: &str, query: &str) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let query = format!("{query}&timestamp={now}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, ApiKey::DEMO_SECRET.as_bytes());
        let signature =
            hmac::sign(&key, query.as_bytes()).as_ref().iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            });
        self.request(method, &format!("{path}?{query}&signature={signature}"), "")
    }

    /// Opens a LONG leg at the market, as a person would.
    #[allow(dead_code, reason = "the tests that share this file use a part")]
    pub fn open_by_hand(&self, symbol: &str, qty: &str, client_id: &str) {
        let order = format!(
            "symbol={symbol}&side=BUY&positionSide=LONG&type=MARKET&quantity={qty}&newClientOrderId={client_id}"
        );
        self.signed("POST", "/fapi/v1/order", &order);
    }

    /// The minute of its clock: requests are counted from there.
    #[allow(dead_code, reason = "the tests that share this file use a part")]
    pub fn minute(&self) -> i64 {
        self.request("GET", "/fapi/v1/time", "")["serverTime"].as_i64().unwrap() / 60_000
    }

    /// Arms a fault.
    pub fn fault(&self, fault: &Value) {
        self.request("POST", "/sim/faults", &fault.to_string());
    }

    /// Clears every fault.
    pub fn clear_faults(&self) {
        self.request("DELETE", "/sim/faults", "");
    }

    /// The account as it stands; with everything that has ended, if asked for.
    pub fn account(&self, with_history: bool) -> Account {
        let path = if with_history { "/sim/state?all=1" } else { "/sim/state" };
        let state = self.request("GET", path, "");
        let account = &state["accounts"][0];
        let rows = |name: &str| account[name].as_array().unwrap();
        let legs = rows("legs").iter().map(|row| (leg(row), decimal(&row["qty"]).abs()));
        let wallet = rows("assets").iter().find(|row| row["asset"] == "USDT").unwrap();
        let mut orders: BTreeMap<String, Vec<Order>> = BTreeMap::new();
        // The child of a conditional order bears that one's client id.
        for row in rows("orders").iter().filter(|row| row["algo_id"].is_null()) {
            orders.entry(text(&row["client_order_id"])).or_default().push(plain(row));
        }
        for row in rows("algo_orders") {
            orders.entry(text(&row["client_algo_id"])).or_default().push(conditional(row));
        }
        Account {
            legs: legs.filter(|(_, qty)| !qty.is_zero()).collect(),
            wallet: decimal(&wallet["wallet_balance"]),
            orders,
        }
    }

    /// Executions of a symbol from one on.
    pub fn trades(&self, symbol: &str, from: u64) -> Vec<Trade> {
        let mut trades: Vec<Trade> = Vec::new();
        loop {
            let from = trades.last().map_or(from, |last| last.id + 1);
            let query = format!("symbol={symbol}&limit={TRADES_AT_ONCE}&fromId={from}");
            let page = self.signed("GET", "/fapi/v1/userTrades", &query);
            let page = page.as_array().unwrap();
            trades.extend(page.iter().map(|row| Trade {
                id: row["id"].as_u64().unwrap(),
                order: row["orderId"].as_u64().unwrap(),
                qty: decimal(&row["qty"]),
            }));
            if page.len() < TRADES_AT_ONCE {
                return trades;
            }
        }
    }
}

fn plain(row: &Value) -> Order {
    let open = ["NEW", "PARTIALLY_FILLED"];
    Order {
        executes: row["order_id"].as_u64(),
        is_open: open.contains(&row["status"].as_str().unwrap()),
        is_close_all: false,
        executed: decimal(&row["executed_qty"]),
        stops: None,
        covers: None,
    }
}

fn conditional(row: &Value) -> Order {
    let (is_stop, is_close_all) = (row["order_type"] == "STOP_MARKET", row["close_position"] == true);
    Order {
        executes: row["actual_order_id"].as_u64(),
        is_open: row["status"] == "NEW",
        is_close_all,
        executed: decimal(&row["actual_qty"]),
        stops: is_stop.then(|| leg(row)),
        covers: (!is_close_all).then(|| decimal(&row["qty"])),
    }
}
