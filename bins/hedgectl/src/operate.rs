//! `hedgectl status`, `halt`, `exit-only`, `resume` and `flatten`.

use std::{path::PathBuf, time::Duration};

use hedge_core::{OperatorCommand, Posture};
use hedge_desk::{
    config::{Config, Profile, resolve},
    env::Env,
    operate::{self, By, OperateError, Ordered, Situation, Waited},
    venue::access,
};
use hedge_store::{Owner, StateDir};
use serde_json::json;

use crate::{
    args::{ConfigDir, FlattenArgs, OrderArgs, StateArgs, StatusArgs},
    failure::Failure,
    output, terminal,
};

/// Where orders go.
struct Place {
    dir: PathBuf,
    owner: Owner,
    env_file: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Place {
    /// Finds the state directory and says on stderr which it is. With `--state-dir` no variable is needed: in an emergency
    /// a spoilt `.env` is in nobody's way.
    fn find(state: &StateArgs, config: &ConfigDir) -> Result<Self, Failure> {
        let root = match &state.state_dir {
            Some(dir) => dir.clone(),
            None => Env::load(state.env.env_file.as_deref())?.switches()?.state_root,
        };
        let found =
            StateDir::resolve_for_tools(&root, state.state_dir.as_deref()).map_err(Failure::failed)?;
        eprintln!("{found}");
        Ok(Self {
            dir: found.dir.path().to_owned(),
            owner: found.dir.owner().clone(),
            env_file: state.env.env_file.clone(),
            config: config.config.clone(),
        })
    }

    /// The same for orders. A named directory in which nothing has run yet is one too: the order waits for the first start.
    /// One that nobody named is not: whoever stands in the wrong folder must not read that something was halted.
    fn find_or_prepare(state: &StateArgs, config: &ConfigDir) -> Result<PathBuf, Failure> {
        match &state.state_dir {
            Some(dir) if !dir.join("owner.json").exists() && !dir.join("journal").exists() => Ok(dir.clone()),
            _ => Self::find(state, config).map(|place| place.dir),
        }
    }

    fn env(&self) -> Result<Env, Failure> {
        Ok(Env::load(self.env_file.as_deref())?)
    }

    fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.config.as_deref(), &self.env()?)?)
    }

    async fn situation(&self) -> Result<Situation, Failure> {
        operate::situation(&self.dir, &self.owner, || self.config(), operate::now()).await
    }
}

pub(crate) async fn status(args: &StatusArgs) -> Result<(), Failure> {
    let situation = Place::find(&args.state, &args.config)?.situation().await?;
    if args.json {
        output::line(&serde_json::to_string(&situation)?);
    } else {
        output::print(&situation.page().to_string());
    }
    Ok(())
}

pub(crate) async fn order(args: &OrderArgs, command: OperatorCommand) -> Result<(), Failure> {
    let because = because(args, command)?;
    let dir = Place::find_or_prepare(&args.state, &args.config)?;
    let config = || {
        let env = Env::load(args.state.env.env_file.as_deref())?;
        Ok::<_, Failure>(Config::load(args.config.config.as_deref(), &env)?)
    };
    let ordered = operate::order(&dir, config, command, &because).await?;
    if args.json {
        output::line(&serde_json::to_string(&ordered)?);
    } else {
        output::line(&words(&ordered));
    }
    Ok(())
}

/// Reason and name. Who resumes says why: the next one who looks wants to know what had been wrong.
fn because(args: &OrderArgs, command: OperatorCommand) -> Result<String, Failure> {
    let operator = args.operator.clone().unwrap_or_else(terminal::user);
    let said = args.because.join(" ");
    match (said.is_empty(), command) {
        (true, OperatorCommand::Resume) => {
            Err(Failure::usage("resume wants a reason: hedgectl resume \"why it is safe again\""))
        }
        (true, _) => Ok(format!("ordered by {operator}")),
        (false, _) => Ok(format!("{said} ({operator})")),
    }
}

fn words(ordered: &Ordered) -> String {
    let done = &ordered.done;
    let posture = match done.posture {
        Posture::Normal => "normal",
        Posture::ExitOnly => "exit-only",
        Posture::Halted => "halted",
    };
    let legs = match done.open_legs {
        0 => "no leg is open".to_owned(),
        1 => "1 leg is open".to_owned(),
        many => format!("{many} legs are open"),
    };
    match ordered.by {
        By::Executor => format!("the executor is {posture} (record {}); {legs}", done.seq.0),
        By::Journal => format!(
            "no executor runs: written into the journal (record {}); the next start is {posture}; {legs} in the journal",
            done.seq.0
        ),
        By::Fence => format!("nothing has run there yet: the first start is {posture}"),
    }
}

pub(crate) async fn flatten(args: &FlattenArgs) -> Result<(), Failure> {
    let because = because(&args.order, OperatorCommand::Flatten)?;
    if !args.yes && !terminal::is_there() {
        return Err(Failure::usage("flatten asks on a terminal, and this is none: give --yes"));
    }
    let place = Place::find(&args.order.state, &args.order.config)?;
    let situation = place.situation().await?;
    if situation.running {
        return by_executor(args, &place, &situation, &because).await;
    }
    if situation.status.simulated {
        return simulated(args, &place, &situation, &because).await;
    }
    by_us(args, &place, &because).await
}

/// The running executor closes; we watch.
async fn by_executor(
    args: &FlattenArgs,
    place: &Place,
    situation: &Situation,
    because: &str,
) -> Result<(), Failure> {
    eprintln!("{}", operate::left(&situation.status));
    confirm(args)?;
    let ordered = operate::order(&place.dir, || place.config(), OperatorCommand::Flatten, because).await?;
    eprintln!("{}", words(&ordered));
    let within = Duration::from_secs(args.within);
    match operate::wait_for_flat(&place.dir, within, &mut |line| eprintln!("{line}")).await? {
        Waited::Flat { took } => {
            told(args, true, "executor", took, "flat");
            Ok(())
        }
        Waited::NotFlat { left } => {
            let left = operate::left(&left);
            told(args, false, "executor", within, &left);
            Err(Failure::not_flat(format!(
                "not flat after {} s: {left}; hedge-panic-close closes without the executor",
                args.within
            )))
        }
    }
}

/// Legs of a dry run are nowhere but in its journal: the real account is not touched.
async fn simulated(
    args: &FlattenArgs,
    place: &Place,
    situation: &Situation,
    because: &str,
) -> Result<(), Failure> {
    eprintln!("{} (simulated: the real account is left alone)", operate::left(&situation.status));
    confirm(args)?;
    let ordered = operate::order(&place.dir, || place.config(), OperatorCommand::Flatten, because).await?;
    eprintln!("{}", words(&ordered));
    let is_flat = ordered.done.open_legs == 0;
    let outcome = if is_flat { "flat" } else { "closed at the next start of the dry run" };
    told(args, is_flat, "journal", Duration::ZERO, outcome);
    if is_flat { Ok(()) } else { Err(Failure::not_flat(format!("not flat: {outcome}"))) }
}

/// Nobody runs: we close at the venue.
async fn by_us(args: &FlattenArgs, place: &Place, because: &str) -> Result<(), Failure> {
    let (env, config) = (place.env()?, place.config()?);
    let profile: Profile = place.owner.profile.parse().map_err(Failure::failed)?;
    let mode = resolve(Some(profile.as_str()), &env, &config)?;
    mode.audit().iter().for_each(|line| eprintln!("{line}"));
    if mode.profile != profile {
        return Err(Failure::configuration(format!(
            "the state directory is of profile {profile}, and a variable makes it {}: nothing was closed",
            mode.profile
        )));
    }
    let reach = || access(&mode, &config, &env, Some(&place.dir));
    let reached = reach()?;
    eprintln!("{}", mode.preflight_line(&reached.base));
    let symbols = operate::symbols(&place.dir, &config)?;
    let plan = operate::plan(reached, &symbols).await?;
    eprintln!("no executor runs in {}; this command closes at the venue:\n{plan}", place.dir.display());
    confirm(args)?;
    let within = Duration::from_secs(args.within);
    let say = Box::new(|line: &str| eprintln!("{line}"));
    let verdict = operate::close_here(&place.dir, &config, because, reach()?, symbols, within, say).await?;
    verdict.lines().iter().for_each(|line| eprintln!("{line}"));
    if args.order.json {
        output::line(&serde_json::to_string(&verdict)?);
    } else {
        output::line(if verdict.flat { "flat" } else { "NOT FLAT" });
    }
    match verdict.exit_code() {
        0 => Ok(()),
        13 => {
            Err(Failure::not_flat(format!("not flat: {}; hedge-panic-close goes on trying", verdict.because)))
        }
        _ => Err(Failure::configuration(verdict.because)),
    }
}

fn confirm(args: &FlattenArgs) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let typed =
        terminal::ask("Type \"flatten\" to close all of this at the market: ").map_err(Failure::failed)?;
    if typed == "flatten" {
        Ok(())
    } else {
        Err(Failure::failed("that is not \"flatten\": nothing was closed"))
    }
}

fn told(args: &FlattenArgs, flat: bool, by: &str, took: Duration, words: &str) {
    if args.order.json {
        output::line(&json!({ "flat": flat, "by": by, "took_ms": took.as_millis(), "left": if flat { "" } else { words } }).to_string());
    } else if flat && !took.is_zero() {
        output::line(&format!("flat after {:.1} s", took.as_secs_f64()));
    } else {
        output::line(words);
    }
}

impl From<OperateError> for Failure {
    fn from(error: OperateError) -> Self {
        Self::with_code(error.exit_code(), error)
    }
}
