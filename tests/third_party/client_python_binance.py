"""python-binance, REST (Client) and sockets (BinanceSocketManager), unmodified: only the base addresses are replaced."""

import asyncio
import importlib.metadata
import json
import time

from binance import AsyncClient, BinanceSocketManager, Client

from check import SYMBOL, Checks, Venue, equal, fields, number, off, one, refused, true, wait_until, whole

venue = Venue()
checks = Checks("python-binance", importlib.metadata.version("python-binance"))
Client.FUTURES_URL = AsyncClient.FUTURES_URL = venue.rest + "/fapi"
Client.FUTURES_DATA_URL = AsyncClient.FUTURES_DATA_URL = venue.rest + "/futures/data"
BinanceSocketManager.FSTREAM_URL = venue.ws + "/"

client = Client(venue.key, venue.secret, ping=False)


def last():
    return client.futures_symbol_ticker(symbol=SYMBOL)["price"]


def order(side, leg, kind="MARKET", quantity="0.500", **params):
    return client.futures_create_order(
        symbol=SYMBOL, side=side, positionSide=leg, type=kind, quantity=quantity, **params)


def limit(side, leg, price, quantity="0.500", **params):
    return order(side, leg, "LIMIT", quantity, price=price, timeInForce="GTC", **params)


def leg(side):
    rows = client.futures_position_information(symbol=SYMBOL)
    return number(one(rows, positionSide=side)["positionAmt"]) if any(r["positionSide"] == side for r in rows) else 0


def market_data():
    with checks.step("ping, time, exchange information"):
        equal(client.futures_ping(), {})
        whole(client.futures_time()["serverTime"])
        info = client.futures_exchange_info()
        eth = one(info["symbols"], symbol=SYMBOL)
        equal((eth["contractType"], eth["status"], eth["pricePrecision"]), ("PERPETUAL", "TRADING", 2))
        kinds = {f["filterType"] for f in eth["filters"]}
        true({"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE"} <= kinds, f"{kinds}")
        equal({r["rateLimitType"] for r in info["rateLimits"]}, {"REQUEST_WEIGHT", "ORDERS"})
    with checks.step("book, trades and tickers"):
        book = client.futures_order_book(symbol=SYMBOL, limit=20)
        true(number(book["bids"][0][0]) < number(book["asks"][0][0]), "the book is crossed")
        true(len(client.futures_rpi_depth(symbol=SYMBOL)["bids"]) > 20, "rpi depth")
        refused(-4021, client.futures_order_book, symbol=SYMBOL, limit=7)
        trades = client.futures_recent_trades(symbol=SYMBOL, limit=10)
        fields(trades[0], id=int, price=str, qty=str, quoteQty=str, time=int, isBuyerMaker=bool)
        old = client.futures_historical_trades(symbol=SYMBOL, fromId=trades[2]["id"], limit=3)
        equal(old, trades[2:5])
        aggregated = client.futures_aggregate_trades(symbol=SYMBOL, limit=10)
        fields(aggregated[0], a=int, p=str, q=str, f=int, l=int, T=int, m=bool)
        again = client.futures_aggregate_trades(symbol=SYMBOL, fromId=aggregated[4]["a"], limit=2)
        equal(again, aggregated[4:6])
        day = client.futures_ticker(symbol=SYMBOL)
        true(number(day["lowPrice"]) <= number(day["lastPrice"]) <= number(day["highPrice"]), f"{day}")
        equal(len(client.futures_ticker()), 7)
        best = client.futures_orderbook_ticker(symbol=SYMBOL)
        true(number(best["bidPrice"]) < number(best["askPrice"]), f"{best}")
    with checks.step("klines of every kind"):
        rows = client.futures_klines(symbol=SYMBOL, interval="15m", limit=5)
        equal([len(row) for row in rows], [12] * 5)
        equal({b[0] - a[0] for a, b in zip(rows, rows[1:])}, {900_000})
        whole(rows[0][8])
        same = client.futures_continuous_klines(
            pair=SYMBOL, contractType="PERPETUAL", interval="15m", startTime=rows[0][0], limit=3)
        equal(same, rows[:3])
        mark = client.futures_mark_price_klines(symbol=SYMBOL, interval="15m", startTime=rows[0][0], limit=3)
        index = client.futures_index_price_klines(pair=SYMBOL, interval="15m", startTime=rows[0][0], limit=3)
        equal(mark, index)
        equal([number(row[4]) for row in mark], [number(row[4]) for row in rows[:3]])
        premium = client.futures_premium_index_klines(symbol=SYMBOL, interval="15m", limit=3)
        equal({row[4] for row in premium}, {"0.00000000"})
        refused(-1120, client.futures_klines, symbol=SYMBOL, interval="2m")
        refused(-1130, client.futures_klines, symbol=SYMBOL, interval="1m", limit=1501)
    with checks.step("mark price, funding rate, open interest"):
        mark = client.futures_mark_price(symbol=SYMBOL)
        fields(mark, markPrice=str, indexPrice=str, lastFundingRate=str, nextFundingTime=int, time=int)
        rates = client.futures_funding_rate(symbol=SYMBOL, limit=3)
        equal({b["fundingTime"] - a["fundingTime"] for a, b in zip(rates, rates[1:])}, {8 * 3_600_000})
        true(float(client.futures_open_interest(symbol=SYMBOL)["openInterest"]) > 0, "open interest")
        history = client.futures_open_interest_hist(symbol=SYMBOL, period="1h", limit=3)
        equal({b["timestamp"] - a["timestamp"] for a, b in zip(history, history[1:])}, {3_600_000})
        for ask in (client.futures_global_longshort_ratio, client.futures_top_longshort_account_ratio,
                    client.futures_top_longshort_position_ratio):
            for row in ask(symbol=SYMBOL, period="1h", limit=3):
                fields(row, longShortRatio=str, longAccount=str, shortAccount=str, timestamp=int)


def settings():
    with checks.step("hedge mode"):
        equal(client.futures_get_position_mode(), {"dualSidePosition": False})
        equal(client.futures_change_position_mode(dualSidePosition="true")["code"], 200)
        refused(-4059, client.futures_change_position_mode, dualSidePosition="true")
    with checks.step("leverage, margin type, symbol settings"):
        answer = client.futures_change_leverage(symbol=SYMBOL, leverage=15)
        equal((answer["leverage"], answer["symbol"]), (15, SYMBOL))
        refused(-4028, client.futures_change_leverage, symbol=SYMBOL, leverage=0)
        equal(client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED")["code"], 200)
        refused(-4046, client.futures_change_margin_type, symbol=SYMBOL, marginType="ISOLATED")
        equal(client.futures_change_margin_type(symbol=SYMBOL, marginType="CROSSED")["code"], 200)
        row = client.futures_symbol_config(symbol=SYMBOL)[0]
        equal((row["leverage"], row["marginType"], row["isAutoAddMargin"]), (15, "CROSSED", False))
        equal(client.futures_account_config()["dualSidePosition"], True)
        bracket = client.futures_leverage_bracket(symbol=SYMBOL)[0]["brackets"][0]
        fields(bracket, bracket=int, initialLeverage=int, notionalCap=(int, float), maintMarginRatio=float)
        equal(client.futures_get_multi_assets_mode(), {"multiAssetsMargin": False})
        refused(-4171, client.futures_change_multi_assets_mode, False)
        equal(client.futures_change_multi_assets_mode(True)["code"], 200)
        equal(client.futures_change_multi_assets_mode(False)["code"], 200)
        rate = client.futures_commission_rate(symbol=SYMBOL)
        equal((rate["makerCommissionRate"], rate["takerCommissionRate"]), ("0.000200", "0.000500"))


def orders():
    with checks.step("limit order: place, look up, amend, cancel"):
        far = off(last(), "-2")
        placed = limit("BUY", "LONG", far, newClientOrderId="pb-1")
        fields(placed, orderId=int, updateTime=int, reduceOnly=bool, price=str, origQty=str, goodTillDate=int)
        equal((placed["status"], placed["price"], placed["positionSide"]), ("NEW", far, "LONG"))
        equal("avgPrice" in placed, False)
        refused(-4116, limit, "BUY", "LONG", far, newClientOrderId="pb-1")
        row = client.futures_get_order(symbol=SYMBOL, origClientOrderId="pb-1")
        equal((row["orderId"], row["avgPrice"], row["cumQuote"]), (placed["orderId"], "0.00", "0.00000000"))
        nearer = off(far, "0.5")
        amended = client.futures_modify_order(
            symbol=SYMBOL, orderId=placed["orderId"], side="BUY", quantity="0.400", price=nearer)
        equal((amended["orderId"], amended["price"], amended["origQty"]), (placed["orderId"], nearer, "0.400"))
        refused(-5027, client.futures_modify_order,
                symbol=SYMBOL, orderId=placed["orderId"], side="BUY", quantity="0.400", price=nearer)
        equal([o["orderId"] for o in client.futures_get_open_orders(symbol=SYMBOL)], [placed["orderId"]])
        gone = client.futures_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
        equal((gone["status"], gone["executedQty"]), ("CANCELED", "0.000"))
        refused(-2011, client.futures_cancel_order, symbol=SYMBOL, orderId=placed["orderId"])
        refused(-2013, client.futures_get_order, symbol=SYMBOL, orderId=1)
    with checks.step("market orders on both legs"):
        for side, on in (("BUY", "LONG"), ("SELL", "SHORT")):
            filled = order(side, on, newOrderRespType="RESULT")
            equal((filled["status"], filled["executedQty"], filled["reduceOnly"]), ("FILLED", "0.500", False))
        equal((str(leg("LONG")), str(leg("SHORT"))), ("0.500", "-0.500"))
        acknowledged = order("SELL", "LONG", quantity="0.100")
        equal((acknowledged["status"], acknowledged["executedQty"]), ("NEW", "0.000"), "an ACK")
        equal(str(leg("LONG")), "0.400")
        refused(-2022, order, "SELL", "LONG", quantity="0.401")
    with checks.step("account, balances, positions"):
        rows = client.futures_position_information(symbol=SYMBOL)
        fields(one(rows, positionSide="LONG"), entryPrice=str, unRealizedProfit=str, notional=str, updateTime=int)
        second = client.futures_position_information(symbol=SYMBOL, version=2)
        equal({r["positionSide"] for r in second}, {"LONG", "SHORT"})
        equal((second[0]["leverage"], second[0]["marginType"], second[0]["isAutoAddMargin"]), ("15", "cross", "false"))
        for version in (2, 3):
            usdt = one(client.futures_account_balance(version=version), asset="USDT")
            true(number(usdt["availableBalance"]) < number(usdt["balance"]), f"{usdt}")
            account = client.futures_account(version=version)
            equal(number(account["totalWalletBalance"]), number(usdt["balance"]))
        true(client.futures_adl_quantile_estimate(symbol=SYMBOL)[0]["adlQuantile"]["LONG"] in range(5), "ADL rank")
    with checks.step("batch: place, cancel by id and by client id"):
        far, above = off(last(), "-3"), off(last(), "3")
        common = {"symbol": SYMBOL, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.100"}
        answers = client.futures_place_batch_order(batchOrders=[
            {**common, "side": "BUY", "positionSide": "LONG", "price": far, "newClientOrderId": "pb-b1"},
            {**common, "side": "SELL", "positionSide": "SHORT", "price": above, "newClientOrderId": "pb-b2"},
            {**common, "side": "BUY", "price": far, "newClientOrderId": "pb-b3"},
        ])
        equal([a.get("clientOrderId", a.get("code")) for a in answers], ["pb-b1", "pb-b2", -4061])
        gone = client.futures_cancel_orders(symbol=SYMBOL, orderidlist=[answers[0]["orderId"], 1])
        equal([g.get("status", g.get("code")) for g in gone], ["CANCELED", -2011])
        gone = client.futures_cancel_orders(symbol=SYMBOL, origclientorderidlist=["pb-b2"])
        equal([g["status"] for g in gone], ["CANCELED"])
    with checks.step("cancel all, countdown, test order"):
        limit("BUY", "LONG", off(last(), "-3"))
        equal(client.futures_cancel_all_open_orders(symbol=SYMBOL)["code"], 200)
        equal(client.futures_get_open_orders(symbol=SYMBOL), [])
        resting = limit("BUY", "LONG", off(last(), "-4"))
        equal(client.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=60_000)["countdownTime"], "60000")
        wait_until("the countdown", lambda: client.futures_get_order(
            symbol=SYMBOL, orderId=resting["orderId"])["status"] == "CANCELED")
        tested = client.futures_create_test_order(
            symbol=SYMBOL, side="BUY", positionSide="LONG", type="MARKET", quantity="0.500")
        equal(tested["orderId"], 0)
        refused(-2019, client.futures_create_test_order,
                symbol=SYMBOL, side="BUY", positionSide="LONG", type="MARKET", quantity="300")
    with checks.step("algo orders: place, list, look up, cancel"):
        stop = order("SELL", "LONG", "STOP_MARKET", "0.400", stopPrice=off(last(), "-8"), clientAlgoId="pb-stop")
        equal((stop["algoStatus"], stop["orderType"], stop["clientAlgoId"]), ("NEW", "STOP_MARKET", "pb-stop"))
        rows = client.futures_get_open_algo_orders(symbol=SYMBOL)
        equal([(r["algoId"], r["actualOrderId"]) for r in rows], [(stop["algoId"], "")])
        equal(client.futures_get_open_orders(symbol=SYMBOL), [])
        equal(client.futures_get_algo_order(clientAlgoId="pb-stop")["algoId"], stop["algoId"])
        gone = client.futures_cancel_algo_order(algoId=stop["algoId"])
        equal((gone["code"], gone["msg"], gone["algoId"]), ("200", "success", stop["algoId"]))
        refused(-2011, client.futures_cancel_algo_order, algoId=stop["algoId"])
        trailing = client.futures_create_algo_order(
            symbol=SYMBOL, side="SELL", positionSide="LONG", type="TRAILING_STOP_MARKET",
            quantity="0.400", callbackRate="5")
        equal(trailing["callbackRate"], "5")
        whole_leg = client.futures_create_algo_order(
            symbol=SYMBOL, side="BUY", positionSide="SHORT", type="STOP_MARKET", closePosition="true",
            triggerPrice=off(last(), "9"), workingType="MARK_PRICE")
        equal(whole_leg["closePosition"], True)
        equal(client.futures_cancel_all_algo_open_orders(symbol=SYMBOL)["code"], 200)
        equal(client.futures_get_open_algo_orders(symbol=SYMBOL), [])
        refused(-2021, order, "SELL", "LONG", "STOP_MARKET", "0.400", stopPrice=off(last(), "5"))
    with checks.step("funding, ledger, trades"):
        venue.until_funding()
        rows = wait_until("funding", lambda: client.futures_income_history(symbol=SYMBOL, incomeType="FUNDING_FEE"))
        # The long leg is smaller than the short one: what one pays the other gets, and a rest remains.
        equal(len(rows) in (1, 2), True, "funding rows")
        ledger = client.futures_income_history(limit=1000)
        total = sum(number(row["income"]) for row in ledger)
        wallet = number(one(client.futures_account_balance(), asset="USDT")["balance"])
        equal(wallet, 10_000 + total, "wallet")
        trades = client.futures_account_trades(symbol=SYMBOL)
        fields(trades[0], id=int, orderId=int, price=str, realizedPnl=str, commission=str, buyer=bool, maker=bool)
        true(all(number(t["commission"]) > 0 for t in trades), "fees are positive")
        equal(client.futures_liquidation_orders(), [])
        equal(client.futures_api_trading_status()["indicators"], {})
    with checks.step("isolated margin"):
        client.futures_change_margin_type(symbol="ADAUSDT", marginType="ISOLATED")
        client.futures_create_order(symbol="ADAUSDT", side="BUY", positionSide="LONG", type="MARKET", quantity="500")
        added = client.futures_change_position_margin(symbol="ADAUSDT", positionSide="LONG", amount="3", type=1)
        equal((added["code"], added["amount"], added["type"]), (200, 3, 1))
        history = client.futures_position_margin_history(symbol="ADAUSDT")
        equal([(r["amount"], r["type"], r["positionSide"]) for r in history], [("3", 1, "LONG")])
        refused(-4054, client.futures_change_position_margin,
                symbol="ADAUSDT", positionSide="SHORT", amount="3", type=1)
        client.futures_create_order(symbol="ADAUSDT", side="SELL", positionSide="LONG", type="MARKET", quantity="500")


def errors():
    with checks.step("errors"):
        refused(-1022, Client(venue.key, "wrong" * 8, ping=False).futures_account_balance)
        refused(-2015, Client("a" * 64, venue.secret, ping=False).futures_account_balance)
        late = Client(venue.key, venue.secret, ping=False)
        late.timestamp_offset = -60_000
        refused(-1021, late.futures_account_balance)
        near = off(last(), "-1")
        refused(-1111, order, "BUY", "LONG", quantity="0.50001")
        refused(-4014, client.futures_create_order, symbol="BTCUSDT", side="BUY", positionSide="LONG", type="LIMIT",
                timeInForce="GTC", quantity="0.010",
                price=off(client.futures_symbol_ticker(symbol="BTCUSDT")["price"], "-1", "1") + ".05")
        refused(-4164, order, "BUY", "LONG", quantity="0.001")
        refused(-4016, limit, "BUY", "LONG", off(last(), "6"))
        refused(-2019, order, "BUY", "LONG", quantity="300")
        refused(-1106, order, "BUY", "LONG", reduceOnly="true")
        refused(-4061, client.futures_create_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.5")
        refused(-4060, order, "BUY", "UP")
        refused(-1121, client.futures_create_order,
                symbol="NOPEUSDT", side="BUY", positionSide="LONG", type="MARKET", quantity="1")
        refused(-1102, client.futures_create_order, symbol=SYMBOL, side="BUY", positionSide="LONG", type="MARKET")
        refused(-5022, order, "BUY", "LONG", "LIMIT", price=off(last(), "1"), timeInForce="GTX")
        refused(-5021, order, "BUY", "LONG", "LIMIT", price=near, timeInForce="FOK")
        refused(-4067, lambda: (limit("BUY", "LONG", off(last(), "-4")),
                                client.futures_change_position_mode(dualSidePosition="false")))
        client.futures_cancel_all_open_orders(symbol=SYMBOL)
        refused(-4068, client.futures_change_position_mode, dualSidePosition="false")
    with checks.step("rate-limit headers"):
        order("BUY", "LONG")
        headers = client.response.headers
        true(int(headers["x-mbx-order-count-10s"]) >= 1 and int(headers["x-mbx-order-count-1m"]) >= 1, f"{headers}")
        true(headers["x-mbx-used-weight-1m"].isdigit(), f"{headers}")
        order("SELL", "LONG")


async def first(socket, seconds=15):
    """The first message that bears data."""
    async with socket as stream:
        while True:
            message = await asyncio.wait_for(stream.recv(), seconds)
            if not (isinstance(message, dict) and message.get("e") == "error"):
                return message


async def sockets():
    # `AsyncClient.create` would ping the spot venue first.
    asynchronous = AsyncClient(venue.key, venue.secret)
    manager = BinanceSocketManager(asynchronous)
    try:
        await market_sockets(manager)
        await multiplexed(manager)
        await user_socket(manager, asynchronous)
    finally:
        await asynchronous.close_connection()


async def market_sockets(manager):
    s = SYMBOL
    plan = [
        ("aggTrade", lambda: manager.aggtrade_futures_socket(s), "aggTrade", dict(a=int, p=str, q=str, m=bool, st=int)),
        ("markPrice@1s", lambda: manager.symbol_mark_price_socket(s), "markPriceUpdate", dict(p=str, i=str, r=str, T=int)),
        ("markPrice", lambda: manager.symbol_mark_price_socket(s, fast=False), "markPriceUpdate", dict(p=str, ap=str)),
        ("bookTicker", lambda: manager.symbol_ticker_futures_socket(s), "bookTicker", dict(u=int, b=str, B=str, a=str, A=str)),
        ("ticker", lambda: manager.individual_symbol_ticker_futures_socket(s), "24hrTicker", dict(c=str, n=int, O=int, P=str)),
        ("depth10", lambda: manager.futures_depth_socket(s, depth="10"), "depthUpdate", dict(b=list, a=list, u=int, pu=int)),
    ]
    for name, socket, event, kinds in plan:
        with checks.step(f"stream: {name}"):
            message = await first(socket())
            data = message["data"]
            equal((data["e"], data["s"]), (event, s))
            true(message["stream"].startswith(s.lower() + "@"), message["stream"])
            fields(data, **kinds)
    with checks.step("stream: continuousKline"):
        data = await first(manager.kline_futures_socket(s, interval="1m"))
        data = data.get("data", data)
        equal((data["e"], data["ps"], data["ct"]), ("continuous_kline", s, "PERPETUAL"))
        fields(data["k"], t=int, o=str, c=str, n=int, x=bool)
    with checks.step("streams of all symbols: markPrice, bookTicker, ticker"):
        marks = (await first(manager.all_mark_price_socket()))["data"]
        equal(len(marks), 7)
        best = (await first(manager.all_ticker_futures_socket()))["data"]
        equal(best["e"], "bookTicker")
        tickers = (await first(manager.all_ticker_futures_socket("!ticker@arr")))["data"]
        equal(tickers[0]["e"], "24hrTicker")


async def multiplexed(manager):
    """Every other stream, by `?streams=`."""
    lower = SYMBOL.lower()
    for category, names in (
        ("public", ["depth", "depth@100ms", "depth@500ms", "rpiDepth@500ms", "depth5", "depth10@100ms", "depth20@500ms",
                    "bookTicker"]),
        ("market", ["aggTrade", "markPrice", "markPrice@1s", "kline_1m", "kline_15m", "kline_1d", "ticker", "miniTicker"]),
    ):
        with checks.step(f"streams by ?streams= on /{category}"):
            wanted = {f"{lower}@{name}" for name in names}
            seen = {}
            socket = manager.futures_multiplex_socket(sorted(wanted), category=category)
            async with socket as stream:
                end = time.monotonic() + 20
                while wanted - set(seen) and time.monotonic() < end:
                    message = await asyncio.wait_for(stream.recv(), 15)
                    seen[message["stream"]] = message["data"]
            equal(wanted - set(seen), set(), "silent streams")
            tops = {n: len(seen[f"{lower}@{n}"]["b"]) for n in ("depth5", "depth10@100ms") if f"{lower}@{n}" in seen}
            equal(tops, {"depth5": 5, "depth10@100ms": 10} if category == "public" else {})
    with checks.step("a stream on the wrong route is silent"):
        async with manager.futures_multiplex_socket([f"{lower}@kline_1m"], category="public") as stream:
            try:
                message = await asyncio.wait_for(stream.recv(), 3)
            except asyncio.TimeoutError:
                message = None
        equal(message, None)


async def user_socket(manager, asynchronous):
    events = []

    async def listen(stream):
        while True:
            message = await stream.recv()
            if message:
                events.append(message)

    async def event(what, fits, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for message in events:
                if fits(message):
                    return message
            await asyncio.sleep(0.02)
        kinds = [(m.get("e"), m.get("o", {}).get("X")) for m in events]
        raise AssertionError(f"{what} did not come; came: {json.dumps(kinds)[:300]}")

    def update(client_id, status):
        return lambda m: m["e"] == "ORDER_TRADE_UPDATE" and m["o"]["c"] == client_id and m["o"]["X"] == status

    async with manager.futures_user_socket() as stream:
        listener = asyncio.ensure_future(listen(stream))
        with checks.step("user stream: a resting order"):
            far = off(last(), "-2")
            await asynchronous.futures_create_order(
                symbol=SYMBOL, side="BUY", positionSide="LONG", type="LIMIT", timeInForce="GTC", quantity="0.300",
                price=far, newClientOrderId="pb-u1")
            o = (await event("NEW", update("pb-u1", "NEW")))["o"]
            fields(o, s=str, q=str, p=str, i=int, t=int, m=bool, R=bool, ps=str, T=int, si=int, rp=str, er=str)
            equal((o["x"], o["p"], o["q"], o["ps"], o["ap"]), ("NEW", far, "0.300", "LONG", "0.00"))
            await asynchronous.futures_modify_order(
                symbol=SYMBOL, origClientOrderId="pb-u1", side="BUY", quantity="0.200", price=far)
            await event("AMENDMENT", lambda m: m["e"] == "ORDER_TRADE_UPDATE" and m["o"]["x"] == "AMENDMENT")
            await asynchronous.futures_cancel_order(symbol=SYMBOL, origClientOrderId="pb-u1")
            equal((await event("CANCELED", update("pb-u1", "CANCELED")))["o"]["x"], "CANCELED")
        with checks.step("user stream: a fill is told three times, in order"):
            del events[:]
            await asynchronous.futures_create_order(
                symbol=SYMBOL, side="BUY", positionSide="LONG", type="MARKET", quantity="0.300",
                newClientOrderId="pb-u2")
            filled = await event("FILLED", update("pb-u2", "FILLED"))
            kinds = [m["e"] for m in events if m["e"] != "ORDER_TRADE_UPDATE" or m["o"]["x"] == "TRADE"]
            equal(kinds[:3], ["TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"])
            lite, account = one(events, e="TRADE_LITE"), one(events, e="ACCOUNT_UPDATE")
            equal((lite["t"], lite["i"], lite["L"]), (filled["o"]["t"], filled["o"]["i"], filled["o"]["L"]))
            true(number(filled["o"]["n"]) > 0 and filled["o"]["N"] == "USDT", "the fee")
            equal(account["a"]["m"], "ORDER")
            equal((account["a"]["P"][0]["ps"], account["a"]["P"][0]["mt"]), ("LONG", "cross"))
        with checks.step("user stream: leverage"):
            await asynchronous.futures_change_leverage(symbol=SYMBOL, leverage=12)
            changed = await event("ACCOUNT_CONFIG_UPDATE", lambda m: m["e"] == "ACCOUNT_CONFIG_UPDATE")
            equal(changed["ac"], {"s": SYMBOL, "l": 12})
        with checks.step("user stream: an algo order from NEW to FINISHED"):
            def algo(status):
                return lambda m: m["e"] == "ALGO_UPDATE" and m["o"]["caid"] == "pb-u3" and m["o"]["X"] == status
            size = str(leg("LONG"))
            with venue.still():
                await asynchronous.futures_create_algo_order(
                    symbol=SYMBOL, side="SELL", positionSide="LONG", type="STOP_MARKET", quantity=size,
                    triggerPrice=off(last(), "-0.02"), clientAlgoId="pb-u3")
            new = (await event("NEW", algo("NEW")))["o"]
            equal((new["o"], new["ps"], new["ai"], new["at"]), ("STOP_MARKET", "LONG", "", "CONDITIONAL"))
            triggered = (await event("TRIGGERED", algo("TRIGGERED")))["o"]
            finished = (await event("FINISHED", algo("FINISHED")))["o"]
            equal((finished["aq"], finished["ai"]), (size, triggered["ai"]))
            child = (await event("the child's fill", lambda m: m["e"] == "ORDER_TRADE_UPDATE"
                                 and m["o"]["X"] == "FILLED" and str(m["o"]["i"]) == finished["ai"]))["o"]
            equal((child["R"], child["ot"]), (True, "STOP_MARKET"))
        with checks.step("fault: events that come twice or late, and a socket that is cut"):
            del events[:]
            venue.fault("duplicate", count=1)
            await asynchronous.futures_create_order(
                symbol=SYMBOL, side="BUY", positionSide="LONG", type="MARKET", quantity="0.300",
                newClientOrderId="pb-u4")
            await event("FILLED", update("pb-u4", "FILLED"))
            texts = [json.dumps(m, sort_keys=True) for m in events]
            equal(len(texts) - len(set(texts)), 1, "events that came twice")
            venue.fault("cut", path="/private")
            far = off(last(), "-3")
            await event("the client's own word of the cut", lambda m: m["e"] == "error")

            async def heard(number_of_try):
                name = f"pb-u5-{number_of_try}"
                await asynchronous.futures_create_order(
                    symbol=SYMBOL, side="BUY", positionSide="LONG", type="LIMIT", timeInForce="GTC",
                    quantity="0.100", price=far, newClientOrderId=name)
                try:
                    return await event("NEW", update(name, "NEW"), seconds=2)
                except AssertionError:
                    return None

            back = None
            for number_of_try in range(10):
                back = back or await heard(number_of_try)
            true(back is not None, "the user stream did not come back")
            client.futures_cancel_all_open_orders(symbol=SYMBOL)
            order("SELL", "LONG", quantity=str(leg("LONG")))
        with checks.step("user stream: the key is kept alive, ends, and expires"):
            key = await asynchronous.futures_stream_get_listen_key()
            await asynchronous.futures_stream_keepalive(key)
            venue.clock(speed=1800)
            expired = await event("listenKeyExpired", lambda m: m["e"] == "listenKeyExpired")
            venue.clock(speed=60)
            equal(expired["listenKey"], key)
            refused(-1125, client.futures_stream_keepalive, key)
            fresh = client.futures_stream_get_listen_key()
            true(fresh != key, "a new key after the old one expired")
            equal(client.futures_stream_close(fresh), {})
            refused(-1125, client.futures_stream_keepalive, fresh)
        listener.cancel()
    with checks.step("everything is closed"):
        if leg("SHORT"):
            order("BUY", "SHORT", quantity=str(-leg("SHORT")))
        equal(client.futures_position_information(), [])


market_data()
settings()
orders()
errors()
asyncio.run(sockets())
checks.finish()
