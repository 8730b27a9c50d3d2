//! The bot that posts the message. Facts of the Bot API: <https://core.telegram.org/bots/api>.

mod fit;
mod send;

pub(crate) use send::{Patience, Telegram};
