//! Streams become queued facts; a stream that ends is opened again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hedge_core::{
    AccountEvent, BrokerError, Brokerage, EventSource, Fact, Failpoint, Failpoints, InstrumentIx,
    MarketEvent, Subscription,
};
use tracing::warn;

use crate::{snapshot::Traffic, sources::FactSender};

/// Forwards an account stream for as long as the run lasts.
pub(crate) async fn account(
    broker: Arc<dyn Brokerage>,
    mut source: Box<dyn EventSource<AccountEvent>>,
    queue: FactSender,
    traffic: Arc<Traffic>,
    failpoints: Failpoints,
) {
    let push = |event| {
        traffic.touch();
        queue.send(Fact::Account { event: Box::new(event) });
    };
    loop {
        while let Some(event) = source.next().await {
            failpoints.pass(Failpoint::AccountReceived);
            push(event);
        }
        push(AccountEvent::Disconnected { reason: "the account stream has ended".to_owned() });
        source = reopen("account stream", || broker.account_events()).await;
        push(AccountEvent::Reconnected);
    }
}

/// Forwards a market stream for as long as the run lasts. The engine knows bars that it has seen, and finds holes.
pub(crate) async fn market(
    broker: Arc<dyn Brokerage>,
    mut source: Box<dyn EventSource<MarketEvent>>,
    what: Vec<Subscription>,
    queue: FactSender,
    failpoints: Failpoints,
) {
    loop {
        while let Some(event) = source.next().await {
            failpoints.pass(Failpoint::MarketReceived);
            queue.market(event);
        }
        let silent: BTreeSet<InstrumentIx> =
            what.iter().map(|subscription| subscription.instrument).collect();
        for instrument in silent {
            queue.market(MarketEvent::Silent { instrument });
        }
        source = reopen("market stream", || broker.market_events(&what)).await;
    }
}

async fn reopen<T, F>(what: &str, mut open: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, BrokerError>>,
{
    let mut wait = Duration::from_millis(500);
    loop {
        match open().await {
            Ok(source) => return source,
            Err(error) => warn!(%error, what, "cannot open the stream again; trying on"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(30));
    }
}
