//! The released exchange, running as fast as it can be traded, and the released executor beside it.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use hedge_sim::binance::ApiKey;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    audit::Audit,
    journal::Tail,
    support::{Temp, command, fast::Fast, following::Following, released},
    venue::Venue,
};

/// Venue seconds in one of ours: a bar of a minute takes a fifth of a second.
pub const SPEED: u32 = 300;
pub const SYMBOLS: [&str; 7] = ["ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];
/// The exchange's time when it starts: a seed gives the same market whenever the test runs.
const START: &str = "2026-01-05T00:00:00.000Z";
/// The same. Units: milliseconds since 1970.
pub const START_MS: i64 = 1_767_571_200_000;
/// The line that says that the start is over.
pub const READY: &str = "[executor] account OK";

pub struct Stage {
    pub temp: Temp,
    pub venue: Venue,
    rest: String,
    ws: String,
    /// Lives as long as the stage.
    _exchange: Following,
}

impl Stage {
    pub fn new(name: &str) -> Self {
        Self::with_balance(name, Decimal::from(1_000_000))
    }

    /// The account begins with that many USDT.
    pub fn with_balance(name: &str, balance: Decimal) -> Self {
        let temp = Temp::new(name);
        write_config(&temp);
        let mut exchange = command(&temp, &released("hedge-exchange-sim"));
        exchange.args(["--venue", "binance", "--environment", "mainnet", "--hedge-mode", "--leverage", "3"]);
        exchange.args(["--start", START, "--speed", &SPEED.to_string(), "--balance", &balance.to_string()]);
        let mut exchange = Following::start(exchange);
        let ready: Value = serde_json::from_str(&exchange.wait_for("{")).unwrap();
        let url = |name: &str| ready[name].as_str().unwrap().to_owned();
        let (rest, ws) = (url("rest"), url("ws"));
        Self { temp, venue: Venue::at(&rest), rest, ws, _exchange: exchange }
    }

    pub fn dir(&self) -> PathBuf {
        self.temp.join("d")
    }

    /// A word to the script of a test, which waits for a file of that name.
    pub fn say(&self, word: &str) {
        fs::write(self.temp.join(word), "").unwrap();
    }

    pub fn audit(&self) -> Audit {
        Audit::new(self.venue.clone(), Tail::of(&self.dir()), &SYMBOLS)
    }

    /// A program of ours at this exchange.
    pub fn program(&self, name: &'static str) -> Command {
        let mut command = command(&self.temp, &released(name));
        self.point(&mut command);
        command
    }

    /// Tells a program where the exchange is.
    pub fn point(&self, command: &mut Command) {
        command
            .env("HEDGE__BINANCE__REST_URL", &self.rest)
            .env("HEDGE__BINANCE__WS_URL", &self.ws)
            .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
            .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET);
    }

    /// The executor's arguments.
    pub fn arguments() -> [String; 7] {
        let speed = SPEED.to_string();
        ["--config", "config", "--follow", "--state-dir", "d", "--time-scale", &speed].map(str::to_owned)
    }

    /// The executor, with a failpoint if one is given.
    pub fn start(&self, failpoint: Option<&str>) -> Following {
        let mut command = self.program("hedge-executor");
        command.args(Self::arguments());
        if let Some(failpoint) = failpoint {
            command.env("HEDGE_FAILPOINT", failpoint);
        }
        Following::start(command)
    }

    /// The executor, ready; and how long that took from the start of its process.
    pub fn start_to_ready(&self) -> (Following, Duration) {
        // Built before the clock runs, where it is not yet.
        released("hedge-executor");
        let began = Instant::now();
        let mut run = self.start(None);
        run.wait_for(READY);
        (run, began.elapsed())
    }
}

/// Strategies that trade every symbol all the time: in and out within three bars, with a stop and two take-profits.
fn write_config(temp: &Temp) {
    let fast = Fast {
        symbols: &SYMBOLS,
        take_profits: &[1.5, 3.0],
        limits: &[
            ("MAX_POSITIONS", 20),
            ("MAX_OPEN_ORDERS", 200),
            ("MAX_NOTIONAL_TOTAL_USDT", 100_000),
            ("MAX_NOTIONAL_PER_SYMBOL_USDT", 5_000),
        ],
        // The clock runs three hundred times as fast: ten minutes are two seconds.
        runtime: "[journal]\ndurability = \"os\"\nsegment_mb = 1\nmin_free_mb = 16\n\
                  [history]\nbars = 50\n[reconcile]\ninterval_s = 600\n[views]\ninterval_ms = 100\n",
    };
    fast.write(temp);
}
