//! The venue's JSON as it documents it: shapes without meaning.
//!
//! Decimals are accepted as text or number, unknown fields are ignored, unknown words become `Unknown(text)`. What a
//! missing field means is decided in [`decode`](crate::decode), never here: absent is not zero.

pub mod account;
pub mod algo;
pub mod event;
pub mod list;
pub mod margin;
pub mod market;
pub mod number;
pub mod order;
pub mod reference;
pub mod statistics;
pub mod text;
pub mod ticker;
pub mod trades;
