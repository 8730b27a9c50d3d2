//! Settings of the account and margin of its legs: what only a client that trades may change.

use hedge_core::{BrokerError, Changed, Notional, PositionKey};
use hedge_http::{Method, limiter::Priority};
use serde_json::Value;

use super::{Armed, Binance, Live, brokerage::changed, commands::name};
use crate::{
    decode,
    encode::{ApiRequest, Params, set_switch},
    wire::margin::PositionMarginSet,
};

/// Which way margin of an isolated leg moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarginMove {
    /// From the wallet to the leg: its liquidation price moves away.
    Add,
    /// From the leg to the wallet.
    Remove,
}

impl MarginMove {
    /// The venue's number.
    pub const fn number(self) -> i64 {
        match self {
            Self::Add => 1,
            Self::Remove => 2,
        }
    }
}

impl Binance<Live> {
    /// `POST /fapi/v1/positionMargin`: moves margin to or from an isolated leg, once.
    ///
    /// *Units*: the symbol's margin asset. Source: fact sheet 4.7.
    ///
    /// # Errors
    /// [`BrokerError`]; when the outcome is unknown, look at the leg's margin before moving any again.
    pub async fn change_position_margin(
        &self,
        position: &PositionKey,
        amount: Notional,
        way: MarginMove,
    ) -> Result<(), BrokerError> {
        if amount.get().is_zero() {
            return Err(BrokerError::NotSent { source: "an amount of 0 moves no margin".into() });
        }
        let params = Params::new()
            .with("symbol", name(&position.instrument))
            .with("positionSide", position.side.as_str())
            .with("amount", amount.get())
            .with("type", way.number());
        let path = "/fapi/v1/positionMargin";
        let request = ApiRequest::command(Method::Post, path, 1, Priority::Protect, params);
        let set: PositionMarginSet = self.shared.rest.command(&request).await?;
        if set.code == 200 && set.direction == way.number() && set.amount == amount.get() {
            return Ok(());
        }
        Err(decode::err(
            "positionMargin",
            format!("asked for {way:?} {}, the venue says {set:?}", amount.get()),
        )
        .into())
    }

    /// `POST /fapi/v1/multiAssetsMargin` where the account is not so already.
    ///
    /// # Errors
    /// [`BrokerError`]; isolated positions and open orders stand in the way (fact sheet 4.7).
    pub async fn ensure_multi_assets_margin(&self, on: bool) -> Result<Changed, BrokerError> {
        if self.rest().multi_assets_margin().await?.multi_assets_margin == on {
            return Ok(Changed::No);
        }
        let request = set_switch("/fapi/v1/multiAssetsMargin", "multiAssetsMargin", on);
        changed(self.shared.rest.acknowledged(&request).await)
    }

    /// `POST /fapi/v1/feeBurn` where fees are not paid so already.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn ensure_fee_burn(&self, on: bool) -> Result<Changed, BrokerError> {
        if self.rest().fee_burn().await?.fee_burn == on {
            return Ok(Changed::No);
        }
        let request = set_switch("/fapi/v1/feeBurn", "feeBurn", on);
        changed(self.shared.rest.acknowledged(&request).await)
    }
}

impl<M: Armed> Binance<M> {
    /// `DELETE /fapi/v1/listenKey`: ends the private stream of **every** process of this account, dashboards and watchdogs
    /// included (fact sheet 4.10). Nothing here calls it: a key that nobody renews is gone after an hour.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn close_listen_key(&self) -> Result<(), BrokerError> {
        let exchange = self.shared.rest.exchange(&ApiRequest::listen_key(Method::Delete)).await;
        let _: Value = decode::json("listenKey", &exchange.result?.body)?;
        Ok(())
    }
}
