//! Usual questions, so that nobody has to know the tables at three in the morning.

use hedge_core::{Symbol, Timestamp};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Our orders as they ended, by when they were decided.
    Orders,
    /// Executions, by the venue's time.
    Fills,
    /// What is held now.
    Positions,
    /// Equity and its parts, once a minute.
    Nav,
    /// What was seen, wanted, assessed and decided.
    Decisions,
    /// Every rule's answer about every opening.
    Checks,
    /// Funding, transfers and other flows, by the venue's time.
    Flows,
    /// Starts of processes.
    Runs,
}

impl Topic {
    /// Columns, where from, and which column is the time.
    const fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Orders => (
                "client_id, strategy, symbol, side, action, order_side, kind, price, trigger, qty, filled, state, purpose, \
                 venue_order, refusal",
                "orders",
                "at_ns",
            ),
            Self::Fills => (
                "symbol, side, order_side, qty, price, fee, fee_asset, realized, maker, client_id, venue_order, trade_id",
                "fills",
                "venue_ns",
            ),
            Self::Positions => ("symbol, side, qty, entry, realized, fees, funding", "positions", "at_ns"),
            Self::Nav => (
                "equity, wallet, unrealized, realized, fees, funding, transfers, corrections, posture",
                "nav",
                "at_ns",
            ),
            Self::Decisions => (
                "seq, kind, strategy, symbol, side, outcome, rule, qty, client_id, because",
                "decisions",
                "at_ns",
            ),
            Self::Checks => (
                "d.seq, d.symbol, d.side, d.outcome, c.rule, c.value, c.bound, c.distance, c.verdict, c.note",
                "decisions d JOIN gate_checks c USING (seq)",
                "d.at_ns",
            ),
            Self::Flows => ("kind, asset, amount, symbol, id", "cash_flows", "venue_ns"),
            Self::Runs => ("seq, run, term, profile, code_version, config_hash", "runs", "at_ns"),
        }
    }

    /// Whether its rows are of a symbol.
    pub const fn has_symbol(self) -> bool {
        !matches!(self, Self::Nav | Self::Runs)
    }
}

/// A topic, and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// What is asked about.
    pub topic: Topic,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
    /// Of this symbol only.
    pub symbol: Option<Symbol>,
    /// The last so many rows only.
    pub last: Option<u32>,
}

impl Pick {
    /// The question in SQL: oldest first.
    pub fn sql(&self) -> String {
        let (columns, from, time) = self.topic.parts();
        let mut conditions = Vec::new();
        if let Some(at) = self.from {
            conditions.push(format!("{time} >= {}", at.ns()));
        }
        if let Some(at) = self.to {
            conditions.push(format!("{time} < {}", at.ns()));
        }
        if let Some(symbol) = self.symbol.filter(|_| self.topic.has_symbol()) {
            conditions.push(format!("symbol = '{}'", symbol.as_str().replace('\'', "''")));
        }
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let select = format!("SELECT utc({time}) AS time, {columns} FROM {from}{conditions}");
        match self.last {
            None => format!("{select} ORDER BY {time}"),
            Some(last) => format!("SELECT * FROM ({select} ORDER BY {time} DESC LIMIT {last}) ORDER BY time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use hedge_store::sqlite::{Ledger, LedgerError, LedgerReader, SqliteOptions};

    use super::*;
    use crate::temp::TempDir;

    const TOPICS: [Topic; 8] = [
        Topic::Orders,
        Topic::Fills,
        Topic::Positions,
        Topic::Nav,
        Topic::Decisions,
        Topic::Checks,
        Topic::Flows,
        Topic::Runs,
    ];

    #[test]
    fn every_question_is_understood_by_the_ledger_and_uses_its_indices() {
        let temp = TempDir::new();
        let file = super::super::ledger_file(&temp.0);
        drop(Ledger::open(&file, SqliteOptions::default()).unwrap());
        let reader = LedgerReader::open(&file).unwrap();
        for topic in TOPICS {
            for (from, symbol, last) in [
                (None, None, None),
                (Some(Timestamp::from_ms(1)), Symbol::parse("BTC'USDT").ok(), Some(5)),
                (Some(Timestamp::from_ms(1)), None, None),
            ] {
                let sql = Pick { topic, from, to: from, symbol, last }.sql();
                reader
                    .query::<LedgerError>(&sql, |_| Ok(()))
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            let day = Pick { topic, from: Some(Timestamp::EPOCH), to: None, symbol: None, last: None }.sql();
            let mut plan = String::new();
            reader
                .query::<LedgerError>(&format!("EXPLAIN QUERY PLAN {day}"), |row| {
                    plan.push_str(&row.texts().join(" "));
                    Ok(())
                })
                .unwrap();
            // What is held and how often it started stays small.
            if !matches!(topic, Topic::Positions | Topic::Runs) {
                assert!(plan.contains("USING INDEX") || plan.contains("USING INTEGER PRIMARY KEY"), "{plan}");
            }
        }
    }
}
