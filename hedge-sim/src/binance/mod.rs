//! A simulated Binance USD-M exchange on loopback: REST and WebSocket as the venue speaks them.
//!
//! [`Exchange::start`] opens one listener for both. Clients of any kind are pointed at
//! [`rest_url`](ExchangeHandle::rest_url) and [`ws_url`](ExchangeHandle::ws_url). What is simulated and how to point a
//! client at it stands in `docs/simulator.md`.
//!
//! # Time
//!
//! One venue clock. It shows wall time at the start and runs [`Pace::Speed`] times as fast; everything with a time in it
//! follows it: bars, funding, rate windows, listenKey expiry, the 24-hour cut. In [`Pace::Lockstep`] only an in-process
//! driver moves it, keys and connections do not expire, and messages are not counted.
//!
//! # Driving in lockstep
//!
//! [`ExchangeHandle::lockstep_step`] plays the market up to the next thing a client can see and sends it: user events,
//! a funding settlement, or a closed bar (mark price first, then the kline of every subscribed interval that ends). The
//! next step may be taken when the client is idle. A driver in the client's process knows that as follows:
//!
//! 1. wait until the client's own queues are empty: no fact unprocessed, no effect undelivered, no request unanswered;
//! 2. note [`user_event_count`](ExchangeHandle::user_event_count), then await [`barrier`](ExchangeHandle::barrier): a
//!    ping on every socket. Sockets are read in order, so a client that answered has taken in all that was sent before;
//! 3. the client is idle when its queues are still empty, [`requests_in_flight`](ExchangeHandle::requests_in_flight) is
//!    zero and the count did not change; otherwise begin again at 1.
//!
//! The client must hand each message on before it reads the next one, or count what it read and has not handed on.
//!
//! # Durability
//!
//! With [`log_path`](ExchangeConfig::log_path) every command and every market step is written to the operating system
//! before it is answered or published. Starting again with the same settings replays the log, so a kill takes back
//! nothing that was acknowledged.

mod admin;
mod admit;
mod candle;
mod clock;
mod composite;
mod config;
mod contracts;
mod countdown;
mod error;
mod exchange;
mod faults;
mod feed;
mod handle;
mod hub;
mod keys;
mod limits;
mod listen_key;
mod log;
mod numbers;
mod params;
mod past;
mod perform;
mod play;
mod publish;
mod rest_account;
mod rest_algos;
mod rest_amend;
mod rest_batch;
mod rest_data;
mod rest_klines;
mod rest_margin;
mod rest_market;
mod rest_orders;
mod routes;
mod server;
mod sessions;
mod sign;
mod state;
mod streams;
mod tape;
mod tick;
mod tick_recording;
mod ticks;
mod user_events;
mod ws;
mod ws_api;

pub use crate::venue::SecondCloseAll;
pub use clock::{ClockState, Pace, VenueClock};
pub use config::{Environment, ExchangeConfig, Instruments, MarketSource};
pub use exchange::{Exchange, ExchangeError};
pub use faults::{
    Fault, FaultError, FaultKind, FaultLog, FaultStage, FaultStatus, FilterChange, Matching, OrderPool, When,
};
pub use handle::ExchangeHandle;
pub use keys::PublicKey;
pub use log::LogError;
pub use routes::endpoints;
pub use sign::ApiKey;
pub use tick::LockstepStep;
