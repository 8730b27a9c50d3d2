//! The answer as data, and as the text an operator reads.

use std::fmt;

use hedge_core::{ClientOrderId, Posture, Reading, Seq, StrategyId};
use rust_decimal::Decimal;
use serde::Serialize;

use super::tree::Node;
use crate::journal::veto_meaning;

/// A stop that was moved often is a long chain of causes; it does not wander off to the right.
const DEEPEST: usize = 6;

/// Everything that explains one leg at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// Which symbol.
    pub symbol: String,
    /// `LONG` or `SHORT`.
    pub side: String,
    /// The last record that was looked at.
    pub as_of: Seq,
    /// When that was, in ISO form.
    pub as_of_time: String,
    /// The answer in one or a few sentences.
    pub headline: String,
    /// The leg then.
    pub leg: LegNow,
    /// The engine's stance then.
    pub posture: PostureNow,
    /// The forced close that halts the leg, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<HaltNow>,
    /// Orders of the leg whose outcome nobody knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownNow>,
    /// The last mute of the symbol.
    pub mute: Option<MuteNow>,
    /// What each strategy saw last.
    pub readings: Vec<Seen>,
    /// The last openings that were wanted, newest first, with all that followed.
    pub openings: Vec<Node>,
    /// Everything else that was decided about the leg, newest first: exits, moved stops, the engine's own orders.
    pub since: Vec<Node>,
}

/// Why a leg opens nothing until a person resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HaltNow {
    /// What the venue did, in a word or two.
    pub forced: String,
    /// When it was learned, in ISO form.
    pub since: String,
}

/// An order of unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownNow {
    /// Its id.
    pub order: ClientOrderId,
    /// What it does.
    pub what: String,
    /// Since when its outcome is unknown, in ISO form.
    pub since: String,
    /// For how long. Units: seconds.
    pub age_seconds: u64,
    /// How often the venue was asked.
    pub asked: u32,
    /// How often it did not know the order, after the request could no longer be accepted. Two are a proof, if nothing else on
    /// the leg is unexplained.
    pub absent: u32,
    /// What went wrong.
    pub because: String,
}

/// A leg.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LegNow {
    /// Quantity; zero is flat.
    pub qty: Decimal,
    /// Average entry.
    pub entry: Option<Decimal>,
    /// Latest mark in the journal.
    pub mark: Option<Decimal>,
    /// Unrealised profit at that mark.
    pub unrealised: Option<Decimal>,
    /// Since when it is open, in ISO form.
    pub opened_at: Option<String>,
    /// Whose leg it is.
    pub owner: Option<StrategyId>,
    /// The stop that protects it.
    pub stop: Option<StopNow>,
    /// Since when it is open without a confirmed stop, in ISO form.
    pub unprotected_since: Option<String>,
    /// Orders that are, or may be, at the venue.
    pub live_orders: Vec<LiveOrder>,
    /// Realised on this leg so far, before fees.
    pub realised: Decimal,
    /// Fees of this leg so far.
    pub fees: Decimal,
    /// Funding of this leg so far; negative is paid.
    pub funding: Decimal,
}

/// A protective stop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StopNow {
    /// Its id.
    pub order: ClientOrderId,
    /// Where it fires.
    pub trigger: Option<Decimal>,
    /// Where it stands.
    pub state: String,
}

/// An order that is, or may be, at the venue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveOrder {
    /// Its id.
    pub order: ClientOrderId,
    /// What it does.
    pub what: String,
    /// Where it stands.
    pub state: String,
    /// How much of it is filled.
    pub filled: Decimal,
}

/// The engine's stance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PostureNow {
    /// The stance.
    pub posture: Posture,
    /// Why; empty for Normal.
    pub because: String,
    /// Since when, in ISO form; `None` when it never changed.
    pub since: Option<String>,
}

/// A symbol that opens nothing for a while.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MuteNow {
    /// Until when, in ISO form.
    pub until: String,
    /// Why.
    pub because: String,
    /// Whether it still holds at the moment that was asked about.
    pub holds: bool,
}

/// What a strategy saw on its last bar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// Which strategy.
    pub strategy: StrategyId,
    /// The record.
    pub seq: Seq,
    /// When, in ISO form.
    pub at: String,
    /// What it saw.
    pub reading: Reading,
    /// How many of its last bars `tally` counts.
    pub bars: usize,
    /// How often each veto word (or `entered`) was said over those bars, most often first.
    pub tally: Vec<(String, usize)>,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} as of {} (record #{})", self.symbol, self.side, self.as_of_time, self.as_of)?;
        writeln!(f, "\n{}\n", self.headline)?;
        self.leg.write(f)?;
        match (self.posture.posture, &self.posture.since) {
            (Posture::Normal, _) => writeln!(f, "Posture    Normal")?,
            (posture, since) => writeln!(
                f,
                "Posture    {posture} since {}: {}",
                since.as_deref().unwrap_or("the start"),
                self.posture.because
            )?,
        }
        if let Some(halt) = &self.halt {
            writeln!(
                f,
                "Halted     {} at {}; lift it with: hedgectl resume BECAUSE",
                halt.forced, halt.since
            )?;
        }
        for order in &self.unknown {
            writeln!(
                f,
                "Unknown    {}: {}, for {} s since {}; asked {} times, not found {} times of the 2 that prove it: {}",
                order.order,
                order.what,
                order.age_seconds,
                order.since,
                order.asked,
                order.absent,
                order.because
            )?;
        }
        if let Some(mute) = &self.mute {
            let tense = if mute.holds { "muted" } else { "was muted" };
            writeln!(f, "Mute       the symbol {tense} until {}: {}", mute.until, mute.because)?;
        }
        writeln!(f, "\nWhat the strategies saw last")?;
        if self.readings.is_empty() {
            writeln!(f, "  nothing: no strategy wrote a reading of {} up to here", self.symbol)?;
        }
        for seen in &self.readings {
            seen.write(f)?;
        }
        section(f, "Openings that were wanted, newest first", &self.openings)?;
        section(f, "What else was decided about this leg, newest first", &self.since)
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, nodes: &[Node]) -> fmt::Result {
    writeln!(f, "\n{title}")?;
    if nodes.is_empty() {
        writeln!(f, "  none")?;
    }
    // The newest is told with every check; of the older ones, only what did not pass.
    nodes.iter().enumerate().try_for_each(|(i, node)| write_node(f, node, 1, i == 0))
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, depth: usize, every_check: bool) -> fmt::Result {
    // What the venue confirms is told by the order's fate; what followed from it is told in its place.
    let below = if node.is_routine { depth } else { depth + 1 };
    if !node.is_routine {
        let indent = "  ".repeat(depth.min(DEEPEST));
        let fate = node.fate.as_ref().map(|fate| format!(" -> {fate}")).unwrap_or_default();
        writeln!(f, "{indent}#{} {} {}{fate}", node.seq, node.at, node.text)?;
        for check in node.checks.iter().filter(|check| every_check || !check.starts_with("pass")) {
            writeln!(f, "{indent}    {check}")?;
        }
    }
    node.then.iter().try_for_each(|child| write_node(f, child, below, every_check))
}

impl LegNow {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => {
                let owner = self.owner.map_or_else(|| "nobody".to_owned(), |owner| owner.to_string());
                write!(f, "Leg        {} at {}, owner {owner}", self.qty.normalize(), short(entry))?;
                if let (Some(mark), Some(unrealised)) = (self.mark, self.unrealised) {
                    write!(f, ", mark {}, unrealised {}", mark.normalize(), short(unrealised))?;
                }
                writeln!(f)?;
                match (&self.stop, &self.unprotected_since) {
                    (_, Some(since)) => writeln!(f, "Stop       NO confirmed stop since {since}")?,
                    (Some(stop), None) => writeln!(
                        f,
                        "Stop       {} at {}, {}",
                        stop.order,
                        stop.trigger.map_or_else(|| "-".to_owned(), |at| at.normalize().to_string()),
                        stop.state
                    )?,
                    (None, None) => writeln!(f, "Stop       none of this journal")?,
                }
            }
            None => writeln!(f, "Leg        flat")?,
        }
        writeln!(
            f,
            "So far     realised {}, fees {}, funding {}",
            short(self.realised),
            short(self.fees),
            short(self.funding)
        )?;
        for order in &self.live_orders {
            writeln!(f, "Live       {}: {}, {}", order.order, order.what, order.state)?;
        }
        Ok(())
    }
}

fn short(value: Decimal) -> Decimal {
    value.round_dp(8).normalize()
}

impl Seen {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reading = &self.reading;
        let number = |value: Option<f64>, places: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.places$}"))
        };
        writeln!(
            f,
            "  #{} {} {} {}: z {}, RSI {}, ATR {} of the close{}",
            self.seq,
            self.at,
            self.strategy,
            reading.timeframe,
            number(reading.z, 2),
            number(reading.rsi, 1),
            number(reading.atr, 5),
            match (reading.cross_up, reading.cross_down) {
                (true, _) => ", averages crossed up",
                (_, true) => ", averages crossed down",
                _ => "",
            }
        )?;
        if reading.emitted {
            let side = reading.side.map_or_else(String::new, |side| format!(" on {side}"));
            writeln!(f, "      it wanted an entry{side}")?;
        }
        for word in &reading.veto {
            match veto_meaning(word) {
                Some(meaning) => writeln!(f, "      no entry: {word} ({meaning})")?,
                None => writeln!(f, "      no entry: {word}")?,
            }
        }
        let tally: Vec<String> = self.tally.iter().map(|(word, times)| format!("{word} {times}")).collect();
        writeln!(f, "      over its last {} bars: {}", self.bars, tally.join(", "))
    }
}
