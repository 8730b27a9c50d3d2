#![doc = include_str!("../README.md")]

pub mod client;
pub mod clock_skew;
pub mod download;
pub mod limiter;
pub mod retry;
pub mod secret;
pub mod sign;

pub use client::{HttpClient, HttpConfig, HttpError, Method, Request, Response};
pub use download::Incoming;
