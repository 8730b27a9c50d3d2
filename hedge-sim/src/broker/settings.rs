//! Settings of a simulated account: what a person would have to change at the venue changes here only.

use std::time::Duration;

use hedge_core::{BrokerError, Changed, InstrumentId, Leverage, MarginMode, PositionMode};

use super::{simulation::Simulation, track::Track};
use crate::{
    translate::{self, ACCOUNT},
    venue::{Command, MarginType, Seed, SymbolConfigView, VenueError},
};

impl Simulation {
    /// Switches the position mode if it differs.
    ///
    /// # Errors
    /// Rejected while there are orders or positions, as the venue does.
    pub fn ensure_position_mode(&mut self, mode: PositionMode) -> Result<Changed, BrokerError> {
        let hedge = mode == PositionMode::Hedge;
        if self.mode() == mode {
            return Ok(Changed::No);
        }
        self.change(&Command::PositionMode { account: ACCOUNT, hedge }).map(|()| Changed::Yes)
    }

    /// Switches an instrument's margin mode if it differs. Where the account's own setting is not known, what is asked for
    /// first is taken for it.
    ///
    /// # Errors
    /// Rejected while the symbol has orders or a position, as the venue does; not sent for an unlisted instrument.
    pub fn ensure_margin_mode(
        &mut self,
        instrument: &InstrumentId,
        mode: MarginMode,
    ) -> Result<Changed, BrokerError> {
        let found = self.setting(instrument)?;
        let margin_type = margin_type(mode);
        let is_known = self.noted(instrument, |track| &mut track.knows_margin);
        if found.margin_type == margin_type {
            return Ok(Changed::No);
        }
        if !is_known {
            self.assume(&found.symbol, margin_type, found.leverage)?;
            return Ok(Changed::No);
        }
        let symbol = found.symbol;
        self.change(&Command::MarginType { account: ACCOUNT, symbol, margin_type }).map(|()| Changed::Yes)
    }

    /// Sets an instrument's leverage if it differs. Where the account's own setting is not known, what is asked for first
    /// is taken for it.
    ///
    /// # Errors
    /// Rejected where the margin does not suffice, as the venue does; not sent for an unlisted instrument.
    pub fn ensure_leverage(
        &mut self,
        instrument: &InstrumentId,
        leverage: Leverage,
    ) -> Result<Changed, BrokerError> {
        let found = self.setting(instrument)?;
        let leverage = leverage.get();
        let is_known = self.noted(instrument, |track| &mut track.knows_leverage);
        if found.leverage == leverage {
            return Ok(Changed::No);
        }
        if !is_known {
            self.assume(&found.symbol, found.margin_type, leverage)?;
            return Ok(Changed::No);
        }
        let symbol = found.symbol;
        self.change(&Command::Leverage { account: ACCOUNT, symbol, leverage }).map(|()| Changed::Yes)
    }

    /// Arms, or with `None` disarms, the countdown after which resting plain orders are cancelled. It runs in the venue's
    /// time, as far as the venue tells it.
    ///
    /// # Errors
    /// Not sent for an unlisted instrument.
    pub fn dead_man(
        &mut self,
        instrument: &InstrumentId,
        timer: Option<Duration>,
    ) -> Result<(), BrokerError> {
        self.list(instrument)?;
        let now_ms = self.time.pass();
        match timer.filter(|timer| !timer.is_zero()) {
            Some(timer) => {
                let after_ms = i64::try_from(timer.as_millis()).unwrap_or(i64::MAX);
                self.countdowns.insert(*instrument, now_ms.saturating_add(after_ms));
            }
            None => {
                self.countdowns.remove(instrument);
            }
        }
        Ok(())
    }

    /// Takes a setting as the account's.
    pub(super) fn assume(
        &mut self,
        symbol: &str,
        margin_type: MarginType,
        leverage: u32,
    ) -> Result<(), BrokerError> {
        let symbol = symbol.to_owned();
        let seed = Seed::Margin { account: ACCOUNT, symbol, margin_type, leverage };
        self.change(&Command::Seed(Box::new(seed)))
    }

    fn setting(&mut self, instrument: &InstrumentId) -> Result<SymbolConfigView, BrokerError> {
        self.list(instrument)?;
        let rows = self.venue.symbol_configs(ACCOUNT, Some(instrument.symbol.as_str()));
        let row = rows.map_err(|error| translate::refused(&error))?.into_iter().next();
        row.ok_or_else(|| translate::refused(&VenueError::refuse(-1121, "Invalid symbol.".to_owned())))
    }

    /// Whether a setting was known before; from now on it is.
    fn noted(&mut self, instrument: &InstrumentId, which: impl Fn(&mut Track) -> &mut bool) -> bool {
        self.tracks.get_mut(instrument).is_some_and(|track| std::mem::replace(which(track), true))
    }

    fn change(&mut self, command: &Command) -> Result<(), BrokerError> {
        let now_ms = self.time.pass();
        self.apply(now_ms, command).map(|_| ()).map_err(|error| translate::refused(&error))
    }
}

pub(super) const fn margin_type(mode: MarginMode) -> MarginType {
    match mode {
        MarginMode::Crossed => MarginType::Crossed,
        MarginMode::Isolated => MarginType::Isolated,
    }
}
