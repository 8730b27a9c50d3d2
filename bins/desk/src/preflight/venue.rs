//! Everything that the checks want to know of the venue, read once.

use std::{collections::BTreeMap, time::Duration};

use hedge_binance::{
    Binance, ReadOnly,
    wire::{
        account::{Account, AccountConfig, PositionRow, SymbolConfig},
        text::LegWord,
    },
};
use hedge_core::{
    BrokerError, Clock, InstrumentSpec, OrderReport, RejectReason, Symbol, Timestamp, VenueReader,
};
use rust_decimal::Decimal;

/// How often the venue's time is asked for one estimate.
const TIME_SAMPLES: usize = 3;

/// An answer, or why there is none that can be used.
pub(super) type Answer<T> = Result<T, NoAnswer>;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer {
    words: String,
    /// Whether the venue has not said anything about the account: it was not reached, had no time, or wants to be asked
    /// later. A refusal of the key is an answer.
    is_silence: bool,
}

impl NoAnswer {
    pub(super) fn as_str(&self) -> &str {
        &self.words
    }
    fn of(error: &BrokerError) -> Self {
        // A clock that is off is corrected and asked with again.
        let is_silence = matches!(error.reason(), None | Some(RejectReason::Clock));
        Self { words: words(error), is_silence }
    }
    /// Another question was not asked for this.
    fn because_of(&self, why: &str) -> Self {
        Self { words: why.to_owned(), is_silence: self.is_silence }
    }
    #[cfg(test)]
    pub(super) fn refused(words: &str) -> Self {
        Self { words: words.to_owned(), is_silence: false }
    }
    #[cfg(test)]
    pub(super) fn silence(words: &str) -> Self {
        Self { words: words.to_owned(), is_silence: true }
    }
}

impl From<&NoAnswer> for String {
    fn from(none: &NoAnswer) -> Self {
        none.words.clone()
    }
}

/// The words of a question that was met with silence.
pub(super) fn silence<T>(answer: &Answer<T>) -> Option<&str> {
    answer.as_ref().err().filter(|none| none.is_silence).map(NoAnswer::as_str)
}

/// The venue's clock against ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    /// The venue's less ours; positive when ours is behind. Units: milliseconds.
    pub(super) ms: i64,
    /// How long the question and its answer took: the estimate is good to half of it.
    pub(super) round_trip: Duration,
}

/// A leg, or a one-way position, that is open at the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) symbol: String,
    pub(super) leg: LegWord,
    /// Unsigned.
    pub(super) qty: Decimal,
    pub(super) mark: Option<Decimal>,
}

/// What the venue says.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) clock: Answer<Skew>,
    pub(super) config: Answer<AccountConfig>,
    pub(super) account: Answer<Account>,
    pub(super) settings: Answer<Vec<SymbolConfig>>,
    pub(super) listed: Answer<Vec<InstrumentSpec>>,
    pub(super) held: Answer<Vec<Held>>,
    pub(super) orders: Answer<Vec<OrderReport>>,
    pub(super) marks: BTreeMap<Symbol, Decimal>,
    /// The first mark price that was asked for in vain.
    pub(super) no_mark: Option<NoAnswer>,
}

impl Seen {
    /// Asks. A venue that does not answer, or refuses the key, is not asked twenty times.
    pub(super) async fn read(client: &Binance<ReadOnly>, clock: &dyn Clock, symbols: &[Symbol]) -> Self {
        let skew = skew(client, clock).await;
        if let Err(none) = &skew {
            let skipped = none.because_of("not asked: the venue does not answer");
            return Self::silent(skew, &skipped);
        }
        let rest = client.rest();
        let listed = client.instruments().await.map_err(|error| NoAnswer::of(&error));
        let (mut marks, mut no_mark) = (BTreeMap::new(), None);
        if let Ok(listed) = &listed {
            for symbol in symbols.iter().filter(|symbol| listed.iter().any(|spec| spec.id.symbol == **symbol))
            {
                match rest.premium_index(symbol.as_str()).await {
                    Ok(premium) => {
                        marks.insert(*symbol, premium.mark_price);
                    }
                    Err(error) => {
                        no_mark.get_or_insert_with(|| NoAnswer::of(&error));
                    }
                }
            }
        }
        let config = rest.account_config().await.map_err(|error| NoAnswer::of(&error));
        if let Err(none) = &config {
            let skipped = none.because_of("not asked: the account does not answer");
            return Self { config, listed, marks, no_mark, ..Self::silent(skew, &skipped) };
        }
        Self {
            clock: skew,
            config,
            account: rest.account_v3().await.map_err(|error| NoAnswer::of(&error)),
            settings: rest.symbol_config(None).await.map_err(|error| NoAnswer::of(&error)),
            listed,
            held: rest
                .position_risk_v3(None)
                .await
                .map(|rows| held(&rows))
                .map_err(|error| NoAnswer::of(&error)),
            orders: client.open_orders().await.map_err(|error| NoAnswer::of(&error)),
            marks,
            no_mark,
        }
    }

    fn silent(clock: Answer<Skew>, why: &NoAnswer) -> Self {
        Self {
            clock,
            config: Err(why.clone()),
            account: Err(why.clone()),
            settings: Err(why.clone()),
            listed: Err(why.clone()),
            held: Err(why.clone()),
            orders: Err(why.clone()),
            marks: BTreeMap::new(),
            no_mark: None,
        }
    }

    /// The words of a silence about what is open.
    pub(super) fn silence_on_exposure(&self) -> Option<&str> {
        silence(&self.held).or_else(|| silence(&self.orders))
    }

    /// The words of a silence about rules and prices.
    pub(super) fn silence_on_rules(&self) -> Option<&str> {
        let mark = self.no_mark.as_ref().filter(|none| none.is_silence).map(NoAnswer::as_str);
        silence(&self.listed).or(mark)
    }

    /// Whether anything is open on the account: then the venue refuses to switch its position mode (-4067, -4068; fact
    /// sheet section 3). `None` when it is not known.
    pub(super) fn is_busy(&self) -> Option<bool> {
        let (held, orders) = (self.held.as_ref().ok()?, self.orders.as_ref().ok()?);
        Some(!held.is_empty() || !orders.is_empty())
    }
}

/// Of some samples the one with the shortest way there and back.
async fn skew(client: &Binance<ReadOnly>, clock: &dyn Clock) -> Answer<Skew> {
    let mut best: Option<Skew> = None;
    for _ in 0..TIME_SAMPLES {
        let sent = clock.now();
        let venue = client.server_time().await.map_err(|error| NoAnswer::of(&error))?;
        let sample = sample(sent, clock.now(), venue);
        if best.is_none_or(|best| sample.round_trip < best.round_trip) {
            best = Some(sample);
        }
    }
    best.ok_or_else(|| NoAnswer { words: "no answer".to_owned(), is_silence: true })
}

fn sample(sent: Timestamp, answered: Timestamp, venue: Timestamp) -> Skew {
    let round_trip = answered.since(sent);
    Skew { ms: venue.ms() - sent.plus(round_trip / 2).ms(), round_trip }
}

fn held(rows: &[PositionRow]) -> Vec<Held> {
    let open = rows.iter().filter(|row| !row.position_amt.is_zero());
    open.map(|row| Held {
        symbol: row.symbol.clone(),
        leg: row.position_side.clone(),
        qty: row.position_amt.abs().normalize(),
        mark: row.mark_price,
    })
    .collect()
}

/// What went wrong, with what helps where the venue's code says it.
fn words(error: &BrokerError) -> String {
    match (error.reason(), error.code()) {
        // Fact sheet, error table: the key is of another world, the address is not listed, or the permission is missing.
        (Some(RejectReason::Auth), Some(-2014 | -2015 | -2008)) => format!(
            "{error}; the key is of another environment, this address is not on its list, or it may not use futures"
        ),
        (Some(RejectReason::Auth), Some(-1022)) => format!("{error}; the secret does not belong to the key"),
        _ => match error.retry_after() {
            Some(wait) => format!(
                "the venue wants this address to be slower: it answers again in {} s",
                wait.as_secs() + 1
            ),
            None => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_an_answer_and_a_venue_that_is_away_is_none() {
        let rejected = |reason, code| BrokerError::Rejected { reason, code, message: "no".to_owned() };
        let lost = || Box::new(std::io::Error::other("connection refused")) as _;
        let malformed = BrokerError::Malformed { detail: "a page of HTML".to_owned(), source: lost() };
        for (error, is_silence) in [
            (BrokerError::NotSent { source: lost() }, true),
            (BrokerError::OutcomeUnknown { source: lost() }, true),
            (BrokerError::RateLimited { retry_after: Duration::from_secs(120) }, true),
            (malformed, true),
            (rejected(RejectReason::Clock, -1021), true),
            (rejected(RejectReason::Auth, -2015), false),
            (rejected(RejectReason::Auth, -1022), false),
            (rejected(RejectReason::BadRequest, -1102), false),
        ] {
            let answer: Answer<()> = Err(NoAnswer::of(&error));
            assert_eq!(silence(&answer).is_some(), is_silence, "{error}");
        }
    }

    #[test]
    fn the_way_there_is_taken_for_half_of_the_round_trip() {
        let at = Timestamp::from_ms;
        assert_eq!(sample(at(1_000), at(1_100), at(1_050)).ms, 0);
        let behind = sample(at(1_000), at(1_100), at(1_750));
        assert_eq!((behind.ms, behind.round_trip), (700, Duration::from_millis(100)));
        assert_eq!(sample(at(1_000), at(1_000), at(400)).ms, -600);
    }
}
