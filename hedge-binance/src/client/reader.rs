//! The account and the market as the engine sees them. Every mode can look.

use async_trait::async_trait;
use hedge_core::{
    AccountEvent, AccountSnapshot, Bar, BarQuery, BrokerError, Capabilities, CashFlow, EventSource, Fill,
    InstrumentId, InstrumentSpec, MarketEvent, OrderRef, OrderReport, Position, RejectReason, Subscription,
    Timestamp, VenueFingerprint, VenueReader,
};

use super::{Binance, Mode, commands::name};
use crate::{
    decode,
    filters::{instrument, is_perpetual},
    stream,
};

#[async_trait]
impl<M: Mode> VenueReader for Binance<M> {
    fn fingerprint(&self) -> &VenueFingerprint {
        &self.shared.fingerprint
    }

    fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    async fn server_time(&self) -> Result<Timestamp, BrokerError> {
        Ok(Timestamp::from_ms(self.rest().time().await?.server_time))
    }

    /// Perpetuals only. A symbol whose rules cannot be read is left out with a warning: nobody can trade it then.
    async fn instruments(&self) -> Result<Vec<InstrumentSpec>, BrokerError> {
        let info = self.rest().exchange_info().await?;
        let mut specs = Vec::with_capacity(info.symbols.len());
        for symbol in info.symbols.iter().filter(|symbol| is_perpetual(symbol)) {
            match instrument(symbol) {
                Ok(spec) => specs.push(spec),
                Err(error) => tracing::warn!(%error, "symbol left out"),
            }
        }
        Ok(specs)
    }

    async fn account(&self) -> Result<AccountSnapshot, BrokerError> {
        let config = self.rest().account_config().await?;
        let account = self.rest().account_v3().await?;
        Ok(decode::account_snapshot(&account, &config, self.rest().venue_now())?)
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let rows = self.rest().position_risk_v3(None).await?;
        let mut positions = Vec::with_capacity(rows.len());
        for row in &rows {
            positions.extend(decode::position(row)?);
        }
        Ok(positions)
    }

    /// Both id spaces. A conditional order that has fired is listed by the plain order that it became.
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        let plain = self.rest().open_orders(None).await?;
        let algo = self.rest().open_algo_orders(None).await?;
        let mut reports = Vec::with_capacity(plain.len() + algo.len());
        for row in &plain {
            reports.push(decode::order_report(row)?);
        }
        for row in algo.iter().filter(|row| row.actual_order_id.is_none()) {
            reports.push(decode::algo_report(row)?);
        }
        for report in &reports {
            self.shared.tracker.note_report(report);
        }
        Ok(reports)
    }

    async fn find_order(
        &self,
        instrument: &InstrumentId,
        order: &OrderRef,
    ) -> Result<Option<OrderReport>, BrokerError> {
        match self.rest().report(name(instrument), order).await {
            Ok(report) => Ok(Some(report)),
            Err(error) if error.reason() == Some(RejectReason::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the venue closed by force carries the venue's name of its order, so that it is not taken for somebody else's. What
    /// cannot be named is told without a name: an order whose fate is not known must not wait for the name of another one. The
    /// account's stream asks on.
    async fn fills_since(
        &self,
        instrument: &InstrumentId,
        since: Timestamp,
    ) -> Result<Vec<Fill>, BrokerError> {
        let mut fills = self.rest().fills_since(name(instrument), since).await?;
        match stream::name_forced(&self.shared, &mut fills).await {
            Ok(()) => {}
            // In a moment it has a name.
            Err(stream::Unnamed { error, is_fresh: true }) => return Err(error),
            Err(stream::Unnamed { error, is_fresh: false }) => {
                tracing::error!(%instrument, %error, "who has closed could not be found out for every execution");
            }
        }
        Ok(fills)
    }

    async fn cash_flows_since(&self, since: Timestamp) -> Result<Vec<CashFlow>, BrokerError> {
        self.rest().flows_and_fees_since(since).await
    }

    async fn bars(&self, query: &BarQuery) -> Result<Vec<Bar>, BrokerError> {
        self.rest().bars(query).await
    }

    async fn account_events(&self) -> Result<Box<dyn EventSource<AccountEvent>>, BrokerError> {
        stream::account_events(&self.shared).await
    }

    async fn market_events(
        &self,
        what: &[Subscription],
    ) -> Result<Box<dyn EventSource<MarketEvent>>, BrokerError> {
        stream::market_events(&self.shared, what).await
    }

    async fn rules_changed(&self) {
        stream::rules_changed(&self.shared).await;
    }
}
