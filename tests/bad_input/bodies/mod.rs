//! One body a surface that takes bytes from outside: whatever the bytes are, it ends with a value or an error. The tests beside
//! them call them with arbitrary and with damaged input and with the kept corpus; a fuzzer calls the same functions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise is shown by a panic"
)]
#![allow(dead_code, reason = "a fuzz target uses one of them")]

pub(crate) mod exchange;
pub(crate) mod files;
pub(crate) mod honest;
pub(crate) mod incident;
pub(crate) mod scratch;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod stores;

/// A body.
pub(crate) type Body = fn(&[u8]);

/// Every surface by its name, which is that of its fuzz target and of its folder of kept inputs.
pub(crate) const SURFACES: &[(&str, Body)] = &[
    ("stream", exchange::stream),
    ("rest", exchange::rest),
    ("ws_api", exchange::ws_api),
    ("hot", exchange::hot),
    ("order_book", exchange::order_book),
    ("fold", state::fold),
    ("record", state::record),
    ("journal", files::journal),
    ("packed", stores::packed),
    ("view", stores::view),
    ("owner", stores::owner),
    ("lease", stores::lease),
    ("incident", incident::incident),
    ("config", files::config),
    ("variables", files::variables),
    ("klines", files::klines),
    ("ticks", files::ticks),
    ("fence", files::fence),
    ("consent", files::consent),
    ("control", socket::control),
    ("firestore", files::firestore),
];

/// The body of that name.
pub(crate) fn body(name: &str) -> Body {
    SURFACES
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no surface is called {name}"))
        .1
}

/// The first line, and what follows it.
pub(crate) fn headed(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}
