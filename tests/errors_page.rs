//! `docs/errors.md` says about the venue's codes what the client does with them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, fs};

use hedge_binance::codes::{CODES, Class, lookup};
use hedge_tests::workspace;

/// The rows of all tables of the page that begin with a code: the codes, and the other cells.
fn rows() -> Vec<(Vec<i64>, Vec<String>)> {
    let page = fs::read_to_string(workspace().join("docs/errors.md")).unwrap();
    let section = page.split("## Venue codes").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let codes = |cell: &str| -> Vec<i64> {
        cell.split([',', ' ']).filter_map(|word| word.parse().ok()).filter(|code| *code < 0).collect()
    };
    let rows = section.lines().filter(|line| line.starts_with("| -")).map(cells);
    rows.map(|cells| (codes(&cells[0]), cells[1..].to_vec())).collect()
}

#[test]
fn every_code_on_the_page_is_one_that_the_client_knows_and_stands_there_once() {
    let rows = rows();
    assert!(rows.len() > 20, "{rows:?}");
    let mut seen = BTreeSet::new();
    for (codes, cells) in &rows {
        assert!(!codes.is_empty() && cells.len() == 3, "{codes:?} {cells:?}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{codes:?} {cells:?}");
        for code in codes {
            assert!(lookup(*code).is_some(), "{code} is not in hedge_binance::codes");
            assert!(seen.insert(*code), "{code} stands there twice");
        }
    }
}

#[test]
fn every_code_of_the_client_s_table_is_on_the_page() {
    let seen: BTreeSet<i64> = rows().into_iter().flat_map(|(codes, _)| codes).collect();
    for row in CODES {
        assert!(seen.contains(&row.code), "{} ({}) is missing on the page", row.code, row.gist);
    }
}

#[test]
fn a_row_that_speaks_of_an_unknown_outcome_is_one_of_those_codes_and_no_other_is() {
    for (codes, cells) in rows() {
        let says_unknown = cells[1].contains("`Unknown`");
        for code in codes {
            let is_unknown = lookup(code).unwrap().class == Class::Unknown;
            assert_eq!(says_unknown, is_unknown, "{code}");
        }
    }
}
