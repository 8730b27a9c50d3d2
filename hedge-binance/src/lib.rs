#![doc = include_str!("../README.md")]

pub mod codes;
pub mod credentials;
pub mod decode;
pub mod encode;
pub mod environment;
pub mod filters;
pub mod wire;

pub use credentials::{Credentials, CredentialsError};
pub use environment::{EndpointError, Endpoints, Mainnet, Testnet, World};
