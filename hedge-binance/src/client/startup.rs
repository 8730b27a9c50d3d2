//! Settings before the first order: each is changed only when it differs, so that a restart changes nothing.

use hedge_core::{BrokerError, Brokerage, Changed, InstrumentId, Leverage, MarginMode, PositionMode};

use super::{
    Binance, Live,
    brokerage::{changed, margin_mode},
    commands::name,
};

/// What an instrument shall be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolSetup {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Margin of both legs.
    pub margin: MarginMode,
    /// Leverage of both legs.
    pub leverage: Leverage,
}

/// What had to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Hedge mode.
    pub position_mode: Changed,
    /// Per instrument: margin mode and leverage.
    pub symbols: Vec<(InstrumentId, Changed, Changed)>,
}

/// Switches hedge mode on and sets margin mode and leverage, in this order, each only when different.
///
/// # Errors
/// The first refusal. A refused mode names the orders and positions that block it; an instrument that the account does not
/// know is malformed.
pub async fn prepare_account(
    client: &Binance<Live>,
    setups: &[SymbolSetup],
) -> Result<Prepared, BrokerError> {
    let position_mode = client.ensure_position_mode(PositionMode::Hedge).await?;
    let rows = client.rest().symbol_config(None).await?;
    let mut symbols = Vec::with_capacity(setups.len());
    for setup in setups {
        let symbol = name(&setup.instrument);
        let row = rows
            .iter()
            .find(|row| row.symbol == symbol)
            .ok_or_else(|| crate::decode::err("symbolConfig", format!("no row for {symbol}")))?;
        let margin = if margin_mode(&row.margin_type)? == setup.margin {
            Changed::No
        } else {
            changed(client.rest().set_margin_mode(symbol, setup.margin).await)?
        };
        let leverage = if row.leverage == i64::from(setup.leverage.get()) {
            Changed::No
        } else {
            changed(client.rest().set_leverage(symbol, setup.leverage).await)?
        };
        symbols.push((setup.instrument, margin, leverage));
    }
    Ok(Prepared { position_mode, symbols })
}
