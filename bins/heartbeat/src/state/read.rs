//! One look at a state directory.

use std::{
    fs,
    io::ErrorKind,
    path::Path,
    time::{Duration, SystemTime},
};

use hedge_core::{
    Decimal, Posture, Timestamp, View, ViewName,
    report::{Holding, Screened, Topic, Trades},
};
use serde::de::DeserializeOwned;

use super::{
    refold::refold,
    rows::{HealthFile, NavFile, PositionsFile, ScreenerFile, TradesFile},
};
use crate::complain;

/// Everything that could be read.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) nav: Option<StateNav>,
    pub(crate) positions: Option<Vec<Holding>>,
    pub(crate) trades: Option<Trades>,
    /// `Some(None)`: it can be read, and nothing was screened yet.
    pub(crate) screener: Option<Option<Screened>>,
    pub(crate) health: Option<Health>,
    pub(crate) simulated: bool,
    /// How long ago the executor last wrote, as clocks on walls count.
    pub(crate) age: Option<Duration>,
    /// What could not be read, and why.
    pub(crate) missing: Vec<(Topic, String)>,
}

/// Value, and what it is compared with.
#[derive(Debug)]
pub(crate) struct StateNav {
    pub(crate) at: Timestamp,
    pub(crate) value: Decimal,
    pub(crate) day_ago: Option<Decimal>,
    pub(crate) peak: Decimal,
    pub(crate) drawdown_pct: Decimal,
    series: Vec<(Timestamp, Decimal)>,
}

impl StateNav {
    /// The first value of the last day.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.series.first().map(|(t, _)| *t)
    }
    /// The newest value that is at least a day older than `at`.
    pub(crate) fn day_before(&self, at: Timestamp) -> Option<Decimal> {
        const DAY: Duration = Duration::from_secs(86_400);
        self.series.iter().rev().find(|(t, _)| at.since(*t) >= DAY).map(|(_, nav)| *nav)
    }
}

/// Whether a person should look.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) posture: Posture,
    pub(crate) because: String,
    pub(crate) connected: bool,
    pub(crate) unprotected: Vec<String>,
    pub(crate) doubtful_orders: u64,
}

/// Reads what is there. Nothing is an error: what cannot be read is in [`State::missing`].
pub(crate) fn read(dir: &Path) -> State {
    let mut source = Source { dir, refolded: None };
    let mut state = State { age: age(dir), ..State::default() };
    if let Some(nav) = keep(source.view::<NavFile>("nav"), Topic::Nav, &mut state.missing) {
        state.simulated = nav.simulated;
        state.nav = Some(StateNav {
            at: nav.at,
            value: nav.nav,
            day_ago: nav.nav_24h_delta_abs.and_then(|delta| nav.nav.checked_sub(delta)),
            peak: nav.peak,
            drawdown_pct: nav.drawdown_pct,
            series: nav.series.into_iter().map(|point| (point.t, point.nav)).collect(),
        });
    }
    let positions = source.view::<PositionsFile>("positions");
    state.positions =
        keep(positions, Topic::Positions, &mut state.missing).map(|positions| positions.holdings());
    let trades = source.view::<TradesFile>("trade_log");
    state.trades = keep(trades, Topic::Trades, &mut state.missing).map(|trades| trades.trades());
    let screener = source.view::<ScreenerFile>("screener");
    state.screener =
        keep(screener, Topic::Screener, &mut state.missing).map(|screener| screener.last_cycle());
    if state.missing.len() == 4 {
        // Nothing at all: one reason says it.
        state.missing = vec![(Topic::State, source.nothing())];
    }
    state.health = source.view::<HealthFile>("health").ok().map(|health| Health {
        because: if health.operator == health.posture { health.operator_because } else { String::new() },
        posture: health.posture,
        connected: health.connected,
        unprotected: health.unprotected,
        doubtful_orders: health.doubtful_orders,
    });
    state
}

fn keep<T>(read: Result<T, String>, topic: Topic, missing: &mut Vec<(Topic, String)>) -> Option<T> {
    read.map_err(|why| missing.push((topic, why))).ok()
}

/// The views' files, and what the journal says in their place. Folding takes a while: once, and only if need be.
struct Source<'a> {
    dir: &'a Path,
    refolded: Option<Result<Vec<(ViewName, View)>, String>>,
}

impl Source<'_> {
    /// Why neither the views nor the journal can be read.
    fn nothing(&self) -> String {
        match &self.refolded {
            Some(Err(why)) => why.clone(),
            _ => format!("{} cannot be read", self.dir.display()),
        }
    }

    fn view<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        let why = match file(self.dir, name) {
            Ok(view) => return Ok(view),
            Err(why) => why,
        };
        let views = self.refolded.get_or_insert_with(|| {
            complain(&format!("{why}; the journal is read instead"));
            refold(self.dir).map_err(|error| error.to_string()).and_then(|views| {
                views.ok_or_else(|| format!("no record in the journal of {}", self.dir.display()))
            })
        });
        let views = views.as_ref().map_err(|error| format!("{why}; {error}"))?;
        let view = views.iter().find(|(found, _)| found.as_str() == name);
        let (_, view) = view.ok_or_else(|| why.clone())?;
        serde_json::from_str(&view.json).map_err(|error| format!("{why}; from the journal: {error}"))
    }
}

fn file<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<T, String> {
    let path = dir.join(format!("{name}.json"));
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("{} is not there", path.display()));
        }
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
    };
    serde_json::from_slice(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))
}

/// By the file's own time: the executor's clock may be a simulated exchange's.
fn age(dir: &Path) -> Option<Duration> {
    let written = fs::metadata(dir.join("nav.json")).and_then(|file| file.modified()).ok()?;
    SystemTime::now().duration_since(written).ok()
}
