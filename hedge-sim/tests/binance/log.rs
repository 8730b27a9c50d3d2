use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use hedge_sim::binance::{Exchange, ExchangeConfig, LockstepStep, Pace};
use reqwest::Method;
use serde_json::json;

use crate::kit::{Desk, config};

struct LogFile(PathBuf);

impl LogFile {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hedge-sim-wire-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn logged(path: &Path, pace: Pace) -> ExchangeConfig {
    ExchangeConfig { log_path: Some(path.to_owned()), pace, ..config() }
}

/// What a SIGKILL leaves behind: the log as the operating system has it at this moment.
fn left_by_a_kill(file: &LogFile, name: &str) -> LogFile {
    let copy = LogFile::new(name);
    std::fs::copy(&file.0, &copy.0).unwrap();
    copy
}

async fn stop(desk: Desk) {
    desk.exchange.shutdown().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let file = LogFile::new("kill");
    let desk = Desk::hedged(logged(&file.0, Pace::Lockstep)).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5&newClientOrderId=kept")
        .await
        .ok();
    for _ in 0..37 {
        assert_ne!(desk.exchange.lockstep_step().unwrap(), LockstepStep::Ended);
    }
    desk.order("symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=9").await.refused(400, -2022);
    let key = desk.listen_key().await;
    let (digest, now) = (desk.exchange.state_digest(), desk.exchange.now_ms());
    let left = left_by_a_kill(&file, "left");
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=3").await.ok();
    let desk = Desk::open(logged(&left.0, Pace::Lockstep)).await;
    assert_eq!((desk.exchange.state_digest(), desk.exchange.now_ms()), (digest, now));
    assert_eq!(desk.listen_key().await, key);
    let row = desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=kept").await.ok();
    assert_eq!(row["status"], "FILLED");
    assert_eq!(
        desk.signed(Method::GET, "/fapi/v1/positionSide/dual", "").await.ok(),
        json!({"dualSidePosition": true})
    );
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_as_if_it_had_not_been() {
    let (cut, whole) = (LogFile::new("cut"), LogFile::new("whole"));
    let start_ms = Some(1_700_000_000_000);
    let run = |path: PathBuf, parts: Vec<usize>| async move {
        let mut digest = String::new();
        for steps in parts {
            let desk = Desk::open(ExchangeConfig { start_ms, ..logged(&path, Pace::Lockstep) }).await;
            for _ in 0..steps {
                desk.exchange.lockstep_step().unwrap();
            }
            digest = desk.exchange.state_digest();
            stop(desk).await;
        }
        digest
    };
    assert_eq!(run(cut.0.clone(), vec![11, 0, 23, 66]).await, run(whole.0.clone(), vec![100]).await);
}

#[tokio::test]
async fn an_exchange_at_a_finite_speed_is_replayed_too() {
    let file = LogFile::new("finite");
    let desk = Desk::hedged(logged(&file.0, Pace::Speed(50.0))).await;
    desk.order("symbol=BTCUSDT&side=SELL&positionSide=SHORT&type=MARKET&quantity=0.05").await.ok();
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    desk.exchange.set_paused(true).unwrap();
    let digest = desk.exchange.state_digest();
    stop(desk).await;
    let desk = Desk::open(logged(&file.0, Pace::Speed(0.001))).await;
    desk.exchange.set_paused(true).unwrap();
    assert_eq!(desk.exchange.legs().unwrap().len(), 1);
    assert!(
        desk.exchange.notes().iter().any(|note| note.contains("replayed")),
        "{:?}",
        desk.exchange.notes()
    );
    assert!(!digest.is_empty());
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_with_a_message() {
    let file = LogFile::new("torn");
    let desk = Desk::hedged(logged(&file.0, Pace::Lockstep)).await;
    let digest = desk.exchange.state_digest();
    stop(desk).await;
    OpenOptions::new().append(true).open(&file.0).unwrap().write_all(b"{\"c\":[17").unwrap();
    let desk = Desk::open(logged(&file.0, Pace::Lockstep)).await;
    assert_eq!(desk.exchange.state_digest(), digest);
    assert!(desk.exchange.notes().iter().any(|note| note.contains("torn")), "{:?}", desk.exchange.notes());
}

#[tokio::test]
async fn a_log_of_another_account_is_refused_by_name() {
    let file = LogFile::new("other");
    stop(Desk::open(logged(&file.0, Pace::Lockstep)).await).await;
    let richer = ExchangeConfig { balance_usdt: "20000".parse().unwrap(), ..logged(&file.0, Pace::Lockstep) };
    let error = Exchange::start(richer).await.unwrap_err().to_string();
    assert!(error.contains("balance_usdt is 10000 there and 20000 here"), "{error}");
}

#[tokio::test]
async fn an_address_beyond_this_machine_is_refused() {
    let open = ExchangeConfig { listen: "0.0.0.0:0".parse().unwrap(), ..config() };
    assert!(Exchange::start(open).await.unwrap_err().to_string().contains("loopback"));
}
