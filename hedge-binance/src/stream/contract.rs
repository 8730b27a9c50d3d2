//! News about listings: a symbol that stops trading, a delisting with its date, new brackets.

use super::{Stream, StreamEvent, StreamUpdate, Streams};
use crate::client::Shared;

/// Resolves when the venue has announced something, or when announcements may have been missed.
///
/// The stream is opened by the first call and kept; cancel-safe. What is true now is in exchangeInfo: announcements only say
/// that it is time to read it. Source: fact sheet 8.2, `!contractInfo`, and 12 (c).
pub(crate) async fn rules_changed(shared: &Shared) {
    let mut contracts = shared.contracts.lock().await;
    let streams = contracts.get_or_insert_with(|| {
        let mut streams = Streams::new(shared.ws_base.clone(), shared.streams, shared.rest.seed());
        if let Err(error) = streams.subscribe(&[Stream::contract_info()]) {
            tracing::warn!(target: "hedge::stream", %error, "listings are not announced; they are read now and then");
        }
        streams
    });
    while let Some(update) = streams.next().await {
        match update {
            StreamUpdate::Event { event, .. } => {
                let StreamEvent::ContractInfo(info) = *event else { continue };
                tracing::info!(
                    target: "hedge::stream",
                    symbol = info.symbol,
                    status = info.status.as_str(),
                    delivery_date = info.delivery_date,
                    "the venue announces a change of a symbol"
                );
                return;
            }
            StreamUpdate::Back { .. } => return,
            StreamUpdate::Unreadable { why, .. } => {
                tracing::warn!(target: "hedge::stream", why, "an announcement could not be read");
                return;
            }
            StreamUpdate::Lost { .. } | StreamUpdate::Refused { .. } => {}
        }
    }
    std::future::pending().await
}
