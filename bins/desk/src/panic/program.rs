//! The program around it: the plan, the question, the fence, the lines, the exit code.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hedge_core::{BrokerError, Clock, RejectReason, Symbol, Term};
use hedge_runtime::SystemClock;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

use super::{
    ClosingVenue, End, Fenced, PanicIds, PanicParts, Plan, Reached, Verdict, Wanted, ask_executor_to_halt,
    ask_executor_to_stop, reach, run, take_over,
};
use crate::{
    config::nearest,
    logging::{self, Format, Sink},
};

const NAME: &str = "hedge-panic-close";
/// The exit code when something is, or may be, open.
const NOT_FLAT: u8 = 13;
/// The exit code when another panic close is at work.
const TAKEN: u8 = 75;
/// The exit code for arguments that make no sense.
const USAGE: u8 = 2;
/// How long the list of symbols is waited for when symbols are named.
const RULES_WITHIN: Duration = Duration::from_secs(3);
/// The plan is read once more when the first reading fails.
const PLAN_TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(300);

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--symbols`; all without.
    pub symbols: Option<BTreeSet<Symbol>>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--env-file`.
    pub env_file: Option<PathBuf>,
    /// `--within`.
    pub within: Duration,
    /// `--yes`.
    pub yes: bool,
    /// `--json`.
    pub json: bool,
    /// When the program began.
    pub started: std::time::Instant,
}

/// Where lines go. A reader that has gone away must not stop a panic close, so nothing here fails.
#[derive(Clone, Copy, Debug)]
struct Voice {
    json: bool,
}

impl Voice {
    fn say(self, line: &str) {
        if self.json {
            let _ = writeln!(io::stderr(), "[panic] {line}");
        } else {
            let _ = writeln!(io::stdout(), "[panic] {line}");
        }
    }

    fn warn(line: &str) {
        let _ = writeln!(io::stderr(), "{NAME}: warning: {line}");
    }

    fn fail(line: &str) {
        let _ = writeln!(io::stderr(), "{NAME}: {line}");
    }

    fn result(self, object: &Value) {
        if self.json {
            let _ = writeln!(io::stdout(), "{object}");
        }
    }
}

/// The whole program. Returns its exit code: 0 flat, 2 usage, 13 not flat, 75 another panic close is at work, 78 mode or keys.
pub async fn close_down(request: Request) -> u8 {
    let voice = Voice { json: request.json };
    let wanted = Wanted {
        profile: request.profile.as_deref(),
        state_dir: request.state_dir.as_deref(),
        config: request.config.as_deref(),
        env_file: request.env_file.as_deref(),
    };
    let reached = match reach(&wanted) {
        Ok(reached) => reached,
        Err(refused) => {
            refused.message.lines().for_each(Voice::fail);
            voice.result(&json!({"flat": false, "end": "refused", "because": refused.message}));
            return refused.code;
        }
    };
    logging::init(&Sink::to(Format::Text, io::stderr()), &reached.log_level);
    reached.warnings.iter().for_each(|warning| Voice::warn(warning));
    reached.mode.audit().iter().for_each(|line| Voice::fail(line));
    let interrupts = listen();
    let first = reached.mode.preflight_line(&reached.base);
    if request.json {
        let _ = writeln!(io::stderr(), "{first}");
    } else {
        let _ = writeln!(io::stdout(), "{first}");
    }
    voice.say(&format!(
        "account {} at {}, {}",
        reached.account,
        reached.base,
        scope(request.symbols.as_ref())
    ));
    let mut request = request;
    if let Some(named) = &request.symbols {
        match known(&reached.venue, named).await {
            Ok(symbols) => request.symbols = Some(symbols),
            Err(sentence) => {
                Voice::fail(&sentence);
                voice.result(&json!({"flat": false, "end": "usage", "because": sentence}));
                return USAGE;
            }
        }
    }
    if !request.yes
        && let Err(code) = ask(&reached, &request, voice, interrupts.clone()).await
    {
        return code;
    }
    act(reached, request, voice, interrupts).await
}

/// The named symbols as the venue writes them. A name that is neither listed nor held nor ordered would make "flat" of
/// nothing at all, so it is refused before anything is touched. Where the list cannot be read soon, the end tells.
async fn known(venue: &dyn ClosingVenue, named: &BTreeSet<Symbol>) -> Result<BTreeSet<Symbol>, String> {
    let named: BTreeSet<Symbol> = named
        .iter()
        .map(|name| Symbol::parse(&name.as_str().to_ascii_uppercase()).unwrap_or(*name))
        .collect();
    let Ok(Ok(specs)) = tokio::time::timeout(RULES_WITHIN, venue.rules()).await else {
        Voice::warn("whether the venue knows these symbols could not be found out soon; going on");
        return Ok(named);
    };
    let listed: BTreeSet<Symbol> = specs.iter().map(|spec| spec.id.symbol).collect();
    let strange: BTreeSet<Symbol> = named.difference(&listed).copied().collect();
    if strange.is_empty() {
        return Ok(named);
    }
    // A symbol whose rules cannot be read may be held all the same.
    let touched: Vec<Symbol> = match (venue.held(false).await, venue.resting(None).await) {
        (Ok(held), Ok(resting)) => {
            let held = held.iter().map(|held| held.leg.symbol);
            held.chain(resting.iter().map(|order| order.leg.symbol)).collect()
        }
        _ => return Ok(named),
    };
    match strange.iter().find(|symbol| !touched.contains(symbol)) {
        None => Ok(named),
        Some(symbol) => {
            let near = nearest(symbol.as_str(), listed.iter().map(Symbol::as_str)).unwrap_or_default();
            Err(format!("--symbols {symbol}: the venue does not know it; nearest: {near}; nothing was done"))
        }
    }
}

fn scope(symbols: Option<&BTreeSet<Symbol>>) -> String {
    symbols.map_or_else(
        || "all symbols".to_owned(),
        |symbols| format!("only {}", symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ")),
    )
}

/// Shows the plan and asks at a terminal. `Err` is the exit code of a program that shall not act.
async fn ask(
    reached: &Reached,
    request: &Request,
    voice: Voice,
    mut interrupts: watch::Receiver<u32>,
) -> Result<(), u8> {
    let plan = read_plan(&reached.venue, request.symbols.as_ref()).await.map_err(|error| {
        Voice::fail(&format!(
            "the account could not be read: {error}; --yes closes without reading a plan first"
        ));
        if error.reason() == Some(RejectReason::Auth) { 78 } else { NOT_FLAT }
    })?;
    voice.say("plan:");
    plan.to_string().lines().for_each(|line| voice.say(line));
    let is_asked = !request.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    if is_asked {
        voice.say("type yes to do it now, anything else to leave it:");
        let answer = tokio::select! {
            answer = typed() => answer,
            _ = interrupts.changed() => String::new(),
        };
        if answer.trim().eq_ignore_ascii_case("yes") {
            return Ok(());
        }
        voice.say("nothing was done");
    } else {
        voice.say(if plan.is_flat() { "nothing to close" } else { "nothing was done: --yes does it" });
    }
    voice.result(&json!({
        "flat": plan.is_flat(), "end": "plan", "plan": plan, "profile": reached.mode.profile.as_str(),
        "base": reached.base, "account": reached.account, "warnings": reached.warnings,
    }));
    Err(if plan.is_flat() { 0 } else { NOT_FLAT })
}

/// A line from the terminal; empty when there is none. Waited for on a thread of its own, so that Ctrl-C is heard meanwhile.
async fn typed() -> String {
    let (sender, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let is_read = io::stdin().lock().read_line(&mut line).is_ok();
        // Nobody waits any more after a Ctrl-C.
        let _ = sender.send(if is_read { line } else { String::new() });
    });
    answer.await.unwrap_or_default()
}

async fn read_plan(
    venue: &dyn ClosingVenue,
    symbols: Option<&BTreeSet<Symbol>>,
) -> Result<Plan, BrokerError> {
    let mut tries = 1;
    loop {
        match Plan::read(venue, symbols).await {
            Err(error) if tries < PLAN_TRIES && error.is_retryable() => {
                tokio::time::sleep(BETWEEN_TRIES).await
            }
            done => return done,
        }
        tries += 1;
    }
}

async fn act(reached: Reached, request: Request, voice: Voice, interrupts: watch::Receiver<u32>) -> u8 {
    let Reached { venue, mode, base, account, state_dir, mut warnings, .. } = reached;
    let now = SystemClock.now();
    let what = format!("panic close of {}", scope(request.symbols.as_ref()));
    let fenced = match &state_dir {
        Some(dir) => take_over(dir, NAME, &what, now),
        None => Fenced::default(),
    };
    if fenced.is_taken {
        voice.result(&json!({"flat": false, "end": "taken", "because": "another panic close is at work"}));
        Voice::fail(
            "another panic close is at work on this state directory; wait for it, or end it if it hangs and start this again",
        );
        return TAKEN;
    }
    fenced.warnings.iter().for_each(|warning| Voice::warn(warning));
    warnings.extend(fenced.warnings.iter().cloned());
    match (&state_dir, fenced.term) {
        (Some(dir), Some(term)) => voice.say(&ask_executor_to_stop(dir, term).await),
        (Some(dir), None) => {
            let line = ask_executor_to_halt(dir, &what).await;
            line.iter().for_each(|line| voice.say(line));
        }
        (None, _) => {}
    }
    let verdict = run(PanicParts {
        venue: Arc::new(venue),
        symbols: request.symbols,
        ids: PanicIds::new(now),
        started: request.started.into(),
        within: request.within,
        interrupts,
        say: Box::new(move |line| voice.say(line)),
    })
    .await;
    let verdict = doubted(verdict);
    verdict.lines().iter().for_each(|line| voice.say(line));
    if verdict.flat && fenced.term.is_some() {
        voice.say("an executor that starts now is halted; hedgectl resume ends that");
    }
    voice.result(&told(&verdict, mode.profile.as_str(), &base, &account, fenced.term, &warnings));
    // Only now may an executor start again.
    drop(fenced.guard);
    verdict.exit_code()
}

/// Flat only counts when every named symbol is known to somebody: the venue's list, or a reading.
fn doubted(verdict: Verdict) -> Verdict {
    if !verdict.flat || verdict.unseen.is_empty() {
        return verdict;
    }
    let names = verdict.unseen.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ");
    let because =
        format!("{names} may be misspelt: not held, and the venue's list of symbols could not be read");
    Verdict { flat: false, end: End::UnknownSymbol, because, ..verdict }
}

fn told(
    verdict: &Verdict,
    profile: &str,
    base: &str,
    account: &str,
    term: Option<Term>,
    warnings: &[String],
) -> Value {
    let mut object = serde_json::to_value(verdict).unwrap_or_default();
    if let Value::Object(fields) = &mut object {
        fields.insert("profile".to_owned(), profile.into());
        fields.insert("base".to_owned(), base.into());
        fields.insert("account".to_owned(), account.into());
        fields.insert("term".to_owned(), term.map_or(Value::Null, |term| term.0.into()));
        fields.insert("warnings".to_owned(), warnings.into());
    }
    object
}

/// SIGINT counts; SIGTERM stops at once; a terminal that goes away changes nothing.
fn listen() -> watch::Receiver<u32> {
    let (sender, receiver) = watch::channel(0);
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        Voice::warn("signals are not handled; it can only be killed");
        return receiver;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => sender.send_modify(|times| *times += 1),
                _ = terminate.recv() => sender.send_modify(|times| *times += 2),
                _ = hangup.recv() => {}
                () = sender.closed() => return,
            }
        }
    });
    receiver
}
