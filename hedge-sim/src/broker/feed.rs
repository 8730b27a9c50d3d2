//! What the simulation hears of the market besides what its user asked for, and how both are told apart.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use hedge_core::{AccountEvent, Channel, EventSource, InstrumentId, InstrumentIx, MarketEvent, Subscription};
use tokio::sync::mpsc::UnboundedReceiver;

use super::paper::Shared;

/// The account's stream. It never breaks: nothing lies between the simulation and its listeners.
#[derive(Debug)]
pub(super) struct PaperAccount(pub(super) UnboundedReceiver<AccountEvent>);

#[async_trait]
impl EventSource<AccountEvent> for PaperAccount {
    async fn next(&mut self) -> Option<AccountEvent> {
        self.0.recv().await
    }
}

/// What is subscribed to: what was asked for, and what the simulation needs besides, under indices of its own.
#[derive(Debug)]
pub(super) struct Plan {
    subscriptions: Vec<Subscription>,
    names: BTreeMap<InstrumentIx, InstrumentId>,
    /// Indices from here on are the simulation's own: their events are not handed on.
    own_from: InstrumentIx,
}

/// Marks and, if wanted, bids and asks of everything asked for; the same of everything held or ordered, also where nobody
/// asks for it any more: it is part of the margin.
pub(super) fn plan(what: &[Subscription], in_use: &[InstrumentId], follow_book: bool) -> Plan {
    let own_from = what.iter().map(|one| one.instrument.0.saturating_add(1)).max().unwrap_or(0);
    let mut plan = Plan {
        subscriptions: what.to_vec(),
        names: what.iter().map(|one| (one.instrument, one.id)).collect(),
        own_from: InstrumentIx(own_from),
    };
    let asked = plan.names.values().copied().collect::<Vec<_>>();
    let mut wanted: Vec<InstrumentId> = asked.into_iter().chain(in_use.iter().copied()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for id in wanted {
        plan.add(id, Channel::Mark);
        if follow_book {
            plan.add(id, Channel::BookTicker);
        }
    }
    plan
}

impl Plan {
    fn add(&mut self, id: InstrumentId, channel: Channel) {
        if self.subscriptions.iter().any(|one| one.id == id && one.channel == channel) {
            return;
        }
        let last = self.names.keys().next_back().map_or(self.own_from.0, |last| last.0.saturating_add(1));
        let own = self.names.iter().find(|(ix, known)| **ix >= self.own_from && **known == id);
        let instrument = own.map_or(InstrumentIx(last), |(ix, _)| *ix);
        self.names.insert(instrument, id);
        self.subscriptions.push(Subscription { id, instrument, channel });
    }

    pub(super) fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    pub(super) fn listen(self, inner: Box<dyn EventSource<MarketEvent>>, shared: Arc<Shared>) -> PaperMarket {
        PaperMarket { inner, plan: self, shared }
    }
}

/// The reader's market, heard by the simulation before it is handed on.
#[derive(Debug)]
pub(super) struct PaperMarket {
    inner: Box<dyn EventSource<MarketEvent>>,
    plan: Plan,
    shared: Arc<Shared>,
}

#[async_trait]
impl EventSource<MarketEvent> for PaperMarket {
    /// Cancel-safe: an event that has come in is taken in and handed on without waiting in between.
    async fn next(&mut self) -> Option<MarketEvent> {
        loop {
            let event = self.inner.next().await?;
            let ix = instrument_of(&event);
            if let Some(id) = self.plan.names.get(&ix) {
                self.shared.act(|simulation| simulation.market(id, &event));
            }
            if ix < self.plan.own_from {
                return Some(event);
            }
        }
    }
}

const fn instrument_of(event: &MarketEvent) -> InstrumentIx {
    match event {
        MarketEvent::History { instrument, .. }
        | MarketEvent::Bar { instrument, .. }
        | MarketEvent::Mark { instrument, .. }
        | MarketEvent::Funding { instrument, .. }
        | MarketEvent::Book { instrument, .. }
        | MarketEvent::Trade { instrument, .. }
        | MarketEvent::Gap { instrument, .. }
        | MarketEvent::Silent { instrument } => *instrument,
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::Interval;

    use super::*;

    fn id(symbol: &str) -> InstrumentId {
        InstrumentId::binance(symbol).unwrap()
    }

    #[test]
    fn what_the_simulation_needs_besides_has_indices_of_its_own() {
        let asked = [Channel::Mark, Channel::Bars(Interval::M15)].map(|channel| Subscription {
            id: id("ETHUSDT"),
            instrument: InstrumentIx(4),
            channel,
        });
        let plan = plan(&asked, &[id("BTCUSDT"), id("ETHUSDT")], true);
        let besides: Vec<_> =
            plan.subscriptions()[2..].iter().map(|one| (one.id, one.instrument.0, one.channel)).collect();
        assert_eq!(plan.subscriptions()[..2], asked);
        assert_eq!(
            besides,
            [
                (id("BTCUSDT"), 5, Channel::Mark),
                (id("BTCUSDT"), 5, Channel::BookTicker),
                (id("ETHUSDT"), 6, Channel::BookTicker),
            ]
        );
    }

    #[test]
    fn without_the_book_only_marks_are_added() {
        let asked =
            [Subscription { id: id("ETHUSDT"), instrument: InstrumentIx(0), channel: Channel::BookTicker }];
        let plan = plan(&asked, &[], false);
        assert_eq!(plan.subscriptions().len(), 2);
        assert_eq!(plan.subscriptions()[1].channel, Channel::Mark);
    }
}
