//! `hedgectl backtest`.

use hedge_desk::{
    backtest::{self, RecordedMarket, SummaryTable, play, prepare_folder, write_folder},
    config::{Config, FileKind},
    env::Env,
};

use crate::{args::BacktestArgs, failure::Failure, output};

pub(crate) fn run(args: &BacktestArgs) -> Result<(), Failure> {
    let env = Env::load(args.env.env_file.as_deref())?;
    let config = Config::load(args.market.config.as_deref(), &env)?;
    let market = args.market.open(&config)?;
    if let Some(folder) = &args.out {
        prepare_folder(folder).map_err(Failure::failed)?;
    }
    for note in notes(&config, &market) {
        eprintln!("{note}");
    }
    for warning in config.notes.iter().chain(&market.warnings).chain(&backtest::remarks(&config, &market)) {
        eprintln!("warning: {warning}");
    }
    let account = backtest::account(&config, &market);
    let played = play(backtest::engine(&config)?, &market, &account, &mut ())?;
    let warmup = played.line.warmup_bars;
    if warmup < account.history as u64 {
        eprintln!(
            "warning: the data is too short for {} bars of history; {warmup} are warm-up",
            account.history
        );
    }
    if let Some(folder) = &args.out {
        let report = backtest::report(&played, &market).map_err(Failure::failed)?;
        write_folder(folder, &played, Some(&report)).map_err(Failure::failed)?;
        eprintln!("journal.jsonl, summary.json, equity.csv and report.html are in {}", folder.display());
    }
    if !args.json {
        eprintln!("{}", SummaryTable { line: &played.line, vetoes: &played.backtest.vetoes() });
    }
    output::line(&played.line.json()?);
    Ok(())
}

fn notes(config: &Config, market: &RecordedMarket) -> Vec<String> {
    let files = FileKind::ALL.map(|kind| config.file(kind));
    let mut notes = vec![format!("configuration from {}", files.join(", "))];
    for series in &market.data.series {
        let (Some(start), Some(end)) = (series.start(), series.end()) else { continue };
        notes.push(format!(
            "{} bars of {} from {start} to {end} ({})",
            series.bars.len(),
            series.symbol,
            series.sources.join(", ")
        ));
    }
    notes.extend(market.notes.iter().cloned());
    notes
}
