//! `hedgectl ledger` as operators meet it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::fs;

use hedge_core::{Envelope, Event, Fact, OperatorCommand, Seq, StateStore, Timestamp};
use hedge_store::{
    FileOptions, FileStore, Owner, StateDir,
    sqlite::{Ledger, SqliteOptions},
};
use support::{Folder, Run, hedgectl_in};

/// A state directory whose journal has so many orders of an operator, one a minute from 2025-01-01 on.
fn with_journal(records: u64) -> Folder {
    let folder = Folder::new();
    let owner = Owner { profile: "paper".into(), venue: "binance-embedded".into(), run: None };
    StateDir::claim(folder.0.join("run"), &owner).unwrap();
    let batch: Vec<Envelope> = (0..records)
        .map(|seq| Envelope {
            seq: Seq(seq),
            at: Timestamp::from_ms(1_735_689_600_000 + seq as i64 * 60_000),
            cause: None,
            event: Event::Fact(Fact::Operator {
                command: OperatorCommand::ExitOnly,
                because: format!("reason\t{seq}"),
            }),
        })
        .collect();
    let store = FileStore::open(folder.0.join("run"), FileOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(Seq(0), &batch)).unwrap();
    folder
}

fn ledger(folder: &Folder, args: &[&str]) -> Run {
    hedgectl_in(folder, &[&["ledger"], args, &["--state-dir", "run"]].concat())
}

fn done(folder: &Folder, args: &[&str]) -> String {
    let run = ledger(folder, args);
    assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
    run.stdout
}

/// One line that begins with `error: ` besides the one that names the state directory.
fn refused(folder: &Folder, args: &[&str], code: i32, part: &str) {
    let run = ledger(folder, args);
    assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
    let errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{args:?}: {}", run.stderr);
    assert!(errors[0].contains(part), "{}", run.stderr);
    assert_eq!(run.stdout, "", "{args:?}");
}

#[test]
fn a_ledger_is_made_from_the_journal_and_can_be_asked() {
    let folder = with_journal(50);
    refused(&folder, &["query", "--fills"], 74, "hedgectl ledger rebuild");
    let said = done(&folder, &["rebuild"]);
    assert!(said.starts_with("run/ledger.sqlite: 50 records, "), "{said}");
    let sql = "SELECT seq, because FROM operator_orders WHERE seq < 2";
    assert_eq!(done(&folder, &["query", sql]), "seq\tbecause\n0\treason 0\n1\treason 1\n");
    assert_eq!(
        done(&folder, &["query", sql, "--json"]),
        "{\"seq\":0,\"because\":\"reason\\t0\"}\n{\"seq\":1,\"because\":\"reason\\t1\"}\n"
    );
    assert!(done(&folder, &["query", "--fills", "--symbol", "BTCUSDT"]).starts_with("time\tsymbol\tside\t"));
    for topic in ["--orders", "--positions", "--nav", "--decisions", "--checks", "--flows", "--runs"] {
        let text =
            done(&folder, &["query", topic, "--from", "2025-01-01", "--to", "2025-01-02", "--last", "3"]);
        assert!(text.starts_with("time\t"), "{topic}: {text}");
    }
    let left: Vec<String> = fs::read_dir(folder.0.join("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("part"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn what_is_no_question_is_refused_in_one_line() {
    let folder = with_journal(3);
    done(&folder, &["rebuild"]);
    let before = fs::read(folder.0.join("run/ledger.sqlite")).unwrap();
    refused(&folder, &["query", "DELETE FROM operator_orders"], 2, "the query was refused");
    refused(&folder, &["query", "ATTACH 'x' AS y"], 2, "the query was refused");
    refused(&folder, &["query", "SELECT x FROM operator_orders"], 2, "the query cannot be run");
    refused(&folder, &["query", "--nav", "--symbol", "BTCUSDT"], 2, "--symbol does not go with");
    for args in [
        &["query"][..],
        &["query", "SELECT 1", "--fills"],
        &["query", "--fills", "--orders"],
        &["query", "SELECT 1", "--from", "2025-01-01"],
    ] {
        let run = ledger(&folder, args);
        assert_eq!((run.code, run.stderr.lines().count()), (2, 1), "{args:?}: {}", run.stderr);
    }
    assert_eq!(fs::read(folder.0.join("run/ledger.sqlite")).unwrap(), before);
}

#[test]
fn backup_restore_and_export_keep_every_row_and_overwrite_nothing_unasked() {
    let folder = with_journal(40);
    done(&folder, &["rebuild"]);
    let all = done(&folder, &["query", "SELECT * FROM operator_orders"]);
    let said = done(&folder, &["backup", "copies/a.sqlite"]);
    assert!(said.starts_with("copies/a.sqlite: whole, up to record 40, "), "{said}");
    refused(&folder, &["backup", "copies/a.sqlite"], 1, "copies/a.sqlite exists already; give --force");
    done(&folder, &["backup", "copies/a.sqlite", "--force"]);
    refused(&folder, &["restore", "copies/a.sqlite"], 1, "run/ledger.sqlite exists already; give --force");
    refused(&folder, &["restore", "copies/none.sqlite", "--force"], 74, "copies/none.sqlite does not exist");
    folder.write("copies/text.sqlite", &"no database ".repeat(1_000));
    refused(&folder, &["restore", "copies/text.sqlite", "--force"], 74, "copies/text.sqlite is damaged");
    fs::remove_file(folder.0.join("run/ledger.sqlite")).unwrap();
    done(&folder, &["restore", "copies/a.sqlite"]);
    assert_eq!(done(&folder, &["query", "SELECT * FROM operator_orders"]), all);
    // Somebody writes it: an executor with store.ledger = true.
    let writer = Ledger::open(folder.0.join("run/ledger.sqlite"), SqliteOptions::default()).unwrap();
    refused(&folder, &["restore", "copies/a.sqlite", "--force"], 74, "is locked by another process (pid ");
    refused(&folder, &["rebuild"], 74, "is locked by another process (pid ");
    assert_eq!(done(&folder, &["query", "SELECT * FROM operator_orders"]), all);
    drop(writer);
    let said = done(&folder, &["export", "csv", "books"]);
    assert!(said.contains("books/operator_orders.csv: 40 rows\n"), "{said}");
    assert_eq!(folder.read("books/operator_orders.csv").lines().count(), 41);
}
