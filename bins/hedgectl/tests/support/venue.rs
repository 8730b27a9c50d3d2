//! A simulated exchange beside the program, and accounts in every state that a preflight must see.

use hedge_sim::{
    binance::{ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Pace},
    venue::{
        Command, MarginType, NewAlgo, NewOrder, OrderType, PositionSide, Seed, Side, Tif, Window, WorkingType,
    },
};
use rust_decimal::Decimal;

use super::{Folder, Run, hedgectl_with};

/// An exchange whose prices stand still.
pub(crate) struct Venue {
    pub(crate) exchange: ExchangeHandle,
}

impl Venue {
    pub(crate) async fn start() -> Self {
        let config = ExchangeConfig {
            environment: Environment::Mainnet,
            history_bars: Some(10),
            pace: Pace::Speed(1.0),
            ..ExchangeConfig::default()
        };
        Self { exchange: Exchange::start(config).await.unwrap() }
    }

    /// In hedge mode, with leverage and margin as the shipped configuration wants them.
    pub(crate) async fn prepared() -> Self {
        let venue = Self::start().await;
        let account = venue.exchange.account();
        venue.apply(Command::PositionMode { account, hedge: true });
        for symbol in venue.exchange.symbols() {
            venue.apply(Command::Leverage { account, symbol, leverage: 3 });
        }
        venue
    }

    pub(crate) fn apply(&self, command: Command) {
        self.exchange.apply(&command).unwrap().unwrap_or_else(|error| panic!("{command:?}: {error:?}"));
    }

    /// A leg that came about somehow.
    pub(crate) fn hold(&self, symbol: &str, position_side: PositionSide, qty: &str, cost: Decimal) {
        let (account, symbol, qty) = (self.exchange.account(), symbol.to_owned(), dec(qty));
        self.apply(Command::Seed(Box::new(Seed::Leg { account, symbol, position_side, qty, cost })));
    }

    pub(crate) fn mark(&self, symbol: &str) -> Decimal {
        self.exchange.query(|venue| venue.prices(venue.symbol_id(symbol).unwrap()).unwrap().mark)
    }

    /// A LONG leg at the present price.
    pub(crate) fn long(&self, symbol: &str, qty: &str) {
        self.hold(symbol, PositionSide::Long, qty, dec(qty) * self.mark(symbol));
    }

    /// A stop at the market over the whole LONG leg, five percent away.
    pub(crate) fn stop(&self, symbol: &str) {
        let trigger = (self.mark(symbol) * dec("0.95")).round();
        self.apply(Command::PlaceAlgo(NewAlgo {
            position_side: Some(PositionSide::Long),
            trigger_price: Some(trigger),
            working_type: Some(WorkingType::Mark),
            close_position: true,
            ..NewAlgo::of(self.exchange.account(), symbol, Side::Sell, OrderType::StopMarket)
        }));
    }

    /// A buy of a LONG leg that rests far below the price.
    pub(crate) fn bid(&self, symbol: &str, qty: &str, position_side: Option<PositionSide>, client_id: &str) {
        let price = (self.mark(symbol) * dec("0.96")).round();
        self.apply(Command::Place(NewOrder {
            position_side,
            order_type: OrderType::Limit,
            tif: Some(Tif::Gtc),
            price: Some(price),
            client_order_id: Some(client_id.to_owned()),
            ..NewOrder::market(self.exchange.account(), symbol, Side::Buy, dec(qty))
        }));
    }

    /// Everything that a client could change, as text.
    pub(crate) fn picture(&self) -> String {
        let account = self.exchange.account();
        self.exchange.query(|venue| {
            let settings = (venue.account_config(account), venue.symbol_configs(account, None));
            let orders =
                (venue.all_orders(account, None, Window::default()), venue.open_algos(account, None));
            format!("{settings:?} {orders:?} {:?}", venue.assets(account).map(|assets| assets.len()))
        })
    }

    pub(crate) fn isolate(&self, symbol: &str) {
        let (account, symbol) = (self.exchange.account(), symbol.to_owned());
        self.apply(Command::MarginType { account, symbol, margin_type: MarginType::Isolated });
    }

    /// Runs `hedgectl` with this exchange as the venue and its key.
    pub(crate) async fn hedgectl(&self, folder: &Folder, args: &[&str], more: &[(&str, &str)]) -> Run {
        let (rest, ws) = (self.exchange.rest_url(), self.exchange.ws_url());
        let variables: Vec<(String, String)> = [
            ("HEDGE__BINANCE__REST_URL", rest.as_str()),
            ("HEDGE__BINANCE__WS_URL", ws.as_str()),
            ("BINANCE_API_KEY", ApiKey::DEMO_KEY),
            ("BINANCE_API_SECRET", ApiKey::DEMO_SECRET),
        ]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let folder = folder.0.clone();
        // The exchange answers on this runtime, so the program is waited for beside it.
        tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let variables: Vec<(&str, &str)> =
                variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            hedgectl_with(&folder, &args, &variables)
        })
        .await
        .unwrap()
    }
}

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}
