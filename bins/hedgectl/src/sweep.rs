//! `hedgectl sweep`.

use std::{
    fs,
    io::{self, IsTerminal},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use clap::Args;
use hedge_core::Symbol;
use hedge_desk::{
    backtest::{self, prepare_folder},
    env::Env,
    progress::Progress,
    sweep::{self, Choice, Parameters, Period, Space, Sweep, SweepError, SweepPlan, Swept},
};

use crate::{args::EnvFile, failure::Failure, market::MarketArgs, output};

/// Play the same backtest over many combinations of parameters, in parallel, and compare them.
///
/// The grid file is TOML: paths of the configuration with lists or ranges, such as
/// `"strategies.btc_breakout.lookback_bars" = [12, 24, 48]` or
/// `"risk.KILL_DD_PCT" = { from = 5, to = 9, step = 1 }`. The last line on stdout is JSON: the best, the stable one whose
/// neighbours are good too, and how likely the best is luck (deflated Sharpe ratio). The same input gives the same bytes,
/// whatever --jobs is. Ctrl-C keeps what is finished when --out is given.
///
/// Example: hedgectl sweep --data data/binance_um --grid grid.toml --walk-forward 4 --out sweep1
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) market: MarketArgs,
    /// What varies. Without it, --random varies every number of the configured strategies between half and twice its value.
    #[arg(long, value_name = "FILE", required_unless_present = "random")]
    pub(crate) grid: Option<PathBuf>,
    /// Play so many combinations, drawn at random, instead of all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) random: Option<u64>,
    /// What they are drawn with: the same seed draws the same ones.
    #[arg(long, value_name = "S", default_value_t = 1, requires = "random")]
    pub(crate) seed: u64,
    /// Threads. Default: one a processor.
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Cut the data into N + 1 parts: what came before each cut chooses, the part after it judges.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) walk_forward: Option<u32>,
    /// Length of a return: day or hour. Default: day from 30 days of data on.
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    pub(crate) returns: Option<Period>,
    /// Write results.csv, results.json and report.html into this folder, and finished rows on the way.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Go on with the finished rows in --out.
    #[arg(long, requires = "out")]
    pub(crate) resume: bool,
    /// No table on stderr; notes and warnings stay.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) env: EnvFile,
}

pub(crate) fn run(args: &SweepArgs) -> Result<(), Failure> {
    let env = Env::load(args.env.env_file.as_deref())?;
    let parameters = Parameters::read(args.market.config.as_deref(), &env)?;
    let config = parameters.base();
    let grid = args.grid.as_deref().map(|path| {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::configuration(format!("{} cannot be read: {error}", path.display())))?;
        Ok::<_, Failure>((path.display().to_string(), Space::from_toml(&path.display().to_string(), &text)?))
    });
    let grid = grid.transpose()?;
    if let Some((name, space)) = &grid {
        parameters.check(name, space)?;
    }
    let market = args.market.open(config)?;
    if let Some(folder) = &args.out {
        prepare_folder(folder).map_err(Failure::failed)?;
    }
    for warning in config.notes.iter().chain(&market.warnings).chain(&backtest::remarks(config, &market)) {
        eprintln!("warning: {warning}");
    }
    let symbols: Vec<Symbol> = market.data.symbols().collect();
    let (space_name, space) = grid.unwrap_or_else(|| ("--random".to_owned(), parameters.around(&symbols)));
    if space.axes.is_empty() {
        return Err(Failure::failed(
            "no enabled strategy trades this data, so there is nothing to vary; name parameters with --grid",
        ));
    }
    let processors = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let plan = SweepPlan {
        space,
        space_name,
        choice: args.random.map_or(Choice::All, |count| Choice::Drawn { count, seed: args.seed }),
        jobs: args.jobs.map_or_else(processors, usize::from),
        walk_forward: args.walk_forward,
        period: args.returns,
        out: args.out.clone(),
        resume: args.resume,
    };
    let swept = plan.run(&parameters, &market, &stop_on_ctrl_c(), &mut shown())?;
    if let Some(folder) = &args.out {
        write(folder, &swept)?;
        eprintln!("results.csv, results.json and report.html are in {}", folder.display());
    }
    if !args.json {
        eprint!("{}", sweep::summary_table(&swept));
    }
    output::line(&sweep::line(&swept)?);
    Ok(())
}

fn write(folder: &std::path::Path, swept: &Swept) -> Result<(), Failure> {
    let files = [
        ("results.csv", sweep::csv(swept)),
        ("results.json", sweep::json(swept)? + "\n"),
        ("report.html", sweep::report(swept)),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text)
            .map_err(|error| Failure::failed(format!("writing {} failed: {error}", path.display())))?;
    }
    Ok(())
}

/// A bar with the time that is left on a terminal, else a line every tenth of the way.
fn shown() -> impl FnMut(Sweep) {
    let mut bar = Progress::on_terminal();
    let is_terminal = io::stderr().is_terminal();
    let mut tenths = 0;
    move |sweep: Sweep| {
        let left = || sweep.left.map_or_else(String::new, |left| format!("{} left", rounded(left)));
        bar.update(sweep.done, sweep.all, left);
        if sweep.done == sweep.all {
            bar.finish();
        }
        let tenth = sweep.done * 10 / sweep.all.max(1);
        if !is_terminal && tenth > tenths {
            tenths = tenth;
            eprintln!("{} of {} combinations, {}", sweep.done, sweep.all, left());
        }
    }
}

/// `2 h 05 min`, `3 min 20 s`, `7 s`.
fn rounded(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// The first Ctrl-C asks the sweep to end, the second one ends the process.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                asked.store(true, Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
    stop
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Grid { .. } | SweepError::AllRefused { .. } => Self::configuration(error),
            SweepError::Config(error) => error.into(),
            SweepError::TooShort(_) => Self::usage(error),
            error => Self::failed(error),
        }
    }
}

fn period(text: &str) -> Result<Period, String> {
    [Period::Day, Period::Hour]
        .into_iter()
        .find(|period| period.as_str() == text)
        .ok_or_else(|| "expected day or hour".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_in_the_two_units_that_matter() {
        let told = |seconds| rounded(Duration::from_secs(seconds));
        assert_eq!([told(7), told(200), told(7_500)], ["7 s", "3 min 20 s", "2 h 05 min"]);
    }
}
