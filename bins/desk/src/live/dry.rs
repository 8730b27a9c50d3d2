//! mainnet-dry: the market is the venue's, account, orders and executions are simulated on this machine.

use std::{path::Path, sync::Arc};

use hedge_binance::{Binance, ReadOnly};
use hedge_core::Brokerage;
use hedge_sim::broker::{Paper, PaperConfig, PaperSeed};
use tracing::info;

use crate::{
    compose::stretched,
    operate::Folded,
    trade::{Place, Setup, TradeError},
};

/// The simulated account: as the real one stands at the first start, as the own book says at every later one.
pub(crate) async fn dry(
    setup: &Setup<'_>,
    dir: &Path,
    place: &Place,
    client: Binance<ReadOnly>,
    has_journal: bool,
) -> Result<Arc<dyn Brokerage>, TradeError> {
    let folded = if has_journal { Folded::read(dir, setup.config)? } else { None };
    let book = folded.as_ref().map(|folded| &folded.book).filter(|book| book.is_started());
    let seed = book.map_or(PaperSeed::Account, PaperSeed::Book);
    let usual = PaperConfig::default();
    let config = PaperConfig { quote_max_age: stretched(usual.quote_max_age, place.speed), ..usual };
    let paper = Paper::start_with(client, seed, config).await?;
    paper.notes().iter().for_each(|note| info!("{note}"));
    let from = if book.is_some() { "the own journal" } else { "the real account" };
    info!(from, "dry run: nothing is sent to the venue; orders and fills are simulated");
    Ok(Arc::new(paper))
}
