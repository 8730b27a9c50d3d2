//! Orders and fills of the account. Source: fact sheet 5.6, 9.2, 9.3 and 9.5.

use super::shape::shape;
use crate::wire::text::{
    AlgoStatus, ExecutionType, LegWord, OrderStatus, OrderType, Side, TimeInForce, WorkingType,
};

shape! {
    /// The order of an `ORDER_TRADE_UPDATE`. Here `ap` is the average fill price and `ps` the leg.
    OrderBody {
        int {
            /// The venue's id.
            order_id = "i",
            /// Order or trade time.
            time = "T",
        }
        opt_int {
            /// Trade id, 0 when not a trade.
            trade_id = "t",
            /// Until when, for GTD; 0 otherwise.
            good_till = "gtd",
            /// To be ignored.
            ignore_si = "si",
            /// To be ignored.
            ignore_ss = "ss",
        }
        opt_dec {
            /// Limit price.
            price = "p",
            /// Average fill price so far.
            avg_price = "ap",
            /// Stop price; meaningless for trailing orders.
            stop_price = "sp",
            /// Price of this fill.
            last_price = "L",
            /// Fee of this fill; may be absent before a fill.
            fee = "n",
            /// Notional of the account's open bids here.
            bids_notional = "b",
            /// Notional of the account's open asks here.
            asks_notional = "a",
            /// Where a trailing order becomes active.
            activate_price = "AP",
            /// Distance of a trailing order in percent.
            callback_rate = "cr",
            /// Profit of this fill before the fee.
            realized = "rp",
        }
        qty {
            /// Ordered quantity.
            orig_qty = "q",
            /// Filled so far.
            filled_qty = "z",
        }
        opt_qty {
            /// Quantity of this fill.
            last_qty = "l",
        }
        text {
            /// Name.
            symbol = "s",
            /// The client's id.
            client_order_id = "c",
        }
        opt_text {
            /// Fee asset; may be absent before a fill.
            fee_asset = "N",
            /// Our number of an amendment, where one was sent.
            modify_id = "M",
            /// What happens when it would meet our own order.
            self_trade_prevention = "V",
            /// How the price follows the book.
            price_match = "pm",
            /// Expiry reason, "0" for none.
            expiry_reason = "er",
        }
        opt_yes {
            /// Whether we rested.
            maker = "m",
            /// Reduces only; also true for implicit closes in hedge mode.
            reduce_only = "R",
            /// Close-all order.
            close_position = "cp",
            /// Refuses to trigger far from the other price.
            price_protect = "pP",
        }
        word {
            /// BUY or SELL.
            side: Side = "S",
            /// Type now.
            order_type: OrderType = "o",
            /// Why this push.
            execution: ExecutionType = "x",
            /// State.
            status: OrderStatus = "X",
            /// Leg.
            position_side: LegWord = "ps",
        }
        opt_word {
            /// How long it lives.
            time_in_force: TimeInForce = "f",
            /// Which price triggers.
            working_type: WorkingType = "wt",
            /// Type as placed.
            orig_type: OrderType = "ot",
        }
    }
}

shape! {
    /// `ORDER_TRADE_UPDATE`.
    OrderEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Engine time.
            engine_time = "T",
        }
        part {
            /// The order.
            order: OrderBody = "o",
        }
    }
}

shape! {
    /// The order of an `ALGO_UPDATE`.
    AlgoBody {
        int {
            /// The venue's id in the algo space.
            algo_id = "aid",
        }
        opt_int {
            /// The child's id: text, empty before the trigger.
            actual_order_id = "ai",
            /// When it fired; 0 before.
            trigger_time = "tt",
            /// Until when, for GTD; 0 otherwise.
            good_till = "gtd",
        }
        opt_dec {
            /// Quantity; nothing or 0 for close-all orders.
            quantity = "q",
            /// Average fill price of the child.
            avg_price = "ap",
            /// Filled quantity of the child.
            filled_qty = "aq",
            /// Trigger.
            trigger_price = "tp",
            /// Limit price of the child.
            price = "p",
            /// Where a trailing order becomes active.
            activate_price = "AP",
            /// Distance of a trailing order in percent.
            callback_rate = "cr",
        }
        text {
            /// The client's id.
            client_algo_id = "caid",
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// `CONDITIONAL`.
            algo_type = "at",
            /// Type of the child; "0" or empty before.
            actual_type = "act",
            /// What happens when the child would meet our own order.
            self_trade_prevention = "V",
            /// How the price follows the book.
            price_match = "pm",
            /// Reason; may hold stale text except on REJECTED and EXPIRED.
            reason = "rm",
        }
        opt_yes {
            /// Closes the whole leg.
            close_position = "cp",
            /// Refuses to trigger far from the other price.
            price_protect = "pP",
            /// Reduces only.
            reduce_only = "R",
            /// Whether a trailing order has become active; since August 2026.
            activated = "ia",
        }
        word {
            /// Type.
            order_type: OrderType = "o",
            /// BUY or SELL.
            side: Side = "S",
            /// Leg.
            position_side: LegWord = "ps",
            /// State.
            status: AlgoStatus = "X",
        }
        opt_word {
            /// How the child lives.
            time_in_force: TimeInForce = "f",
            /// Which price triggers.
            working_type: WorkingType = "wt",
        }
    }
}

shape! {
    /// `ALGO_UPDATE`.
    AlgoEvent {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Engine time.
            time = "T",
        }
        part {
            /// The order.
            order: AlgoBody = "o",
        }
    }
}

shape! {
    /// `TRADE_LITE`: a fill, sooner and without leg, fee and state. The same trade follows in an `ORDER_TRADE_UPDATE`.
    TradeLite {
        int {
            /// Pushed at.
            event_time = "E",
            /// Engine time.
            time = "T",
            /// Trade id.
            trade_id = "t",
            /// The venue's id of the order.
            order_id = "i",
        }
        dec {
            /// Price of this fill.
            last_price = "L",
        }
        opt_dec {
            /// Limit price.
            price = "p",
        }
        qty {
            /// Ordered quantity.
            orig_qty = "q",
            /// Quantity of this fill.
            last_qty = "l",
        }
        text {
            /// Name.
            symbol = "s",
            /// The client's id.
            client_order_id = "c",
        }
        opt_yes {
            /// Whether we rested.
            maker = "m",
        }
        word {
            /// BUY or SELL.
            side: Side = "S",
        }
    }
}

shape! {
    /// The order of a `CONDITIONAL_ORDER_TRIGGER_REJECT`.
    TriggerRejectBody {
        int {
            /// The venue's id.
            order_id = "i",
        }
        text {
            /// Name.
            symbol = "s",
        }
        opt_text {
            /// Why.
            reason = "r",
        }
    }
}

shape! {
    /// `CONDITIONAL_ORDER_TRIGGER_REJECT`; retired in December 2025, `ALGO_UPDATE` says the same.
    TriggerReject {
        int {
            /// Pushed at.
            event_time = "E",
        }
        opt_int {
            /// Engine time.
            time = "T",
        }
        part {
            /// The order.
            order: TriggerRejectBody = "or",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_child_id_of_an_untriggered_stop_is_none() {
        let text = r#"{"e":"ALGO_UPDATE","T":1,"E":2,"o":{"caid":"sl","aid":4000000987654321,"at":"CONDITIONAL",
          "o":"STOP_MARKET","s":"ETHUSDT","S":"SELL","ps":"LONG","f":"GTC","q":"0.750","X":"NEW","ai":"","ap":"0",
          "aq":"0","act":"0","tp":"2401.00","p":"0","wt":"MARK_PRICE","cp":false,"tt":0,"rm":""}}"#;
        let event: AlgoEvent = serde_json::from_str(text).unwrap();
        assert_eq!((event.order.actual_order_id, event.order.reason), (None, None));
        assert_eq!(event.order.algo_id, 4_000_000_987_654_321);
    }
}
