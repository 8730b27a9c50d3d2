"""ccxt, REST (binanceusdm) and sockets (ccxt.pro), unmodified: only the two base addresses are replaced."""

import asyncio
import time

import ccxt
import ccxt.pro

from check import Checks, Venue, equal, off, one, refused, true, wait_until

venue = Venue()
checks = Checks("ccxt", ccxt.__version__)
SYMBOL, ID = "ETH/USDT:USDT", "ETHUSDT"


def pointed(kind, **more):
    client = kind({
        "apiKey": venue.key,
        "secret": venue.secret,
        # Currencies belong to the spot wallet, which is another venue.
        "options": {"fetchCurrencies": False, "listenKeyRefreshRate": 20_000},
        **more,
    })
    for name, url in client.urls["api"].items():
        if isinstance(url, str):
            client.urls["api"][name] = url.replace("https://fapi.binance.com", venue.rest)
    streams = client.urls["api"].get("ws")
    if streams:
        streams["linear"] = streams["linear"].replace("wss://fstream.binance.com", venue.ws)
    return client


ex = pointed(ccxt.binanceusdm)


def last():
    return ex.fetch_last_prices([SYMBOL])[SYMBOL]["price"]


def price(percent):
    return float(off(str(last()), percent))


def order(kind, side, leg, amount, at=None, **params):
    return ex.create_order(SYMBOL, kind, side, amount, at, {"positionSide": leg, **params})


def raw(**params):
    """A placement as written, without the client's own rounding."""
    return ex.fapiPrivatePostOrder({"symbol": ID, "side": "BUY", "positionSide": "LONG", **params})


def bitcoin_price():
    return off(str(ex.fetch_last_prices(["BTC/USDT:USDT"])["BTC/USDT:USDT"]["price"]), "-1", "1") + ".05"


def legs():
    return {row["side"]: row for row in ex.fetch_positions([SYMBOL])}


def rest():
    with checks.step("markets"):
        markets = ex.load_markets()
        equal(len(markets), 7, "number of markets")
        market = markets[SYMBOL]
        equal((market["id"], market["linear"], market["contract"], market["active"]), (ID, True, True, True))
        equal((market["precision"]["price"], market["precision"]["amount"]), (0.01, 0.001))
        equal(market["limits"]["cost"]["min"], 20.0)
    with checks.step("ping and time"):
        equal(ex.fapiPublicGetPing(), {})
        first = ex.fetch_time()
        true(ex.fetch_time() >= first, "time went back")
    with checks.step("tickers, book and trades"):
        ticker = ex.fetch_ticker(SYMBOL)
        true(ticker["low"] <= ticker["last"] <= ticker["high"], f"{ticker}")
        true(len(ex.fetch_tickers()) == 7, "tickers of all symbols")
        best = ex.fetch_bids_asks([SYMBOL])[SYMBOL]
        true(0 < best["bid"] < best["ask"], f"{best}")
        book = ex.fetch_order_book(SYMBOL, 50)
        equal((len(book["bids"]), len(book["asks"])), (50, 50))
        true(book["bids"][0][0] < book["asks"][0][0], "the book is crossed")
        trades = ex.fetch_trades(SYMBOL, limit=20)
        true(len(trades) == 20 and trades == sorted(trades, key=lambda t: t["timestamp"]), "trades in order")
        rows = ex.fapiPublicGetTrades({"symbol": ID, "limit": 5})
        equal(len(rows), 5)
        from_id = ex.fapiPublicGetHistoricalTrades({"symbol": ID, "limit": 5, "fromId": rows[0]["id"]})
        equal(from_id[0], rows[0])
    with checks.step("klines of last, mark, index and premium"):
        for fetch in (ex.fetch_ohlcv, ex.fetch_mark_ohlcv, ex.fetch_index_ohlcv, ex.fetch_premium_index_ohlcv):
            bars = fetch(SYMBOL, "5m", limit=10)
            equal(len(bars), 10)
            equal({b[0] - a[0] for a, b in zip(bars, bars[1:])}, {300_000})
        equal(len(ex.fapiPublicGetContinuousKlines(
            {"pair": ID, "contractType": "PERPETUAL", "interval": "1h", "limit": 3})), 3)
    with checks.step("funding rates and open interest"):
        rate = ex.fetch_funding_rate(SYMBOL)
        true(rate["fundingTimestamp"] > ex.fetch_time() and rate["markPrice"] > 0, f"{rate}")
        history = ex.fetch_funding_rate_history(SYMBOL, limit=5)
        equal({b["timestamp"] - a["timestamp"] for a, b in zip(history, history[1:])}, {8 * 3_600_000})
        true(ex.fetch_open_interest(SYMBOL)["openInterestAmount"] > 0, "open interest")
        history = ex.fetch_open_interest_history(SYMBOL, "1h", limit=4)
        equal({b["timestamp"] - a["timestamp"] for a, b in zip(history, history[1:])}, {3_600_000})
        ratios = ex.fetch_long_short_ratio_history(SYMBOL, "1h", limit=4)
        true(len(ratios) == 4 and all(row["longShortRatio"] > 0 for row in ratios), f"{ratios}")
    with checks.step("hedge mode"):
        equal(ex.fetch_position_mode()["hedged"], False)
        ex.set_position_mode(True)
        equal(ex.fetch_position_mode()["hedged"], True)
        refused(-4059, ex.set_position_mode, True)
    with checks.step("leverage and margin type"):
        equal(ex.set_leverage(10, SYMBOL)["leverage"], 10)
        equal(ex.fetch_leverage(SYMBOL)["longLeverage"], 10)
        refused(-4028, ex.fapiPrivatePostLeverage, {"symbol": ID, "leverage": 126})
        ex.set_margin_mode("isolated", SYMBOL)
        equal(ex.fetch_margin_mode(SYMBOL)["marginMode"], "isolated")
        refused(-4046, ex.fapiPrivatePostMarginType, {"symbol": ID, "marginType": "ISOLATED"})
        ex.set_margin_mode("cross", SYMBOL)
        tiers = ex.fetch_leverage_tiers([SYMBOL])[SYMBOL]
        true(tiers[0]["maxLeverage"] >= 75 and tiers[0]["minNotional"] == 0, f"{tiers[0]}")
    with checks.step("limit order: place, amend, look up, cancel"):
        far = price("-2")
        placed = order("limit", "buy", "LONG", 0.5, far, clientOrderId="far-1")
        equal((placed["status"], placed["clientOrderId"], placed["price"]), ("open", "far-1", far))
        amended = ex.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.6, far - 1, {"positionSide": "LONG"})
        equal((amended["id"], amended["price"], amended["amount"]), (placed["id"], far - 1, 0.6))
        equal([o["id"] for o in ex.fetch_open_orders(SYMBOL)], [placed["id"]])
        found = ex.fetch_order(placed["id"], SYMBOL)
        equal((found["status"], found["amount"], found["filled"]), ("open", 0.6, 0.0))
        record = ex.fapiPrivateGetOrderAmendment({"symbol": ID, "orderId": placed["id"]})
        equal(record[0]["amendment"]["origQty"], {"before": "0.500", "after": "0.600"})
        equal(ex.cancel_order(placed["id"], SYMBOL)["status"], "canceled")
        refused(-2011, ex.cancel_order, placed["id"], SYMBOL)
        equal(ex.fetch_order(placed["id"], SYMBOL)["status"], "canceled")
        refused(-2013, ex.fetch_order, "1", SYMBOL)
    with checks.step("market orders open both legs"):
        for side, leg in (("buy", "LONG"), ("sell", "SHORT")):
            filled = order("market", side, leg, 0.5, newOrderRespType="RESULT")
            equal((filled["status"], filled["filled"]), ("closed", 0.5))
        held = legs()
        equal((held["long"]["contracts"], held["short"]["contracts"]), (0.5, 0.5))
        equal((held["long"]["hedged"], held["long"]["marginMode"]), (True, "cross"))
        true(held["long"]["entryPrice"] > 0 and held["long"]["initialMargin"] > 0, f"{held['long']}")
        equal(ex.fetch_position_adl_rank(SYMBOL)["symbol"], SYMBOL)
    with checks.step("a leg is closed by its own side and no further"):
        closed = order("market", "sell", "LONG", 0.2, newOrderRespType="RESULT")
        equal((closed["filled"], closed["reduceOnly"]), (0.2, True))
        equal(legs()["long"]["contracts"], 0.3)
        refused(-2022, order, "market", "sell", "LONG", 0.301)
    with checks.step("batch: place with one bad item, amend, cancel by both kinds of id"):
        far, above = price("-3"), price("3")
        ask = [
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": far,
             "params": {"positionSide": "LONG", "clientOrderId": "b-1"}},
            {"symbol": SYMBOL, "type": "limit", "side": "sell", "amount": 0.1, "price": above,
             "params": {"positionSide": "SHORT", "clientOrderId": "b-2"}},
            {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": far,
             "params": {"positionSide": "LONG", "timeInForce": "GTX", "reduceOnly": True}},
        ]
        answers = ex.create_orders(ask)
        bad = one(answers, clientOrderId=None)
        equal(str(bad["info"]["code"]), "-1106")
        answers = [one(answers, clientOrderId=name) for name in ("b-1", "b-2")]
        changes = [{"id": a["id"], "symbol": SYMBOL, "type": "limit", "side": side, "amount": 0.2,
                    "price": at, "params": {"positionSide": leg}}
                   for a, side, at, leg in ((answers[0], "buy", far, "LONG"), (answers[1], "sell", above, "SHORT"))]
        equal([a["amount"] for a in ex.edit_orders(changes)], [0.2, 0.2])
        equal(ex.cancel_orders([answers[0]["id"]], SYMBOL)[0]["status"], "canceled")
        gone = ex.cancel_orders([], SYMBOL, {"clientOrderIds": ["b-2", "b-9"]})
        # The client leaves the answer without an order out.
        equal([(o["clientOrderId"], o["status"]) for o in gone], [("b-2", "canceled")])
        equal(ex.fetch_open_orders(SYMBOL), [])
    with checks.step("cancel all, and the dead man's countdown"):
        order("limit", "buy", "LONG", 0.1, price("-3"))
        ex.cancel_all_orders(SYMBOL)
        equal(ex.fetch_open_orders(SYMBOL), [])
        resting = order("limit", "buy", "LONG", 0.1, price("-4"))
        armed = ex.fapiPrivatePostCountdownCancelAll({"symbol": ID, "countdownTime": 120_000})
        equal(armed, {"symbol": ID, "countdownTime": "120000"})
        wait_until("the countdown", lambda: ex.fetch_order(resting["id"], SYMBOL)["status"] == "canceled")
    with checks.step("test order checks and places nothing"):
        before = len(ex.fetch_orders(SYMBOL))
        ask = {"symbol": ID, "side": "BUY", "positionSide": "LONG", "type": "MARKET"}
        tested = ex.fapiPrivatePostOrderTest({**ask, "quantity": "0.1"})
        equal((tested["orderId"], tested["executedQty"], tested["avgPrice"]), (0, "0.000", "0.00"))
        refused(-2019, ex.fapiPrivatePostOrderTest, {**ask, "quantity": "300"})
        refused(-1111, ex.fapiPrivatePostOrderTest, {**ask, "quantity": "0.00001"})
        equal(len(ex.fetch_orders(SYMBOL)), before)
    with checks.step("algo stop: place, list, look up, cancel"):
        stop = order("STOP_MARKET", "sell", "LONG", 0.3, stopPrice=price("-10"), workingType="MARK_PRICE")
        equal((stop["type"], stop["triggerPrice"] > 0), ("market", True))
        listed = ex.fetch_open_orders(SYMBOL, params={"trigger": True})
        equal([o["id"] for o in listed], [stop["id"]])
        equal(ex.fetch_open_orders(SYMBOL), [], "plain open orders")
        equal(ex.fetch_order(stop["id"], SYMBOL, {"trigger": True})["status"], "open")
        refused(-2011, ex.cancel_order, stop["id"], SYMBOL)
        ex.cancel_order(stop["id"], SYMBOL, {"trigger": True})
        equal(ex.fetch_open_orders(SYMBOL, params={"trigger": True}), [])
        refused(-2021, order, "STOP_MARKET", "sell", "LONG", 0.3, stopPrice=price("5"))
        order("STOP_MARKET", "buy", "SHORT", 0.5, stopPrice=price("20"), closePosition=True)
        ex.cancel_all_orders(SYMBOL, {"trigger": True})
        equal(ex.fetch_open_orders(SYMBOL, params={"trigger": True}), [])
    with checks.step("algo stop triggers and closes its leg"):
        with venue.still():
            stop = order("STOP_MARKET", "sell", "LONG", 0.3, stopPrice=price("-0.02"))
        # A market that only rises for half an hour is no fault of anybody's.
        venue.clock(speed=600)
        done = wait_until("the trigger", lambda: next(
            (o for o in ex.fetch_orders(SYMBOL, params={"trigger": True})
             if o["id"] == stop["id"] and o["info"]["algoStatus"] == "FINISHED"), None))
        venue.clock(speed=60)
        child = ex.fetch_order(done["info"]["actualOrderId"], SYMBOL)
        equal((child["status"], child["filled"]), ("closed", 0.3))
        equal("long" in legs(), False)
    with checks.step("isolated margin can be added and taken out"):
        ex.set_leverage(10, "XRP/USDT:USDT")
        ex.set_margin_mode("isolated", "XRP/USDT:USDT")
        ex.create_order("XRP/USDT:USDT", "market", "buy", 100, None, {"positionSide": "LONG"})
        equal(ex.add_margin("XRP/USDT:USDT", 5, {"positionSide": "LONG"})["amount"], 5.0)
        ex.reduce_margin("XRP/USDT:USDT", 4, {"positionSide": "LONG"})
        refused(-4051, ex.reduce_margin, "XRP/USDT:USDT", 100, {"positionSide": "LONG"})
        history = ex.fetch_margin_adjustment_history("XRP/USDT:USDT")
        equal([(row["type"], row["amount"]) for row in history], [("add", 5.0), ("reduce", 4.0)])
        ex.create_order("XRP/USDT:USDT", "market", "sell", 100, None, {"positionSide": "LONG"})
    with checks.step("funding is paid and on record"):
        order("market", "buy", "LONG", 0.5)
        venue.until_funding()
        paid = wait_until("the funding row", lambda: ex.fetch_funding_history(SYMBOL))
        equal({row["code"] for row in paid}, {"USDT"})
        true(all(row["amount"] != 0 for row in paid), f"{paid}")
    with checks.step("balance is the start and the sum of the ledger"):
        rows = ex.fapiPrivateGetIncome({"limit": 1000})
        total = 10_000 + sum(float(row["income"]) for row in rows)
        balance = ex.fetch_balance()
        wallet = float(one(balance["info"]["assets"], asset="USDT")["walletBalance"])
        true(abs(wallet - total) < 1e-6, f"wallet {wallet}, ledger {total}")
        true(0 < balance["USDT"]["free"] < balance["USDT"]["total"], f"{balance['USDT']}")
        trades = ex.fetch_my_trades(SYMBOL)
        true(all(t["fee"]["cost"] > 0 and t["fee"]["currency"] == "USDT" for t in trades), "fees")
        true(any(float(t["info"]["realizedPnl"]) != 0 for t in trades), "no realised profit")
    with checks.step("liquidations, trading status and fees"):
        equal(ex.fetch_my_liquidations(SYMBOL), [])
        equal(ex.fapiPrivateGetApiTradingStatus()["indicators"], {})
        fee = ex.fetch_trading_fee(SYMBOL)
        equal((fee["maker"], fee["taker"]), (0.0002, 0.0005))
        refused(-4171, ex.fapiPrivatePostMultiAssetsMargin, {"multiAssetsMargin": "false"})
        equal(ex.fapiPrivatePostFeeBurn({"feeBurn": "true"})["code"], 200)
        equal(ex.fapiPrivateGetFeeBurn()["feeBurn"], True)
    errors()
    faults()
    with checks.step("both legs are closed"):
        for row in ex.fetch_positions([SYMBOL]):
            side = "sell" if row["side"] == "long" else "buy"
            order("market", side, row["side"].upper(), row["contracts"])
        equal(ex.fetch_positions(), [])


def errors():
    with checks.step("errors of keys, signatures and clocks"):
        wrong = pointed(ccxt.binanceusdm, secret="wrong" * 8)
        refused(-1022, wrong.fapiPrivateGetOpenOrders)
        refused(-2015, pointed(ccxt.binanceusdm, apiKey="a" * 64).fapiPrivateGetOpenOrders)
        refused(-2014, pointed(ccxt.binanceusdm, apiKey="short").fapiPrivateGetOpenOrders)
        late = pointed(ccxt.binanceusdm)
        late.nonce = lambda: int(time.time() * 1000) - 60_000
        refused(-1021, late.fapiPrivateGetOpenOrders)
    with checks.step("errors of orders"):
        good = off(str(last()), "-1")
        refused(-1111, raw, type="MARKET", quantity="0.50001")
        refused(-1111, raw, type="LIMIT", timeInForce="GTC", quantity="0.5", price=good + "1")
        # Two decimals are allowed, steps are of 0.1.
        refused(-4014, raw, type="LIMIT", timeInForce="GTC", quantity="0.01", symbol="BTCUSDT", price=bitcoin_price())
        refused(-4164, raw, type="MARKET", quantity="0.001")
        refused(-4005, raw, type="MARKET", quantity="5000")
        refused(-4003, raw, type="MARKET", quantity="0")
        refused(-4024, raw, type="LIMIT", timeInForce="GTC", quantity="0.5", price=off(str(last()), "-50"), side="SELL")
        refused(-2019, raw, type="MARKET", quantity="300")
        refused(-1106, raw, type="MARKET", quantity="0.5", reduceOnly="false")
        refused(-1106, raw, type="MARKET", quantity="0.5", timeInForce="GTC")
        refused(-4061, ex.fapiPrivatePostOrder, {"symbol": ID, "side": "BUY", "type": "MARKET", "quantity": "0.5"})
        refused(-4060, raw, type="MARKET", quantity="0.5", positionSide="UP")
        refused(-1102, raw, type="LIMIT", timeInForce="GTC", quantity="0.5")
        refused(-1121, raw, type="MARKET", quantity="0.5", symbol="NOPEUSDT")
        refused(-1117, raw, type="MARKET", quantity="0.5", side="HOLD")
        refused(-1116, raw, type="ICEBERG", quantity="0.5")
        refused(-4120, raw, type="STOP_MARKET", quantity="0.5", stopPrice=good)
        refused(-4015, raw, type="MARKET", quantity="0.5", newClientOrderId="x" * 37)
        refused(-5022, raw, type="LIMIT", timeInForce="GTX", quantity="0.5", price=off(str(last()), "1"))
        refused(-5021, raw, type="LIMIT", timeInForce="FOK", quantity="0.5", price=good)
    with checks.step("rate-limit headers, 429 and the way back"):
        raw(type="LIMIT", timeInForce="GTC", quantity="0.5", price=off(str(last()), "-3"))
        headers = {k.lower(): v for k, v in ex.last_response_headers.items()}
        true(int(headers["x-mbx-order-count-10s"]) >= 1 and int(headers["x-mbx-order-count-1m"]) >= 1, f"{headers}")
        true(headers["x-mbx-used-weight-1m"].isdigit(), f"{headers}")
        ex.cancel_all_orders(SYMBOL)
        venue.clock(speed=1)
        error = refused(-1003, flood)
        true("429" in str(error), f"{error}")
        true(1 <= int({k.lower(): v for k, v in ex.last_response_headers.items()}["retry-after"]) <= 60, "retry-after")
        venue.clock(speed=60)
        time.sleep(1.5)
        equal(ex.fapiPublicGetPing(), {})


def faults():
    place = {"method": "POST", "path": "/fapi/v1/order"}

    def ask(name):
        return order("market", "buy", "LONG", 0.1, clientOrderId=name)

    def known(name):
        return ex.fapiPrivateGetOrder({"symbol": ID, "origClientOrderId": name})["status"]

    with checks.step("fault: an answer lost after the order was executed"):
        venue.fault("accept_then_drop", **place)
        raises(ccxt.NetworkError, ask, "lost-1")
        equal(known("lost-1"), "FILLED")
        venue.fault("drop", **place)
        raises(ccxt.NetworkError, ask, "lost-2")
        refused(-2013, known, "lost-2")
    with checks.step("fault: every 503, 429, 418, a clock that is off"):
        for number, (fault, code, more) in enumerate((
            ("http_503_unknown", -1000, {"executed": True}),
            ("http_503_unknown", -1000, {"executed": False}),
            ("http_503_internal", -1001, {}),
            ("http_503_unavailable", -1001, {}),
            ("http_503_overload", -1008, {}),
            ("http_429", -1015, {"pool": "orders"}),
            ("skew", -1021, {"skew_ms": 60_000, "count": 1}),
        )):
            name = f"fault-{number}"
            venue.fault(fault, **place, **more)
            refused(code, ask, name)
            if more.get("executed"):
                equal(known(name), "FILLED")
            else:
                refused(-2013, known, name)
        # The venue's minute is a second of ours.
        venue.fault("http_418", path="/fapi/v1/ping", for_ms=60_000)
        error = refused(-1003, ex.fapiPublicGetPing)
        true("418" in str(error) and "banned until" in str(error), f"{error}")
        wait_until("the end of the ban", lambda: works(ex.fapiPublicGetPing))


def raises(kind, call, *args):
    try:
        answer = call(*args)
    except kind:
        return
    raise AssertionError(f"it was accepted: {answer!r}"[:300])


def works(call):
    try:
        call()
        return True
    except ccxt.BaseError:
        return False


def flood():
    ex.enableRateLimit = False
    try:
        for _ in range(200):
            ex.fapiPublicGetDepth({"symbol": ID, "limit": 1000})
    finally:
        ex.enableRateLimit = True


async def within(coroutine, seconds=15):
    return await asyncio.wait_for(coroutine, seconds)


async def sockets():
    pro = pointed(ccxt.pro.binanceusdm)
    try:
        await market_streams(pro)
        await recovers(pro)
        await user_stream(pro)
    finally:
        await pro.close()


async def market_streams(pro):
    await pro.load_markets()
    with checks.step("stream: ticker and miniTicker"):
        ticker = await within(pro.watch_ticker(SYMBOL))
        true(ticker["low"] <= ticker["last"] <= ticker["high"], f"{ticker}")
        mini = await within(pro.watch_tickers([SYMBOL], {"name": "miniTicker"}))
        true(mini[SYMBOL]["last"] > 0, f"{mini}")
    with checks.step("stream: bookTicker"):
        best = (await within(pro.watch_bids_asks([SYMBOL])))[SYMBOL]
        true(0 < best["bid"] < best["ask"], f"{best}")
    with checks.step("stream: depth keeps a local book in step with its snapshot"):
        for _ in range(30):
            book = await within(pro.watch_order_book(SYMBOL))
            true(book["bids"][0][0] < book["asks"][0][0], "the book is crossed")
        own, theirs = book["bids"][0][0], (await pro.fetch_order_book(SYMBOL, 5))["bids"][0][0]
        true(abs(own - theirs) < 0.01 * theirs, f"{own} and {theirs}")
    with checks.step("stream: aggTrade"):
        trades = await within(pro.watch_trades(SYMBOL))
        true(trades[-1]["price"] > 0 and trades[-1]["side"] in ("buy", "sell"), f"{trades[-1]}")
    with checks.step("stream: kline"):
        bar = (await within(pro.watch_ohlcv(SYMBOL, "1m")))[-1]
        true(bar[3] <= bar[4] <= bar[2], f"{bar}")
        both = await within(pro.watch_ohlcv_for_symbols([[SYMBOL, "5m"], ["BTC/USDT:USDT", "15m"]]))
        true(len(both) == 1, f"{both}")
    with checks.step("stream: markPrice"):
        mark = await within(pro.watch_mark_price(SYMBOL))
        true(mark["markPrice"] > 0, f"{mark}")
        all_marks = await within(pro.watch_mark_prices())
        true(len(all_marks) >= 1, f"{all_marks}")


async def recovers(pro):
    with checks.step("fault: sockets that are cut are opened again"):
        for path in ("/public", "/market"):
            venue.fault("cut", path=path)
        watches = {"kline": lambda: pro.watch_ohlcv(SYMBOL, "3m"), "bookTicker": lambda: pro.watch_bids_asks([SYMBOL])}
        for name, watch in watches.items():
            for attempt in range(5):
                try:
                    await within(watch())
                    break
                except ccxt.NetworkError:
                    await asyncio.sleep(0.2)
            else:
                raise AssertionError(f"{name} did not come back")
            await within(watch())


async def until(watch, ready, seconds=15):
    """Watches until what came fits; the list of everything that came otherwise."""
    seen = []

    async def look():
        while True:
            for row in await watch():
                seen.append(row)
                if ready(row):
                    return row

    try:
        return await within(look(), seconds)
    except asyncio.TimeoutError:
        raise AssertionError(f"nothing fits in {[(r.get('id'), r.get('status')) for r in seen][-10:]}") from None


async def user_stream(pro):
    with checks.step("user stream: orders, fills, positions, balance"):
        watching = [asyncio.ensure_future(task) for task in (
            until(lambda: pro.watch_orders(SYMBOL), lambda o: o["clientOrderId"] == "ws-1" and o["status"] == "open"),
            until(lambda: pro.watch_my_trades(SYMBOL), lambda t: t["amount"] == 0.4),
            until(lambda: pro.watch_positions([SYMBOL]), lambda p: p["contracts"] == 0.4),
            within(pro.watch_balance()),
        )]
        await asyncio.sleep(2)
        far = float(off(str(last()), "-2"))
        resting = await pro.create_order(
            SYMBOL, "limit", "buy", 0.4, far, {"positionSide": "LONG", "clientOrderId": "ws-1"})
        seen, = await asyncio.gather(watching[0])
        equal((seen["id"], seen["price"], seen["amount"]), (resting["id"], far, 0.4))
        await pro.create_order(SYMBOL, "market", "buy", 0.4, None, {"positionSide": "LONG"})
        trade, position, balance = await asyncio.gather(*watching[1:])
        equal((trade["side"], trade["takerOrMaker"], trade["fee"]["currency"]), ("buy", "taker", "USDT"))
        equal((position["side"], position["hedged"]), ("long", True))
        true(balance["USDT"]["total"] > 0, f"{balance['USDT']}")
        gone = asyncio.ensure_future(until(
            lambda: pro.watch_orders(SYMBOL), lambda o: o["id"] == resting["id"] and o["status"] == "canceled"))
        await asyncio.sleep(0)
        await pro.cancel_order(resting["id"], SYMBOL)
        equal((await gone)["filled"], 0.0)
    with checks.step("user stream: algo order"):
        waiting = asyncio.ensure_future(until(
            lambda: pro.watch_orders(SYMBOL), lambda o: str(o["info"].get("aid", "")) != "" and o["status"] == "open"))
        await asyncio.sleep(0)
        stop = await pro.create_order(
            SYMBOL, "STOP_MARKET", "sell", 0.4, None,
            {"positionSide": "LONG", "stopPrice": float(off(str(last()), "-9"))})
        equal((await waiting)["id"], stop["id"])
        await pro.cancel_order(stop["id"], SYMBOL, {"trigger": True})
        await pro.create_order(SYMBOL, "market", "sell", 0.4, None, {"positionSide": "LONG"})


rest()
asyncio.run(sockets())
checks.finish()
