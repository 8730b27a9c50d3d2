//! Does the venue's dead-man countdown cancel untriggered conditional orders too? The documentation does not say
//! (fact sheet 4.4: "open orders", UNCONFIRMED), so it is tried out.

use std::{fmt, time::Duration};

use hedge_binance::{Binance, Live};
use hedge_core::{
    BrokerError, Brokerage, Environment, InstrumentId, OrderRef, OrderSpace, Position, PositionMode, Price,
    ReportedState, VenueReader,
};
use serde::Serialize;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::entry::Place;

/// How long the countdown runs: long enough for both orders to be seen first.
const COUNTDOWN: Duration = Duration::from_secs(5);
/// How much later than that the venue may act.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a conditional order may outlive the plain one before it counts as spared.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(250);

/// What the venue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Plain orders go, conditional ones stay: stops are safe.
    PlainOnly,
    /// Conditional ones go too: stops are lost when nobody renews the countdown.
    ConditionalToo,
}

/// What was found, and what it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The answer.
    pub verdict: Verdict,
    /// On which symbol.
    pub symbol: String,
    /// Where.
    pub venue: String,
    /// How long after it was armed the plain order was seen to be gone. Units: milliseconds.
    pub after_ms: u64,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, so) = match self.verdict {
            Verdict::PlainOnly => (
                "cancelled the plain order and left the conditional one",
                "stops are safe: deadman.binance = \"armed\" with deadman.probe = \"plain_only\" takes entries away and nothing else",
            ),
            Verdict::ConditionalToo => (
                "cancelled the plain order and the conditional one",
                "leave deadman.binance = \"off\": it would take the stops of open legs away; entries vanish by deadman.gtd_s",
            ),
        };
        writeln!(
            f,
            "{}: the countdown on {} {what}, {} ms after it was armed",
            self.venue, self.symbol, self.after_ms
        )?;
        write!(f, "verdict: {so}")
    }
}

/// Nothing was found out. What had been placed was taken away again, unless the text says otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// Not here.
    #[error("{0}")]
    Refused(String),
    /// The venue would not take part.
    #[error("{doing}: {source}")]
    Venue {
        /// At which step.
        doing: &'static str,
        /// What it said.
        #[source]
        source: BrokerError,
    },
    /// The countdown did nothing, so nothing follows from what is left.
    #[error(
        "the countdown did not cancel the plain order within {0:?}: nothing follows about conditional ones"
    )]
    Nothing(Duration),
    /// Something may be left.
    #[error("{found}; and it could not be cleaned up: {left}; look at {symbol} by hand")]
    Left {
        /// What came of the probe.
        found: String,
        /// What is left.
        left: String,
        /// Where.
        symbol: String,
    },
}

fn at(doing: &'static str) -> impl FnOnce(BrokerError) -> ProbeError {
    move |source| ProbeError::Venue { doing, source }
}

/// What will be done, for a person who is asked.
pub fn plan(instrument: &InstrumentId, venue: &str) -> String {
    let symbol = instrument.symbol;
    format!(
        "On {venue}, on {symbol}, where no leg is open and no order rests:\n\
         1. one LONG limit order of the smallest size, 10 % below the mark, post-only\n\
         2. one stop for the flat LONG leg, 20 % below the mark\n\
         3. the countdown of {symbol} is armed with {} s and not renewed\n\
         4. what is left is cancelled, the countdown is taken off, and a fill, if there was one, is closed\n",
        COUNTDOWN.as_secs()
    )
}

/// Finds it out. Never on mainnet, and only on a symbol where nothing is open and nothing rests.
///
/// Errors: [`ProbeError`].
pub async fn dead_man(client: &Binance<Live>, instrument: InstrumentId) -> Result<Found, ProbeError> {
    let place = look(client, instrument).await?;
    let result = try_out(client, &place).await;
    let left = clean_up(client, &place).await;
    match (result, left) {
        (result, None) => result,
        (result, Some(left)) => {
            let found = result.map_or_else(|error| error.to_string(), |found| found.to_string());
            Err(ProbeError::Left { found, left, symbol: instrument.symbol.to_string() })
        }
    }
}

/// Whether it may be tried here, and what there is to know.
async fn look(client: &Binance<Live>, instrument: InstrumentId) -> Result<Place, ProbeError> {
    let refused = |why: String| Err(ProbeError::Refused(why));
    if client.fingerprint().environment == Environment::Mainnet {
        return refused(
            "a probe places orders to see them vanish: it runs on a demo venue, never on mainnet".to_owned(),
        );
    }
    let account = client.account().await.map_err(at("reading the account"))?;
    if account.mode != PositionMode::Hedge {
        return refused(
            "the account is not in hedge mode; start the executor there once, it switches it".to_owned(),
        );
    }
    let specs = client.instruments().await.map_err(at("reading the instruments"))?;
    let Some(spec) = specs.into_iter().find(|spec| spec.id == instrument && spec.is_trading()) else {
        return refused(format!("{} does not trade there", instrument.symbol));
    };
    if let Some(left) = remains(client, instrument).await.map_err(at("reading positions and orders"))? {
        return refused(format!("{left}; name another symbol with --symbol, one that nothing uses"));
    }
    let index =
        client.rest().premium_index(instrument.symbol.as_str()).await.map_err(at("reading the mark"))?;
    let Ok(mark) = Price::new(index.mark_price) else {
        return refused(format!("{} has no mark price", instrument.symbol));
    };
    let now = client.server_time().await.map_err(at("reading the venue's clock"))?;
    Ok(Place { spec, mark, account, now })
}

/// What is open or rests on the symbol, in words.
async fn remains(client: &Binance<Live>, instrument: InstrumentId) -> Result<Option<String>, BrokerError> {
    let held = client.positions().await?.into_iter().find(|position| position.key().instrument == instrument);
    if let Some(position) = held {
        return Ok(Some(format!("{} {} is open", position.key(), position.qty())));
    }
    let resting = client.open_orders().await?.into_iter().find(|report| report.instrument == instrument);
    Ok(resting.map(|report| format!("order {} rests on {}", report.client_id.as_str(), instrument.symbol)))
}

async fn try_out(client: &Binance<Live>, place: &Place) -> Result<Found, ProbeError> {
    let instrument = place.spec.id;
    let Some(opening) = place.opening() else {
        return Err(ProbeError::Refused(format!(
            "no small order far below the mark is possible on {}",
            instrument.symbol
        )));
    };
    let plain = OrderRef::Client { id: *opening.get().client_id(), space: OrderSpace::Plain };
    client.submit(&opening).await.map_err(|error| at("placing the plain order")(error.error))?;
    let stop = place_stop(client, place).await?;
    let armed_at = Instant::now();
    client.dead_man(&instrument, Some(COUNTDOWN)).await.map_err(at("arming the countdown"))?;
    while is_live(client, instrument, &plain).await? {
        if armed_at.elapsed() > COUNTDOWN + PATIENCE {
            return Err(ProbeError::Nothing(COUNTDOWN + PATIENCE));
        }
        sleep(LOOK).await;
    }
    let after_ms = u64::try_from(armed_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    if armed_at.elapsed() < COUNTDOWN - LOOK {
        return Err(ProbeError::Refused("the plain order was gone before the countdown ran out".to_owned()));
    }
    let spared_at = Instant::now() + AFTERWARDS;
    let mut verdict = Verdict::PlainOnly;
    while verdict == Verdict::PlainOnly && Instant::now() < spared_at {
        if !is_live(client, instrument, &stop).await? {
            verdict = Verdict::ConditionalToo;
        }
        sleep(LOOK).await;
    }
    let fingerprint = client.fingerprint();
    let venue = format!("{} {:?} at {}", fingerprint.venue, fingerprint.environment, fingerprint.host);
    Ok(Found { verdict, symbol: instrument.symbol.to_string(), venue, after_ms })
}

/// Over the whole leg as our stops are; by quantity where the venue takes no such stop for a flat leg.
async fn place_stop(client: &Binance<Live>, place: &Place) -> Result<OrderRef, ProbeError> {
    let mut refusal = None;
    for stop in place.stops() {
        let order = stop.into();
        match client.submit(&order).await {
            Ok(_) => return Ok(OrderRef::Client { id: *order.get().client_id(), space: OrderSpace::Algo }),
            Err(error) => refusal = Some(error.error),
        }
    }
    match refusal {
        Some(source) => Err(ProbeError::Venue { doing: "placing the conditional order", source }),
        None => Err(ProbeError::Refused("no stop is possible there".to_owned())),
    }
}

async fn is_live(
    client: &Binance<Live>,
    instrument: InstrumentId,
    order: &OrderRef,
) -> Result<bool, ProbeError> {
    let report = client.find_order(&instrument, order).await.map_err(at("asking about an order"))?;
    Ok(report.is_some_and(|report| {
        !report.state.is_terminal() && !matches!(report.state, ReportedState::Unknown(_))
    }))
}

/// Takes everything away again. What is left after several attempts, in words.
async fn clean_up(client: &Binance<Live>, place: &Place) -> Option<String> {
    let instrument = place.spec.id;
    let mut left = None;
    for attempt in 0..5_u64 {
        sleep(Duration::from_millis(300 * attempt)).await;
        left = match sweep(client, place).await {
            Ok(()) => remains(client, instrument).await.unwrap_or_else(|error| Some(error.to_string())),
            Err(error) => Some(error.to_string()),
        };
        left.as_ref()?;
    }
    left
}

async fn sweep(client: &Binance<Live>, place: &Place) -> Result<(), BrokerError> {
    let instrument = place.spec.id;
    client.dead_man(&instrument, None).await?;
    // Nothing rested here before: whatever does now is the probe's.
    for report in client.open_orders().await?.into_iter().filter(|report| report.instrument == instrument) {
        client.cancel(&instrument, &report.order).await?;
    }
    let held: Vec<Position> = client.positions().await?;
    for position in held.iter().filter(|position| position.key().instrument == instrument) {
        if let Some(close) = place.close(position) {
            client.submit(&close.into()).await.map_err(|error| error.error)?;
        }
    }
    Ok(())
}
