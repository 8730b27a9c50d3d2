//! Orders, intents, checks and veto words in plain English.

use hedge_core::{
    CheckVerdict, Coverage, Entry, Exit, GateCheck, Intent, Leg, OrderPurpose, Portion, PositionKey,
    Protection, Qty, Size, Tif, TriggerBy, Verdict,
};

/// `open BTCUSDT LONG 0.012 by IOC limit at 64123.4`.
pub fn order_words(purpose: OrderPurpose, position: &PositionKey, leg: &Leg, qty: Qty) -> String {
    let verb = match purpose {
        OrderPurpose::Entry => "open",
        OrderPurpose::Close => "close",
        OrderPurpose::Stop => "stop for",
        OrderPurpose::TakeProfit => "take-profit for",
    };
    let how = match leg {
        Leg::Open(entry) => entry_words(entry),
        Leg::Close(exit, _) => exit_words(exit),
    };
    match leg {
        Leg::Close(_, Coverage::WholeLeg) => format!("{verb} the whole {position}, {how}"),
        _ => format!("{verb} {position} {qty}, {how}"),
    }
}

fn entry_words(entry: &Entry) -> String {
    match entry {
        Entry::Market => "at the market".to_owned(),
        Entry::Limit { price, tif } => format!("{} limit at {price}", tif_words(*tif)),
    }
}

fn exit_words(exit: &Exit) -> String {
    match exit {
        Exit::Market => "at the market".to_owned(),
        Exit::Limit { price, tif } => format!("{} limit at {price}", tif_words(*tif)),
        Exit::StopMarket { trigger, by } | Exit::TakeProfitMarket { trigger, by } => {
            format!("market once the {} reaches {trigger}", by_words(*by))
        }
        Exit::TrailingStop { activate, callback, by } => {
            let from = activate.map(|price| format!(" from {price} on")).unwrap_or_default();
            format!("market once the {} falls back by {callback} bps{from}", by_words(*by))
        }
    }
}

const fn by_words(by: TriggerBy) -> &'static str {
    match by {
        TriggerBy::Mark => "mark price",
        TriggerBy::Last => "last price",
    }
}

fn tif_words(tif: Tif) -> String {
    match tif {
        Tif::Gtc => "resting".to_owned(),
        Tif::Ioc => "immediate-or-cancel".to_owned(),
        Tif::Fok => "fill-or-kill".to_owned(),
        Tif::PostOnly => "post-only".to_owned(),
        Tif::Gtd { until } => format!("until {until}"),
    }
}

/// What a strategy wants and why: `open BTCUSDT LONG for 500 at the market, stop 63000: close above …`.
pub fn intent_words(intent: &Intent) -> String {
    match intent {
        Intent::Open { position, size, entry, protection, because } => {
            let size = match size {
                Size::Qty(qty) => qty.to_string(),
                Size::Notional(notional) => format!("for {notional}"),
            };
            let entry = entry_words(entry);
            format!("open {position} {size} {entry}, {}: {because}", protection_words(protection))
        }
        Intent::Close { position, portion, exit, because } => {
            let portion = match portion {
                Portion::All => "all of ".to_owned(),
                Portion::Qty(qty) => format!("{qty} of "),
                Portion::Fraction(fraction) => format!("the fraction {fraction} of "),
            };
            format!("close {portion}{position} {}: {because}", exit_words(exit))
        }
        Intent::Protect { position, trigger, because } => {
            format!("move the stop of {position} to {trigger}: {because}")
        }
        Intent::Cancel { order, because } => format!("cancel {order}: {because}"),
    }
}

fn protection_words(protection: &Protection) -> String {
    match protection {
        Protection::Stop { trigger, take_profits } if take_profits.is_empty() => format!("stop {trigger}"),
        Protection::Stop { trigger, take_profits } => {
            let rungs: Vec<String> = take_profits.iter().map(|rung| rung.trigger.to_string()).collect();
            format!("stop {trigger}, take-profit {}", rungs.join(" and "))
        }
        Protection::Unprotected { because } => format!("without a stop ({because})"),
    }
}

/// `approved`, `cut back to 0.01`, `refused by max_positions`.
pub fn verdict_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Approve => "approved".to_owned(),
        Verdict::Shrink { to } => format!("cut back to {to}"),
        Verdict::Refuse { rule } => format!("refused by {rule}"),
    }
}

/// One check as a line: verdict, rule, value, limit, distance, note.
pub fn check_words(check: &GateCheck) -> String {
    let verdict = match check.verdict {
        CheckVerdict::Pass => "pass  ",
        CheckVerdict::Shrink => "SHRINK",
        CheckVerdict::Refuse => "REFUSE",
    };
    let numbers = format!(
        "value {}, limit {}, distance {}",
        check.value.normalize(),
        check.limit.normalize(),
        check.distance.normalize()
    );
    let note = check.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
    format!("{verdict} {:<24} {numbers}{note}", check.rule)
}

/// What a rule of the gate or of a risk manager guards; `None` for a rule of somebody else's.
pub fn rule_meaning(rule: &str) -> Option<&'static str> {
    let meaning = match rule {
        "posture" => "openings are only allowed in posture Normal",
        "account_stream" => "without the account stream nobody would see a fill",
        "instrument_trading" => "the venue does not trade the symbol now",
        "instrument_known" => "the symbol is not in the universe of this run",
        "hedge_mode" => "account and symbol must be in hedge mode",
        "leg_owner" => "the leg belongs to another strategy until it is flat",
        "leg_open" => "there is nothing on the leg to act on",
        "outcome_known" => "an earlier order of this leg has an unknown outcome",
        "leg_not_closing" => "the leg is being closed until it is flat",
        "leg_halted" => "the venue closed the leg by force; a person must look and resume",
        "entry_in_flight" => "an opening of this leg is still on its way",
        "not_muted" => "the symbol was muted after its protection failed",
        "free_conditional_orders" => "too few conditional-order slots are left for stops",
        "mark_known" => "there is no mark price yet",
        "price_bounds" | "price_band" => "the price is outside what the venue accepts",
        "protection" => "the stop is not on the losing side of the mark",
        "min_qty" => "the quantity is below the symbol's smallest lot",
        "venue_min_notional" | "min_notional" | "shrunk_notional" => {
            "the order is below the smallest notional"
        }
        "kill_dd_pct" => "equity has fallen too far from its peak (KILL_DD_PCT); an operator must resume",
        "kill_daily_loss_pct" => {
            "the day has lost too much (KILL_DAILY_LOSS_PCT); it re-arms with the next day"
        }
        "price_staleness_s" => "the mark price is too old (PRICE_STALENESS_S)",
        "warmup_s" => "the process has just started (WARMUP_S)",
        "entries_per_leg_per_hour" => {
            "the leg was opened too often within an hour (ENTRIES_PER_LEG_PER_HOUR)"
        }
        "max_positions" => "too many legs are open or opening (MAX_POSITIONS)",
        "max_open_orders" => "too many orders are live (MAX_OPEN_ORDERS)",
        "max_slippage_bps" => "the entry could fill too far from mark (MAX_SLIPPAGE_BPS)",
        "max_leverage" => "all legs together would exceed the equity too many times (MAX_LEVERAGE)",
        "max_notional_per_order" => "the order is too large (MAX_NOTIONAL_PER_ORDER_USDT)",
        "max_notional_per_symbol" => {
            "both legs of the symbol would be too large (MAX_NOTIONAL_PER_SYMBOL_USDT)"
        }
        "max_notional_total" => "all legs together would be too large (MAX_NOTIONAL_TOTAL_USDT)",
        "liq_distance_pct" => "the account would come too close to liquidation (LIQ_DISTANCE_MIN_PCT)",
        "closable" | "close_qty" => "nothing of the leg is left to close, or less than one lot",
        "stop_move" => "whether the stop may be moved there",
        "stop_side" => "the mark is already through the new stop",
        "stop_pending" => "another stop of the leg is on its way",
        "stop_same" => "the stop is already there",
        _ => return None,
    };
    Some(meaning)
}

/// What a screener's veto word means; `None` for a word of somebody else's strategy.
pub fn veto_meaning(word: &str) -> Option<&'static str> {
    let meaning = match word {
        "warmup" => "the indicators have not seen enough bars yet",
        "no_break" => "the close stayed inside the channel",
        "old_break" => "the break happened on an earlier bar; it is entered once",
        "no_cross" => "the averages did not cross on this bar",
        "no_extreme" => "the z-score is not extreme",
        "old_extreme" => "the extreme was reached on an earlier bar; it is entered once",
        "rsi_low" => "the RSI is lower than this entry wants",
        "rsi_high" => "the RSI is higher than this entry wants",
        "z_low" => "the close is already stretched too far down",
        "z_high" => "the close is already stretched too far up",
        "atr_low" => "the market is calmer than atr_min: fees would eat the move",
        "atr_high" => "the market is wilder than atr_max",
        "side_off" => "this side is not in the strategy's sides",
        "in_trade" => "the leg is already open",
        "pending" => "an opening of the leg is still on its way",
        "cooldown" => "the last entry of this leg is too recent (cooldown_bars)",
        "no_price" => "the bar has no usable close",
        "no_spec" => "the symbol's rules are not known yet",
        "no_stop_price" => "no stop price could be computed",
        _ => return None,
    };
    Some(meaning)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use hedge_core::{Decimal, InstrumentId, Price};

    use super::*;

    fn leg() -> PositionKey {
        PositionKey::long(InstrumentId::binance("BTCUSDT").unwrap())
    }
    fn price(value: i64) -> Price {
        Price::new(Decimal::from(value)).unwrap()
    }

    #[test]
    fn an_order_reads_as_what_it_does_to_its_leg() {
        let qty = Qty::new(Decimal::new(12, 3)).unwrap();
        let entry = Leg::Open(Entry::Limit { price: price(64_000), tif: Tif::Ioc });
        assert_eq!(
            order_words(OrderPurpose::Entry, &leg(), &entry, qty),
            "open BTCUSDT LONG 0.012, immediate-or-cancel limit at 64000"
        );
        let stop =
            Leg::Close(Exit::StopMarket { trigger: price(61_000), by: TriggerBy::Mark }, Coverage::WholeLeg);
        assert_eq!(
            order_words(OrderPurpose::Stop, &leg(), &stop, qty),
            "stop for the whole BTCUSDT LONG, market once the mark price reaches 61000"
        );
    }

    #[test]
    fn a_check_states_value_limit_and_distance_also_when_it_passed() {
        let mut check = GateCheck::at_most("max_positions", Decimal::from(4), Decimal::from(6));
        assert_eq!(check_words(&check), "pass   max_positions            value 4, limit 6, distance 2");
        check = GateCheck::at_most("max_positions", Decimal::from(7), Decimal::from(6));
        check.note = Some(Cow::Borrowed("legs"));
        assert_eq!(
            check_words(&check),
            "REFUSE max_positions            value 7, limit 6, distance -1 (legs)"
        );
    }
}
