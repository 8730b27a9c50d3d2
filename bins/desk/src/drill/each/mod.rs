//! One file a drill: what should happen, the steps, the checks.

pub(super) mod clock_skew;
pub(super) mod disk_full;
pub(super) mod http_503_storm;
pub(super) mod kill_executor;
pub(super) mod listen_key_expiry;
pub(super) mod mode_flipped;
pub(super) mod panic_under_fire;
pub(super) mod partial_fill;
pub(super) mod rate_ban;
pub(super) mod second_writer;
pub(super) mod silent_stream;
pub(super) mod stop_deleted;
pub(super) mod stop_refused;
pub(super) mod store_outage;
pub(super) mod venue_migration;
pub(super) mod ws_drop;
