//! `hedgectl request`.

use clap::{Args, Subcommand};
use hedge_core::{
    Action, Clock as _, Decimal, Leverage, MarginMode, OrderSpace, PositionMode, PositionSide, Price, Qty,
    Symbol, Timestamp,
    order::{Tif, TriggerBy},
};
use hedge_desk::request::{self, ApiRequest, OrderWish, Shown, Style, Target, VenueClientId};
use hedge_runtime::SystemClock;

use crate::{args::symbol, failure::Failure, output};

/// Show what would be sent to an exchange, without sending it.
#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// Binance USD-M futures in hedge mode.
    #[command(subcommand)]
    Binance(BinanceRequest),
}

/// Which request.
#[derive(Debug, Subcommand)]
pub(crate) enum BinanceRequest {
    Order(OrderArgs),
    Cancel(CancelArgs),
    Leverage(LeverageArgs),
    MarginType(MarginTypeArgs),
    PositionMode(PositionModeArgs),
}

/// Show the request of an order: method, path, parameters and what would be signed, as one JSON object.
///
/// Uses the encoder of the live client, sends nothing and reads no key. Without --limit, --stop, --take or --trail the order is
/// a market order. The last three are conditional and go to /fapi/v1/algoOrder; a closing --stop or --take without --qty closes
/// the whole leg. Quantities and prices are not rounded: no rule of the symbol is read. The same --client-id and --timestamp
/// give the same text.
///
/// Example: hedgectl request binance order --symbol BTCUSDT --leg long --close --stop 58000
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// Which symbol.
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    symbol: Symbol,
    /// long or short.
    #[arg(long, value_name = "LEG", value_parser = leg)]
    leg: PositionSide,
    #[command(flatten)]
    action: ActionArgs,
    /// How much, in units of the base asset.
    #[arg(long, value_name = "QTY", value_parser = qty)]
    qty: Option<Qty>,
    #[command(flatten)]
    style: StyleArgs,
    /// How long a limit order may rest: GTC, IOC, FOK or GTX (only as maker). Default: GTC.
    #[arg(long, value_name = "TIF", value_parser = tif, requires = "limit")]
    tif: Option<Tif>,
    /// Which price triggers --stop, --take and --trail: mark or last.
    #[arg(long, value_name = "PRICE", value_parser = trigger_by, default_value = "mark")]
    by: TriggerBy,
    /// Client id: 1 to 36 of A-Z a-z 0-9 . : / _ -. Default: made of the time.
    #[arg(long, value_name = "ID", value_parser = client_id)]
    client_id: Option<VenueClientId>,
    #[command(flatten)]
    at: AtArgs,
}

/// What the order does to its leg.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ActionArgs {
    /// Open the leg, or add to it.
    #[arg(long)]
    open: bool,
    /// Reduce the leg, or close it.
    #[arg(long)]
    close: bool,
}

/// How the order is executed.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct StyleArgs {
    /// At this price or better.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    limit: Option<Price>,
    /// At the market once the price has gone against the leg to here; with --open, once it has gone with the leg.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    stop: Option<Price>,
    /// At the market once the price has gone with the leg to here; with --open, once it has gone against it.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    take: Option<Price>,
    /// At the market once the price has fallen back from its best by so many percent, 0.1 to 20.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    trail: Option<Decimal>,
}

/// When.
#[derive(Debug, Args)]
struct AtArgs {
    /// Timestamp of the request, in milliseconds since 1970. Default: now.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(0..4_102_444_800_000))]
    timestamp: Option<i64>,
}

impl AtArgs {
    fn instant(&self) -> Timestamp {
        self.timestamp.map_or_else(|| SystemClock.now(), Timestamp::from_ms)
    }
}

/// Show the request that cancels one order, or all of a symbol.
///
/// Example: hedgectl request binance cancel --symbol BTCUSDT --client-id h0sn8www00111c
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Which symbol.
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    symbol: Symbol,
    #[command(flatten)]
    target: TargetArgs,
    /// Among conditional orders (stops, take-profits, trailing stops), which have ids of their own.
    #[arg(long)]
    algo: bool,
    #[command(flatten)]
    at: AtArgs,
}

/// Which order.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// By the exchange's number.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    order_id: Option<i64>,
    /// By its client id.
    #[arg(long, value_name = "ID", value_parser = client_id)]
    client_id: Option<VenueClientId>,
    /// Every open one.
    #[arg(long)]
    all: bool,
}

/// Show the request that sets the leverage of both legs of a symbol.
///
/// Example: hedgectl request binance leverage --symbol BTCUSDT --leverage 5
#[derive(Debug, Args)]
pub(crate) struct LeverageArgs {
    /// Which symbol.
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    symbol: Symbol,
    /// 1 to 125.
    #[arg(long, value_name = "N", value_parser = leverage)]
    leverage: Leverage,
    #[command(flatten)]
    at: AtArgs,
}

/// Show the request that sets the margin of both legs of a symbol.
///
/// Example: hedgectl request binance margin-type --symbol BTCUSDT --margin-type isolated
#[derive(Debug, Args)]
pub(crate) struct MarginTypeArgs {
    /// Which symbol.
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    symbol: Symbol,
    /// crossed or isolated.
    #[arg(long, alias = "type", value_name = "TYPE", value_parser = margin_mode)]
    margin_type: MarginMode,
    #[command(flatten)]
    at: AtArgs,
}

/// Show the request that sets the position mode of the account, for every symbol.
///
/// Example: hedgectl request binance position-mode --mode hedge
#[derive(Debug, Args)]
pub(crate) struct PositionModeArgs {
    /// hedge or one-way.
    #[arg(long, value_name = "MODE", value_parser = position_mode)]
    mode: PositionMode,
    #[command(flatten)]
    at: AtArgs,
}

pub(crate) fn run(command: &RequestCommand) -> Result<(), Failure> {
    let RequestCommand::Binance(request) = command;
    match request {
        BinanceRequest::Order(args) => {
            let now = args.at.instant();
            show(&request::order(&wish(args), now).map_err(Failure::usage)?, now)
        }
        BinanceRequest::Cancel(args) => {
            let space = if args.algo { OrderSpace::Algo } else { OrderSpace::Plain };
            show(&request::cancel(args.symbol, space, &target(&args.target)), args.at.instant())
        }
        BinanceRequest::Leverage(args) => {
            show(&request::leverage(args.symbol, args.leverage), args.at.instant())
        }
        BinanceRequest::MarginType(args) => {
            show(&request::margin_type(args.symbol, args.margin_type), args.at.instant())
        }
        BinanceRequest::PositionMode(args) => show(&request::position_mode(args.mode), args.at.instant()),
    }
}

fn show(request: &ApiRequest, now: Timestamp) -> Result<(), Failure> {
    let text = serde_json::to_string(&Shown::new(request, now)).map_err(Failure::failed)?;
    output::line(&text);
    Ok(())
}

fn wish(args: &OrderArgs) -> OrderWish {
    let style = &args.style;
    let style = match (style.limit, style.stop, style.take, style.trail) {
        (Some(price), ..) => Style::Limit(price, args.tif.unwrap_or(Tif::Gtc)),
        (None, Some(trigger), ..) => Style::Stop(trigger),
        (None, None, Some(trigger), _) => Style::Take(trigger),
        (None, None, None, Some(percent)) => Style::Trail(percent),
        (None, None, None, None) => Style::Market,
    };
    OrderWish {
        symbol: args.symbol,
        leg: args.leg,
        action: if args.action.open { Action::Open } else { Action::Close },
        qty: args.qty,
        style,
        by: args.by,
        client_id: args.client_id.clone(),
    }
}

fn target(args: &TargetArgs) -> Target {
    match (args.order_id, &args.client_id) {
        (Some(id), _) => Target::Number(id),
        (None, Some(id)) => Target::ClientId(id.clone()),
        (None, None) => Target::All,
    }
}

fn leg(text: &str) -> Result<PositionSide, String> {
    let word = |side: &PositionSide| side.as_str().eq_ignore_ascii_case(text);
    PositionSide::BOTH.into_iter().find(word).ok_or_else(|| "expected long or short".to_owned())
}

fn qty(text: &str) -> Result<Qty, String> {
    Qty::parse(text).map_err(|error| error.to_string())
}

fn price(text: &str) -> Result<Price, String> {
    Price::parse(text).map_err(|error| error.to_string())
}

fn percent(text: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(text).map_err(|_| "expected a number of percent, 0.1 to 20".to_owned())
}

fn client_id(text: &str) -> Result<VenueClientId, String> {
    VenueClientId::parse(text).map_err(|error| error.to_string())
}

fn tif(text: &str) -> Result<Tif, String> {
    let tifs = [("GTC", Tif::Gtc), ("IOC", Tif::Ioc), ("FOK", Tif::Fok), ("GTX", Tif::PostOnly)];
    one_of(text, &tifs, "expected GTC, IOC, FOK or GTX")
}

fn trigger_by(text: &str) -> Result<TriggerBy, String> {
    one_of(text, &[("mark", TriggerBy::Mark), ("last", TriggerBy::Last)], "expected mark or last")
}

fn leverage(text: &str) -> Result<Leverage, String> {
    let parsed = text.parse().map_err(|_| "expected a whole number, 1 to 125".to_owned())?;
    Leverage::new(parsed).map_err(|error| error.to_string())
}

fn margin_mode(text: &str) -> Result<MarginMode, String> {
    let modes = [
        ("crossed", MarginMode::Crossed),
        ("cross", MarginMode::Crossed),
        ("isolated", MarginMode::Isolated),
    ];
    one_of(text, &modes, "expected crossed or isolated")
}

fn position_mode(text: &str) -> Result<PositionMode, String> {
    let modes =
        [("hedge", PositionMode::Hedge), ("one-way", PositionMode::Net), ("oneway", PositionMode::Net)];
    one_of(text, &modes, "expected hedge or one-way")
}

fn one_of<T: Copy>(text: &str, words: &[(&str, T)], expected: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| expected.to_owned())
}
