//! The operators' files, rendered from the fold. Pure; only the publisher writes.

mod health;
mod logs;
mod nav;
mod positions;
mod publisher;

use hedge_core::{AccountEvent, Book, Envelope, Event, Fact, MarketEvent, Seq, Timestamp, View, ViewName};
use serde::Serialize;

pub use positions::{PositionRow, PositionsView, positions};
pub(crate) use publisher::Publisher;

/// Folds what the book does not keep (peak, series, latest signals and executions) and renders every view.
#[derive(Clone, Debug, Default)]
pub struct Views {
    nav: nav::NavTrack,
    logs: logs::Logs,
}

impl Views {
    /// Takes one record that the book has folded already.
    pub fn observe(&mut self, envelope: &Envelope, book: &Book) {
        self.logs.observe(envelope);
        if moves_equity(&envelope.event) {
            self.nav.sample(envelope.at, book);
        }
    }

    /// All views: `nav positions signals trade_log health screener peak_state synced_state`.
    pub fn render(&self, book: &Book, at: Timestamp) -> Vec<(ViewName, View)> {
        let as_of = Seq(book.next_seq().0.saturating_sub(1));
        [
            view("nav", as_of, &self.nav.view(book, at)),
            view("positions", as_of, &positions(book)),
            view("signals", as_of, &self.logs.signals()),
            view("trade_log", as_of, &self.logs.trades()),
            view("health", as_of, &health::health(book, at, self.logs.last_alert.as_deref())),
            view("screener", as_of, &self.logs.screener()),
            view("peak_state", as_of, &self.nav.peak_view(book, at)),
            view("synced_state", as_of, &positions::synced(book, at)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn view(name: &'static str, as_of: Seq, content: &impl Serialize) -> Option<(ViewName, View)> {
    let json = serde_json::to_string(content).ok()?;
    Some((ViewName::new(name)?, View { as_of, json }))
}

fn moves_equity(event: &Event) -> bool {
    match event {
        Event::Fact(Fact::Snapshot { .. } | Fact::QueryAnswered { .. }) => true,
        Event::Fact(Fact::Market { event }) => {
            matches!(event, MarketEvent::Bar { .. } | MarketEvent::Mark { .. })
        }
        Event::Fact(Fact::Account { event }) => {
            matches!(**event, AccountEvent::Fill { .. } | AccountEvent::CashFlow { .. })
        }
        _ => false,
    }
}
