//! The operators' files, rendered from the fold. Pure; only the publisher writes.

mod health;
mod logs;
mod nav;
mod positions;
mod publisher;
mod standing;
mod stops;

use hedge_core::{AccountEvent, Book, Envelope, Event, Fact, MarketEvent, Seq, Timestamp, View, ViewName};
use serde::Serialize;
use serde_json::Value;

use crate::lease::LeaseStatus;

pub use positions::{PositionRow, PositionsView, positions};
pub(crate) use publisher::Publisher;
pub use standing::Standing;
pub(crate) use standing::unknown_age_seconds;
pub use stops::{StopFigures, StopWatch};

/// Folds what the book does not keep (peak, series, latest signals and executions) and renders every view.
#[derive(Clone, Debug, Default)]
pub struct Views {
    nav: nav::NavTrack,
    logs: logs::Logs,
    standing: Standing,
    simulated: bool,
    lease: Option<LeaseStatus>,
}

impl Views {
    /// Views of a journal. `simulated` marks every view and every row in it: the market is real, the money is not.
    pub fn new(simulated: bool) -> Self {
        Self { simulated, ..Self::default() }
    }

    /// What stands, and since when.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Notes who leads the account, for the view of the health.
    pub(crate) fn note_lease(&mut self, lease: Option<LeaseStatus>) {
        self.lease = lease;
    }

    /// Takes one record that the book has folded already.
    pub fn observe(&mut self, envelope: &Envelope, book: &Book) {
        self.logs.observe(envelope);
        self.standing.observe(envelope, book);
        if moves_equity(&envelope.event) {
            self.nav.sample(envelope.at, book);
        }
    }

    /// All views: `nav positions signals trade_log health screener peak_state synced_state`.
    pub fn render(&self, book: &Book, at: Timestamp) -> Vec<(ViewName, View)> {
        let as_of = Seq(book.next_seq().0.saturating_sub(1));
        let view = |name, content: &dyn Content| self.view(name, as_of, content);
        [
            view("nav", &self.nav.view(book, at)),
            view("positions", &positions(book)),
            view("signals", &self.logs.signals()),
            view("trade_log", &self.logs.trades()),
            view("health", &health::health(book, at, &self.standing, self.lease.as_ref())),
            view("screener", &self.logs.screener()),
            view("peak_state", &self.nav.peak_view(book, at)),
            view("synced_state", &positions::synced(book, at)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn view(&self, name: &'static str, as_of: Seq, content: &dyn Content) -> Option<(ViewName, View)> {
        let json = if self.simulated {
            let mut value = content.value()?;
            mark_simulated(&mut value);
            value.to_string()
        } else {
            content.text()?
        };
        Some((ViewName::new(name)?, View { as_of, json }))
    }
}

/// What a view is rendered from.
trait Content {
    fn text(&self) -> Option<String>;
    fn value(&self) -> Option<Value>;
}

impl<T: Serialize> Content for T {
    fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
    fn value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

/// Marks an object, and the rows of each list in it.
fn mark_simulated(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().filter(|field| field.is_array()).for_each(mark_simulated);
            fields.insert("simulated".to_owned(), Value::Bool(true));
        }
        Value::Array(rows) => rows.iter_mut().for_each(mark_simulated),
        _ => {}
    }
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
