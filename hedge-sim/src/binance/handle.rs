//! The in-process side of an exchange: addresses, clock, state, and the lockstep driver's tools.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock::{Pace, VenueClock};
use super::exchange::{ExchangeError, Server, symbol_names};
use super::faults::{Fault, FaultError, FaultLog, FaultStatus};
use super::state::{ACCOUNT, App};
use super::tick::LockstepStep;
use crate::venue::{
    AccountId, AlgoView, AssetView, Command, OrderView, PositionView, Reply, TradeView, Venue, VenueError,
    Window,
};

/// How long a barrier waits for a client that does not read.
const BARRIER_S: u64 = 30;
/// How long a stop waits for requests in flight.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A running exchange. Dropping it stops the exchange; [`ExchangeHandle::shutdown`] also waits for it.
#[derive(Debug)]
pub struct ExchangeHandle {
    app: Arc<App>,
    address: SocketAddr,
    notes: Vec<String>,
    problems: watch::Receiver<Option<String>>,
    server: Server,
    market: JoinHandle<()>,
}

impl Drop for ExchangeHandle {
    fn drop(&mut self) {
        self.app.stop.send_replace(true);
        self.market.abort();
        self.server.abort();
    }
}

impl ExchangeHandle {
    pub(crate) fn new(
        app: Arc<App>,
        address: SocketAddr,
        notes: Vec<String>,
        problems: watch::Receiver<Option<String>>,
        server: Server,
        market: JoinHandle<()>,
    ) -> Self {
        Self { app, address, notes, problems, server, market }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base of the REST paths, `http://…` without a slash at the end.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base of the WebSocket routes, `ws://…` without a slash at the end.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Sentences for the operator: what was left out, shortened, repaired or replayed.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The present trouble of the market, if any: a log that cannot be written stops it.
    pub fn problems(&self) -> watch::Receiver<Option<String>> {
        self.problems.clone()
    }

    /// The venue clock.
    pub fn clock(&self) -> &VenueClock {
        &self.app.clock
    }

    /// Venue time, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.app.clock.now_ms()
    }

    /// Changes the speed. Errors in lockstep and outside 0.001..=100000.
    pub fn set_speed(&self, speed: f64) -> Result<(), ExchangeError> {
        self.app.clock.set_speed(speed).map_err(ExchangeError::Setting)
    }

    /// Stops or continues the venue clock. Errors in lockstep.
    pub fn set_paused(&self, paused: bool) -> Result<(), ExchangeError> {
        self.app.set_paused(paused).map_err(ExchangeError::Setting)
    }

    /// The symbols in the order of their positions.
    pub fn symbols(&self) -> Vec<String> {
        self.app.with(|core| symbol_names(core).into_values().collect())
    }

    /// The account that the API key belongs to.
    pub const fn account(&self) -> AccountId {
        ACCOUNT
    }

    /// Reads the exchange core. Keep it short: everything waits meanwhile.
    pub fn query<R>(&self, read: impl FnOnce(&Venue) -> R) -> R {
        self.app.with(|core| read(&core.venue))
    }

    /// Every plain order of the account, open or finished, by id. Errors for an unknown symbol.
    pub fn orders(&self, symbol: Option<&str>) -> Result<Vec<OrderView>, VenueError> {
        self.query(|venue| venue.all_orders(ACCOUNT, symbol, Window::default()))
    }

    /// Every algo order of the account on a symbol, by id. Errors for an unknown symbol.
    pub fn algos(&self, symbol: &str) -> Result<Vec<AlgoView>, VenueError> {
        self.query(|venue| venue.all_algos(ACCOUNT, symbol, Window::default()))
    }

    /// The legs that have a position.
    pub fn legs(&self) -> Result<Vec<PositionView>, VenueError> {
        let mut rows = self.query(|venue| venue.positions(ACCOUNT, None))?;
        rows.retain(|row| !row.qty.is_zero());
        Ok(rows)
    }

    /// Every execution of the account on a symbol, by trade id. Errors for an unknown symbol.
    pub fn trades(&self, symbol: &str) -> Result<Vec<TradeView>, VenueError> {
        self.query(|venue| venue.user_trades(ACCOUNT, symbol, None, Window::default()))
    }

    /// The account's assets.
    pub fn wallet(&self) -> Result<Vec<AssetView>, VenueError> {
        self.query(|venue| venue.assets(ACCOUNT))
    }

    /// Applies a command as the venue itself would: logged, announced on the streams. For transfers, halted symbols,
    /// restrictions, and tests.
    pub fn apply(&self, command: &Command) -> Result<Result<Reply, VenueError>, ExchangeError> {
        self.app.with(|core| {
            let reply = core.command_at(core.now_ms(), command)?;
            match (command, &reply) {
                (Command::SetStatus { symbol, .. }, Ok(_)) => core.announce_contract(*symbol),
                (Command::Contract(change), Ok(_)) => {
                    core.announce_contract_with(change.symbol, change.brackets.is_some());
                }
                _ => {}
            }
            Ok(reply)
        })
    }

    /// Makes something go wrong; the fault's number.
    ///
    /// # Errors
    /// [`FaultError`] when it makes no sense, or when the exchange is not in a state for it.
    pub fn fault(&self, fault: Fault) -> Result<u64, FaultError> {
        self.app.with(|core| core.arm_fault(fault))
    }

    /// Every fault that was armed and not cleared, ended ones included.
    pub fn faults(&self) -> Vec<FaultStatus> {
        self.app.faults.statuses(self.now_ms())
    }

    /// Clears one fault, or all; how many there were. Bans, modes, rules and held events that they kept up end with them.
    ///
    /// # Errors
    /// [`FaultError::Unknown`] when no fault has that number.
    pub fn clear_faults(&self, id: Option<u64>) -> Result<usize, FaultError> {
        self.app.with(|core| core.clear_faults(id))
    }

    /// What faults do from now on, one line each.
    pub fn fault_log(&self) -> FaultLog {
        self.app.faults.log()
    }

    /// REST requests that came while their address was banned.
    pub fn refused_while_banned(&self) -> u64 {
        self.app.with(|core| core.limits.refused_while_banned())
    }

    /// User-data events sent since the start, also those that nobody followed.
    pub fn user_event_count(&self) -> u64 {
        self.app.with(|core| core.hub.user_events())
    }

    /// REST requests that arrived and are not answered yet.
    pub fn requests_in_flight(&self) -> usize {
        self.app.requests_in_flight()
    }

    /// Open WebSockets.
    pub fn open_sockets(&self) -> usize {
        self.app.with(|core| core.hub.open_sockets())
    }

    /// Pings every open socket and waits for all pongs: a client that answered has read everything sent before.
    ///
    /// # Errors
    /// [`ExchangeError::Barrier`] when a client did not read for 30 seconds.
    ///
    /// # Cancel safety
    /// May be dropped at any time; the pongs that come later are ignored.
    pub async fn barrier(&self) -> Result<(), ExchangeError> {
        let pending = self.app.with(|core| core.hub.start_barrier());
        let number = pending.number;
        match tokio::time::timeout(Duration::from_secs(BARRIER_S), pending.done).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let sockets = self.app.with(|core| core.hub.give_up_barrier(number));
                Err(ExchangeError::Barrier { sockets, seconds: BARRIER_S })
            }
        }
    }

    /// Lockstep: moves the clock and the market on to the next thing to be seen, and sends it.
    ///
    /// # Errors
    /// [`ExchangeError::NotLockstep`] at a finite speed; [`ExchangeError::Log`] when the step could not be kept, in which
    /// case it did not happen.
    pub fn lockstep_step(&self) -> Result<LockstepStep, ExchangeError> {
        if self.app.clock.state().pace != Pace::Lockstep {
            return Err(ExchangeError::NotLockstep);
        }
        Ok(self.app.with(|core| core.lockstep())?)
    }

    /// Hash of the exchange core's whole state: equal digests mean equal exchanges.
    pub fn state_digest(&self) -> String {
        self.query(Venue::state_digest)
    }

    /// Stops the exchange and waits until its sockets are closed, at most two seconds.
    pub async fn shutdown(mut self) {
        self.app.stop.send_replace(true);
        // Whoever is still in flight then is cut off.
        let _ = tokio::time::timeout(STOP_WITHIN, &mut self.server).await;
    }
}
