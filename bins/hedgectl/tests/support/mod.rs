//! Runs the binary in a folder of its own, on made-up or recorded data.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses a part of it; a helper fails the test"
)]

pub(crate) mod dumps;
pub(crate) mod venue;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `hedgectl` in an empty folder, so that no configuration and no state of the machine is picked up.
pub(crate) fn hedgectl(args: &[&str]) -> Run {
    hedgectl_in(&Folder::new(), args)
}

/// Runs `hedgectl` in a folder.
pub(crate) fn hedgectl_in(folder: &Folder, args: &[&str]) -> Run {
    hedgectl_with(&folder.0, args, &[])
}

/// Runs `hedgectl` in a folder, with variables.
pub(crate) fn hedgectl_with(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedgectl"));
    without_our_variables(&mut command);
    let output = command
        .args(args)
        .current_dir(folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What the person who runs the tests has set is nobody's business here.
pub(crate) fn without_our_variables(command: &mut Command) {
    let ours = ["DRY_RUN", "SAFE_MODE", "ENV", "LOG_LEVEL", "EVENT_STORE_ROOT", "HEARTBEAT_TZ"];
    let prefixes = ["HEDGE__", "BINANCE_", "TELEGRAM_"];
    for (name, _) in env::vars() {
        if ours.contains(&name.as_str()) || prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}

/// A path inside the recorded data; tells that the test is skipped when there is none.
pub(crate) fn recorded(path: &str) -> Option<String> {
    match env::var_os("HEDGE_TEST_DATA") {
        Some(root) => {
            println!("DATA TEST hedgectl: {path}");
            Some(Path::new(&root).join(path).display().to_string())
        }
        None => {
            println!("SKIP: HEDGE_TEST_DATA is not set");
            None
        }
    }
}

/// A folder that vanishes with its test.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf, String);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("hedgectl-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let text = path.display().to_string();
        Self(path, text)
    }
    /// With `bars` made-up 15-minute bars of BTCUSDT and ETHUSDT from 2026-01-01 on, in the layout of the public dumps.
    pub(crate) fn with_klines(bars: usize) -> Self {
        let folder = Self::new();
        for (symbol, price, seed) in [("BTCUSDT", 600_000_i64, 11), ("ETHUSDT", 300_000, 5)] {
            folder.write(&format!("{symbol}-15m-2026.csv"), &klines(bars, price, seed));
        }
        folder
    }
    pub(crate) fn path(&self) -> &str {
        &self.1
    }
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    /// The layout of a venue: klines with funding beside them, and a folder of instruments above.
    pub(crate) fn with_venue(bars: usize) -> Self {
        let folder = Self::new();
        folder.write("venue/klines_15m/BTCUSDT-15m-2026.csv", &klines(bars, 600_000, 11));
        let mut funding = String::from("calc_time,funding_interval_hours,last_funding_rate\n");
        for i in 0..bars as i64 / 32 {
            // Some milliseconds after the full hour, as exchanges stamp it.
            funding.push_str(&format!("{},8,0.0001\n", 1_767_225_600_000 + i * 28_800_000 + 7));
        }
        folder.write("venue/funding/BTCUSDT-fundingRate-2026.csv", &funding);
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A price in tenths that drifts one way for a while and then the other, with noise.
pub(crate) fn klines(bars: usize, first: i64, seed: u64) -> String {
    let mut csv = String::from(
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n",
    );
    let mut state = seed;
    let mut noise = |width: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % (2 * width + 1) - width
    };
    let tenths = |price: i64| format!("{}.{}", price / 10, price % 10);
    let mut open = first;
    for i in 0..bars as i64 {
        let open_time = 1_767_225_600_000 + i * 900_000;
        let trend = if (i / 40) % 2 == 0 { 6 } else { -6 };
        let close = open + open * (trend + noise(30)) / 10_000;
        let high = open.max(close) + noise(100).abs() * open / 200_000;
        let low = open.min(close) - noise(100).abs() * open / 200_000;
        let [o, h, l, c] = [open, high, low, close].map(tenths);
        csv.push_str(&format!("{open_time},{o},{h},{l},{c},12.5,{},,,,,\n", open_time + 899_999));
        open = close;
    }
    csv
}
