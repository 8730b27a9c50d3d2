"""The vendor's older connector, REST (UMFutures) and sockets (UMFuturesWebsocketClient), unmodified.

Its sockets know the un-routed addresses only, so it is driven against the exchange's demo environment.
"""

import importlib.metadata
import json
import queue
import time

from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

from check import SYMBOL, Checks, Venue, equal, fields, number, off, one, refused, true, wait_until

PACKAGE = "binance-futures-connector"
venue = Venue()
checks = Checks(PACKAGE, importlib.metadata.version(PACKAGE))
client = UMFutures(key=venue.key, secret=venue.secret, base_url=venue.rest)


def last():
    return client.ticker_price(SYMBOL)["price"]


def order(side, leg, kind="MARKET", quantity="0.500", **params):
    return client.new_order(symbol=SYMBOL, side=side, positionSide=leg, type=kind, quantity=quantity, **params)


def limit(side, leg, price, **params):
    return order(side, leg, "LIMIT", price=price, timeInForce="GTC", **params)


def rest():
    with checks.step("market data"):
        equal(client.ping(), {})
        equal(len(client.exchange_info()["symbols"]), 7)
        true(number(client.depth(SYMBOL, limit=5)["bids"][0][0]) > 0, "depth")
        trades = client.trades(SYMBOL, limit=5)
        equal(client.historical_trades(SYMBOL, fromId=trades[0]["id"], limit=2), trades[:2])
        equal(len(client.agg_trades(SYMBOL, limit=5)), 5)
        equal(len(client.klines(SYMBOL, "1m", limit=5)), 5)
        equal(len(client.continuous_klines(SYMBOL, "PERPETUAL", "1m", limit=5)), 5)
        equal(len(client.mark_price_klines(SYMBOL, "1m", limit=5)), 5)
        equal(len(client.index_price_klines(SYMBOL, "1m", limit=5)), 5)
        equal(client.mark_price(SYMBOL)["symbol"], SYMBOL)
        equal(len(client.funding_rate(SYMBOL, limit=2)), 2)
        equal(len(client.ticker_24hr_price_change()), 7)
        true(number(client.book_ticker(SYMBOL)["askQty"]) > 0, "bookTicker")
        equal(client.open_interest(SYMBOL)["symbol"], SYMBOL)
    with checks.step("hedge mode, leverage, margin type"):
        equal(client.change_position_mode(dualSidePosition="true")["code"], 200)
        refused(-4059, client.change_position_mode, dualSidePosition="true")
        equal(client.change_leverage(symbol=SYMBOL, leverage=8)["leverage"], 8)
        equal(client.change_margin_type(symbol=SYMBOL, marginType="ISOLATED")["code"], 200)
        equal(client.change_margin_type(symbol=SYMBOL, marginType="CROSSED")["code"], 200)
        equal(client.symbol_configuration(symbol=SYMBOL)[0]["leverage"], 8)
    with checks.step("orders: place, amend, batch, cancel"):
        placed = limit("BUY", "LONG", off(last(), "-2"))
        amended = client.modify_order(
            symbol=SYMBOL, side="BUY", quantity="0.600", price=placed["price"], orderId=placed["orderId"])
        equal(amended["origQty"], "0.600")
        equal(client.query_order(symbol=SYMBOL, orderId=placed["orderId"])["origQty"], "0.600")
        equal(client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])["status"], "CANCELED")
        refused(-2011, client.cancel_order, symbol=SYMBOL, orderId=placed["orderId"])
        item = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1",
                "price": off(last(), "-3"), "positionSide": "LONG"}
        answers = client.new_batch_order([item, {**item, "positionSide": "BOTH"}])
        equal([a.get("status", a.get("code")) for a in answers], ["NEW", -4061])
        gone = client.cancel_batch_order(
            symbol=SYMBOL, orderIdList=[answers[0]["orderId"]], origClientOrderIdList=None)
        equal(gone[0]["status"], "CANCELED")
        limit("BUY", "LONG", off(last(), "-3"))
        equal(client.cancel_open_orders(symbol=SYMBOL)["code"], 200)
        equal(client.get_orders(symbol=SYMBOL), [])
        resting = limit("BUY", "LONG", off(last(), "-4"))
        client.countdown_cancel_order(symbol=SYMBOL, countdownTime=60_000)
        wait_until("the countdown", lambda: client.query_order(
            symbol=SYMBOL, orderId=resting["orderId"])["status"] == "CANCELED")
        equal(client.new_order_test(
            symbol=SYMBOL, side="BUY", positionSide="LONG", type="MARKET", quantity="0.5")["orderId"], 0)
    with checks.step("both legs, the account, the ledger"):
        order("BUY", "LONG")
        order("SELL", "SHORT")
        legs = {row["positionSide"]: row["positionAmt"] for row in client.get_position_risk(symbol=SYMBOL)}
        equal((legs["LONG"], legs["SHORT"]), ("0.500", "-0.500"))
        refused(-2022, order, "BUY", "SHORT", quantity="0.501")
        equal(client.account()["totalWalletBalance"], one(client.balance(), asset="USDT")["balance"])
        equal(len(client.get_account_trades(symbol=SYMBOL)), 2)
        ledger = client.get_income_history()
        wallet = number(one(client.balance(), asset="USDT")["balance"])
        equal(wallet, 10_000 + sum(number(row["income"]) for row in ledger))
        equal(client.force_orders(), [])
        true(client.adl_quantile(symbol=SYMBOL)[0]["symbol"] == SYMBOL, "ADL rank")
        equal(client.commission_rate(symbol=SYMBOL)["makerCommissionRate"], "0.000200")
    with checks.step("errors"):
        refused(-1022, UMFutures(key=venue.key, secret="wrong" * 8, base_url=venue.rest).balance)
        refused(-1111, order, "BUY", "LONG", quantity="0.00001")
        refused(-1106, order, "BUY", "LONG", reduceOnly="true")
        refused(-4061, client.new_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.5")
        refused(-2019, order, "BUY", "LONG", quantity="200")
        # It was made before conditional orders moved.
        refused(-4120, order, "SELL", "LONG", "STOP_MARKET", stopPrice=off(last(), "-5"))


def sockets():
    events = queue.Queue()
    stream = UMFuturesWebsocketClient(
        stream_url=venue.ws, on_message=lambda _, text: events.put(json.loads(text)))

    def event(what, fits, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = events.get(timeout=0.5)
            except queue.Empty:
                continue
            if fits(message):
                return message
        raise AssertionError(f"{what} did not come")

    plan = [
        ("aggTrade", lambda: stream.agg_trade(SYMBOL), "aggTrade"),
        ("markPrice@1s", lambda: stream.mark_price(SYMBOL, speed=1), "markPriceUpdate"),
        ("kline", lambda: stream.kline(SYMBOL, "1m"), "kline"),
        ("continuousKline", lambda: stream.continuous_kline(SYMBOL, "perpetual", "1m"), "continuous_kline"),
        ("miniTicker", lambda: stream.mini_ticker(SYMBOL), "24hrMiniTicker"),
        ("ticker", lambda: stream.ticker(SYMBOL), "24hrTicker"),
        ("bookTicker", lambda: stream.book_ticker(SYMBOL), "bookTicker"),
        ("depth@100ms", lambda: stream.diff_book_depth(SYMBOL), "depthUpdate"),
        ("depth5@100ms", lambda: stream.partial_book_depth(SYMBOL, 5, 100), "depthUpdate"),
    ]
    for name, subscribe, kind in plan:
        with checks.step(f"un-routed stream by SUBSCRIBE: {name}"):
            subscribe()
            equal(event(name, lambda m: m.get("e") == kind)["e"], kind)
            time.sleep(0.15)
    with checks.step("un-routed user stream"):
        key = client.new_listen_key()["listenKey"]
        stream.user_data(key)
        time.sleep(0.5)
        closed = order("SELL", "LONG", newOrderRespType="RESULT")
        told = event("FILLED", lambda m: m.get("e") == "ORDER_TRADE_UPDATE" and m["o"]["i"] == closed["orderId"]
                     and m["o"]["X"] == "FILLED")
        fields(told["o"], rp=str, n=str, N=str, t=int)
        equal((told["o"]["ps"], told["o"]["R"]), ("LONG", True))
        order("BUY", "SHORT")
        gone = event("ACCOUNT_UPDATE", lambda m: m.get("e") == "ACCOUNT_UPDATE" and m["a"]["P"][0]["ps"] == "SHORT")
        equal(gone["a"]["P"][0]["pa"], "0.000")
        client.renew_listen_key(key)
        client.close_listen_key(key)
        refused(-1125, client.renew_listen_key, key)
    stream.stop()


rest()
sockets()
checks.finish()
