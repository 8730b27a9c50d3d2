#![doc = include_str!("../README.md")]

pub mod client;
pub mod codes;
pub mod config;
pub mod credentials;
pub mod decode;
pub mod encode;
pub mod environment;
pub mod filters;
pub mod hot;
mod last_look;
pub mod order_book;
pub mod stream;
pub mod wire;
pub mod ws_api;

pub use client::{
    ArmError, Armed, AutoClose, Binance, Closing, ConnectError, Live, MarginMove, Mode, Period, Prepared,
    Protecting, ReadOnly, Rest, Span, SymbolSetup, prepare_account,
};
pub use config::{BinanceConfig, RecvWindow, StreamConfig};
pub use credentials::{Credentials, CredentialsError};
pub use environment::{EndpointError, Endpoints, Mainnet, Testnet, World};
pub use ws_api::OrderPath;
