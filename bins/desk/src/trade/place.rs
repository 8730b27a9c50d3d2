//! Where a run trades.

use std::sync::Arc;

use hedge_core::{Clock, Symbol};

use crate::{paper::Embedded, venue::ExchangeFile};

/// The venue of a run as the loop sees it; the client to it is an [`Access`](crate::venue::Access).
#[derive(Debug)]
pub(crate) struct Place {
    /// The exchange, when it is ours.
    pub(crate) embedded: Option<Embedded>,
    /// Symbols in the engine's order.
    pub(crate) symbols: Vec<Symbol>,
    /// For the report and people.
    pub(crate) label: String,
    /// Whether the venue's clock waits for the engine.
    pub(crate) is_lockstep: bool,
    /// The clock that the run goes by.
    pub(crate) clock: Arc<dyn Clock>,
    /// How many times as fast as wall time it runs; 1 where it waits for the engine.
    pub(crate) speed: f64,
    /// Tells other programs where the venue is and how fast, when they could not know.
    pub(crate) address: Option<ExchangeFile>,
}
