"""The official connector (generated from the vendor's specification): REST and streams, only the base paths replaced.

It checks every answer against the vendor's own models and only logs what does not fit; here that is a failure.
"""

import asyncio
import contextlib
import importlib.metadata
import logging
import time

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api import models

from check import SYMBOL, Checks, Venue, equal, number, off, one, refused, true, wait_until

PACKAGE = "binance-sdk-derivatives-trading-usds-futures"
venue = Venue()
checks = Checks(PACKAGE, importlib.metadata.version(PACKAGE))


class Complaints(logging.Handler):
    """What the connector says about answers that its models do not know."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


complaints = Complaints()
logging.getLogger().addHandler(complaints)
logging.getLogger().setLevel(logging.WARNING)


@contextlib.contextmanager
def step(name):
    with checks.step(name):
        del complaints.said[:]
        yield
        # A parsing error inside a socket's loop is only logged; so is a wrong type in an answer.
        equal(complaints.said, [], "complaints of the connector")


def connected(key=None, secret=None):
    rest = ConfigurationRestAPI(
        api_key=key or venue.key, api_secret=secret or venue.secret, base_path=venue.rest, timeout=5_000)
    return DerivativesTradingUsdsFutures(
        config_rest_api=rest, config_ws_streams=ConfigurationWebSocketStreams(stream_url=venue.ws))


sdk = connected()
api = sdk.rest_api


def plain(model):
    """A model as what it stands for."""
    inner = getattr(model, "actual_instance", None)
    if inner is not None:
        return plain(inner)
    if isinstance(model, list):
        return [plain(row) for row in model]
    return model.to_dict() if hasattr(model, "to_dict") else model


def data(response):
    return plain(response.data())


def last():
    return data(api.symbol_price_ticker_v2(symbol=SYMBOL))["price"]


def off_last(percent):
    return float(off(last(), percent))


def order(side, leg, kind="MARKET", quantity=0.5, **params):
    return api.new_order(symbol=SYMBOL, side=side, position_side=leg, type=kind, quantity=quantity, **params)


def limit(side, leg, price, quantity=0.5, **params):
    return order(side, leg, "LIMIT", quantity, price=price, time_in_force="GTC", **params)


def algo(side, leg, kind, **params):
    return api.new_algo_order(
        algo_type="CONDITIONAL", symbol=SYMBOL, side=side, position_side=leg, type=kind, **params)


def keys():
    """The same account by keys whose private half the exchange never sees."""
    for name in ("ed25519", "rsa"):
        with step(f"requests signed with an {name} key"):
            rest = ConfigurationRestAPI(
                api_key=name + "-key", private_key=f"{venue.keys}/{name}.pem", base_path=venue.rest, timeout=5_000)
            signed = DerivativesTradingUsdsFutures(config_rest_api=rest).rest_api
            for _ in range(4):
                equal(data(signed.futures_account_balance_v3())[0]["asset"], "USDT")
            refused(-2022, signed.new_order, symbol=SYMBOL, side="SELL", position_side="LONG", type="MARKET", quantity=99)


def frames(name, **credentials):
    """The connector's client of the WS-API."""
    config = ConfigurationWebSocketAPI(stream_url=venue.ws + "/ws-fapi/v1", timeout=10_000, **credentials)
    return DerivativesTradingUsdsFutures(config_ws_api=config).websocket_api


async def told(response):
    return plain((await response).data())


async def refused_frame(code, response):
    """The connector logs a refusal and hands it out as if it were an answer."""
    answer = (await response).data()
    equal((answer if isinstance(answer, dict) else plain(answer))["error"]["code"], code)
    complaints.said[:] = [said for said in complaints.said if str(code) not in said]


async def ws_api():
    for name, credentials in (
        ("a shared secret", {"api_key": venue.key, "api_secret": venue.secret}),
        ("an rsa key", {"api_key": "rsa-key", "private_key": f"{venue.keys}/rsa.pem"}),
        ("an ed25519 key", {"api_key": "ed25519-key", "private_key": f"{venue.keys}/ed25519.pem"}),
    ):
        with step(f"WS-API with {name}"):
            api = frames(name, **credentials)
            await api.create_connection()
            far, tag = off_last("-2"), name.split()[1]
            placed = (await told(api.new_order(
                symbol=SYMBOL, side="BUY", type="LIMIT", position_side="LONG", time_in_force="GTC", quantity=0.5,
                price=far, new_client_order_id="frame-" + tag)))["result"]
            equal((placed["status"], placed["clientOrderId"]), ("NEW", "frame-" + tag))
            found = (await told(api.query_order(symbol=SYMBOL, order_id=placed["orderId"])))["result"]
            equal((found["status"], found["avgPrice"]), ("NEW", "0.00"))
            changed = (await told(api.modify_order(
                symbol=SYMBOL, side="BUY", quantity=0.6, price=far, order_id=placed["orderId"])))["result"]
            equal(changed["origQty"], "0.600")
            gone = (await told(api.cancel_order(symbol=SYMBOL, order_id=placed["orderId"])))["result"]
            equal(gone["status"], "CANCELED")
            await refused_frame(-2011, api.cancel_order(symbol=SYMBOL, order_id=placed["orderId"]))
            await refused_frame(-2022, api.new_order(
                symbol=SYMBOL, side="SELL", type="MARKET", position_side="LONG", quantity=99))
            stop = (await told(api.new_algo_order(
                algo_type="CONDITIONAL", symbol=SYMBOL, side="BUY", type="STOP_MARKET", position_side="LONG",
                quantity=0.1, trigger_price=off_last("3"))))["result"]
            equal(stop["algoStatus"], "NEW")
            equal((await told(api.cancel_algo_order(algo_id=stop["algoId"])))["result"]["algoId"], stop["algoId"])
            for ask in (api.futures_account_balance, api.futures_account_balance_v2):
                equal((await told(ask()))["result"][0]["asset"], "USDT")
            for ask in (api.account_information, api.account_information_v2):
                true(number((await told(ask()))["result"]["totalWalletBalance"]) > 0, "wallet")
            for ask in (api.position_information, api.position_information_v2):
                true(isinstance((await told(ask(symbol=SYMBOL)))["result"], list), "positions")
            await told(api.order_book(symbol=SYMBOL, limit=5))
            equal((await told(api.symbol_price_ticker(symbol=SYMBOL)))["result"]["symbol"], SYMBOL)
            best = (await told(api.symbol_order_book_ticker(symbol=SYMBOL)))["result"]
            true(number(best["bidPrice"]) < number(best["askPrice"]) and best["lastUpdateId"] > 0, f"{best}")
            key = (await told(api.start_user_data_stream()))["result"]["listenKey"]
            equal((await told(api.keepalive_user_data_stream()))["result"]["listenKey"], key)
            await api.close_user_data_stream()
            await api.close_connection(close_session=True)


def market_data():
    with step("connectivity, time, exchange information"):
        equal(api.test_connectivity().status, 200)
        true(data(api.check_server_time())["serverTime"] > 0, "server time")
        info = data(api.exchange_information())
        equal(one(info["symbols"], symbol=SYMBOL)["contractType"], "PERPETUAL")
    with step("books, trades, tickers"):
        book = data(api.order_book(symbol=SYMBOL, limit=10))
        equal((len(book["bids"]), len(book["asks"])), (10, 10))
        true(len(data(api.rpi_order_book(symbol=SYMBOL))["bids"]) > 10, "rpi book")
        trades = data(api.recent_trades_list(symbol=SYMBOL, limit=5))
        equal(data(api.old_trades_lookup(symbol=SYMBOL, from_id=trades[1]["id"], limit=2)), trades[1:3])
        equal(len(data(api.compressed_aggregate_trades_list(symbol=SYMBOL, limit=5))), 5)
        day = data(api.ticker24hr_price_change_statistics(symbol=SYMBOL))
        true(number(day["lowPrice"]) <= number(day["lastPrice"]) <= number(day["highPrice"]), f"{day}")
        equal(len(data(api.ticker24hr_price_change_statistics())), 7)
        equal(data(api.symbol_price_ticker(symbol=SYMBOL))["symbol"], SYMBOL)
        equal(len(data(api.symbol_price_ticker())), 7)
        best = data(api.symbol_order_book_ticker(symbol=SYMBOL))
        true(number(best["bidPrice"]) < number(best["askPrice"]), f"{best}")
    with step("klines, mark price, funding, open interest"):
        rows = data(api.kline_candlestick_data(symbol=SYMBOL, interval="5m", limit=4))
        equal([len(row) for row in rows], [12] * 4)
        continuous = data(api.continuous_contract_kline_candlestick_data(
            pair=SYMBOL, contract_type="PERPETUAL", interval="5m", start_time=rows[0][0], limit=2))
        equal(continuous, rows[:2])
        for ask, named in ((api.mark_price_kline_candlestick_data, {"symbol": SYMBOL}),
                           (api.premium_index_kline_data, {"symbol": SYMBOL}),
                           (api.index_price_kline_candlestick_data, {"pair": SYMBOL})):
            equal(len(data(ask(interval="5m", limit=4, **named))), 4)
        equal(data(api.mark_price(symbol=SYMBOL))["symbol"], SYMBOL)
        equal(len(data(api.mark_price())), 7)
        equal(len(data(api.get_funding_rate_history(symbol=SYMBOL, limit=3))), 3)
        equal(data(api.get_funding_rate_info()), [])
        true(number(data(api.open_interest(symbol=SYMBOL))["openInterest"]) > 0, "open interest")
    with step("statistics of the last day"):
        hour = {"period": "1h", "limit": 5}
        for ask in (api.open_interest_statistics, api.long_short_ratio, api.top_trader_long_short_ratio_accounts,
                    api.top_trader_long_short_ratio_positions, api.taker_buy_sell_volume):
            rows = data(ask(symbol=SYMBOL, **hour))
            times = [int(row["timestamp"]) for row in rows]
            equal([b - a for a, b in zip(times, times[1:])], [3_600_000] * 4)
        equal(len(data(api.basis(pair=SYMBOL, contract_type="PERPETUAL", **hour))), 5)
        equal(data(api.quarterly_contract_settlement_price(pair=SYMBOL)), [])
    with step("reference data"):
        equal(data(api.query_index_price_constituents(symbol=SYMBOL))["symbol"], SYMBOL)
        equal(data(api.composite_index_symbol_information())[0]["component"], "baseAsset")
        equal(data(api.asset_index(symbol="ETHUSD"))["symbol"], "ETHUSD")
        true(len(data(api.asset_index())) > 2, "asset indices")
        equal(data(api.query_insurance_fund_balance_snapshot(symbol=SYMBOL))["assets"][0]["asset"], "USDT")
        equal(len(data(api.adl_risk())), 7)
        equal(data(api.adl_risk(symbol=SYMBOL))["adlRisk"], "low")
        true(data(api.trading_schedule())["marketSchedules"], "schedules")


def settings():
    with step("hedge mode, leverage, margin type"):
        equal(data(api.get_current_position_mode())["dualSidePosition"], False)
        equal(data(api.change_position_mode(dual_side_position="true"))["code"], 200)
        refused(-4059, api.change_position_mode, dual_side_position="true")
        equal(data(api.change_initial_leverage(symbol=SYMBOL, leverage=12))["leverage"], 12)
        equal(data(api.change_margin_type(symbol=SYMBOL, margin_type="ISOLATED"))["code"], 200)
        refused(-4046, api.change_margin_type, symbol=SYMBOL, margin_type="ISOLATED")
        equal(data(api.change_margin_type(symbol=SYMBOL, margin_type="CROSSED"))["code"], 200)
        row = data(api.symbol_configuration(symbol=SYMBOL))[0]
        equal((row["leverage"], row["marginType"]), (12, "CROSSED"))
        equal(data(api.futures_account_configuration())["dualSidePosition"], True)
        equal(data(api.notional_and_leverage_brackets())[0]["brackets"][0]["bracket"], 1)
        equal(data(api.get_current_multi_assets_mode())["multiAssetsMargin"], False)
        equal(data(api.get_bnb_burn_status())["feeBurn"], False)
        equal(data(api.toggle_bnb_burn_on_futures_trade(fee_burn="false"))["code"], 200)
        refused(-4171, api.change_multi_assets_mode, multi_assets_margin="false")
        equal(data(api.change_multi_assets_mode(multi_assets_margin="true"))["code"], 200)
        equal(data(api.change_multi_assets_mode(multi_assets_margin="false"))["code"], 200)
        equal(data(api.user_commission_rate(symbol=SYMBOL))["takerCommissionRate"], "0.000500")
        equal({row["limit"] for row in data(api.query_user_rate_limit())}, {300, 1200})


def orders():
    with step("limit order: place, look up, amend, cancel"):
        far = off_last("-2")
        placed = data(limit("BUY", "LONG", far, new_client_order_id="of-1"))
        equal((placed["status"], placed["clientOrderId"], float(placed["price"])), ("NEW", "of-1", far))
        row = data(api.query_current_open_order(symbol=SYMBOL, orig_client_order_id="of-1"))
        equal((row["orderId"], row["avgPrice"]), (placed["orderId"], "0.00"))
        amended = data(api.modify_order(
            symbol=SYMBOL, order_id=placed["orderId"], side="BUY", quantity=0.6, price=far, modify_id=5))
        equal((amended["origQty"], amended["modifyId"], amended["pair"]), ("0.600", 5, SYMBOL))
        record = data(api.get_order_modify_history(symbol=SYMBOL, order_id=placed["orderId"]))
        equal((record[0]["amendment"]["count"], record[0]["amendment"]["modifyId"]), (1, 5))
        equal([o["orderId"] for o in data(api.current_all_open_orders(symbol=SYMBOL))], [placed["orderId"]])
        gone = data(api.cancel_order(symbol=SYMBOL, order_id=placed["orderId"]))
        equal(gone["status"], "CANCELED")
        refused(-2011, api.cancel_order, symbol=SYMBOL, order_id=placed["orderId"])
        equal(data(api.query_order(symbol=SYMBOL, order_id=placed["orderId"]))["status"], "CANCELED")
        refused(-2013, api.query_order, symbol=SYMBOL, order_id=1)
        equal(len(data(api.all_orders(symbol=SYMBOL))), 1)
    with step("market orders on both legs"):
        for side, leg in (("BUY", "LONG"), ("SELL", "SHORT")):
            response = order(side, leg, new_order_resp_type="RESULT")
            filled = data(response)
            equal((filled["status"], filled["executedQty"]), ("FILLED", "0.500"))
        told = {(limit.rateLimitType, limit.intervalNum, limit.interval) for limit in response.rate_limits}
        equal(told, {("REQUEST_WEIGHT", 1, "MINUTE"), ("ORDERS", 10, "SECOND"), ("ORDERS", 1, "MINUTE")})
        legs = {row["positionSide"]: row["positionAmt"] for row in data(api.position_information_v3(symbol=SYMBOL))}
        equal(legs, {"LONG": "0.500", "SHORT": "-0.500"})
        refused(-2022, order, "SELL", "LONG", quantity=0.501)
        data(order("SELL", "LONG", quantity=0.1))
    with step("account, balances, positions in both versions"):
        for account, balance in ((api.account_information_v2, api.futures_account_balance_v2),
                                 (api.account_information_v3, api.futures_account_balance_v3)):
            usdt = one(data(balance()), asset="USDT")
            equal(data(account())["totalWalletBalance"], usdt["balance"])
        second = data(api.position_information_v2(symbol=SYMBOL))
        equal({row["positionSide"]: row["leverage"] for row in second}, {"LONG": "12", "SHORT": "12"})
        ranks = data(api.position_adl_quantile_estimation(symbol=SYMBOL))
        true((ranks[0] if isinstance(ranks, list) else ranks)["symbol"] == SYMBOL, f"{ranks}")
    with step("batch: place, amend, cancel"):
        far, above = off_last("-3"), off_last("3")

        def placed(side, leg, price, name):
            # The model's own default is reduceOnly=FALSE, which hedge mode refuses.
            return models.PlaceMultipleOrdersBatchOrdersParameterInner(
                symbol=SYMBOL, side=side, position_side=leg, type="LIMIT", time_in_force="GTC", quantity=0.1,
                price=price, new_client_order_id=name, reduce_only=None)

        answers = data(api.place_multiple_orders(batch_orders=[
            placed("BUY", "LONG", far, "of-b1"), placed("SELL", "SHORT", above, "of-b2"),
            placed("BUY", "BOTH", far, "of-b3")]))
        equal([a.get("clientOrderId") or a.get("code") for a in answers], ["of-b1", "of-b2", -4061])
        changed = data(api.modify_multiple_orders(batch_orders=[
            models.ModifyMultipleOrdersBatchOrdersParameterInner(
                order_id=answers[0]["orderId"], symbol=SYMBOL, side="BUY", quantity=0.2, price=far)]))
        equal(changed[0]["origQty"], "0.200")
        gone = data(api.cancel_multiple_orders(symbol=SYMBOL, order_id_list=[answers[0]["orderId"], 1]))
        equal([g.get("status") or g.get("code") for g in gone], ["CANCELED", -2011])
        gone = data(api.cancel_multiple_orders(symbol=SYMBOL, orig_client_order_id_list=["of-b2"]))
        equal(gone[0]["status"], "CANCELED")
    with step("cancel all, countdown, test order"):
        data(limit("BUY", "LONG", off_last("-3")))
        equal(data(api.cancel_all_open_orders(symbol=SYMBOL))["code"], 200)
        resting = data(limit("BUY", "LONG", off_last("-4")))
        armed = data(api.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=60_000))
        equal(armed["countdownTime"], "60000")
        wait_until("the countdown", lambda: data(
            api.query_order(symbol=SYMBOL, order_id=resting["orderId"]))["status"] == "CANCELED")
        tested = data(api.test_order(symbol=SYMBOL, side="BUY", position_side="LONG", type="MARKET", quantity=0.5))
        equal(tested["orderId"], 0)
    with step("algo orders: place, list, look up, cancel"):
        stop = data(algo("SELL", "LONG", "STOP_MARKET", quantity=0.4, trigger_price=off_last("-8"),
                         client_algo_id="of-stop", working_type="MARK_PRICE"))
        equal((stop["algoStatus"], stop["clientAlgoId"]), ("NEW", "of-stop"))
        equal([r["algoId"] for r in data(api.current_all_algo_open_orders(symbol=SYMBOL))], [stop["algoId"]])
        equal(data(api.query_algo_order(client_algo_id="of-stop"))["algoId"], stop["algoId"])
        equal(data(api.cancel_algo_order(algo_id=stop["algoId"]))["code"], "200")
        refused(-2011, api.cancel_algo_order, algo_id=stop["algoId"])
        data(algo("BUY", "SHORT", "STOP_MARKET", close_position="true", trigger_price=off_last("9")))
        data(algo("SELL", "LONG", "TAKE_PROFIT", quantity=0.4, trigger_price=off_last("8"), price=off_last("7.5"),
                  time_in_force="GTC"))
        equal(data(api.cancel_all_algo_open_orders(symbol=SYMBOL))["code"], 200)
        equal({r["algoStatus"] for r in data(api.query_all_algo_orders(symbol=SYMBOL))}, {"CANCELED"})
    with step("isolated margin"):
        api.change_margin_type(symbol="SOLUSDT", margin_type="ISOLATED")
        ask = {"symbol": "SOLUSDT", "position_side": "LONG", "type": "MARKET", "quantity": 2}
        data(api.new_order(side="BUY", **ask))
        added = data(api.modify_isolated_position_margin(symbol="SOLUSDT", amount=2.5, type="1", position_side="LONG"))
        equal((added["amount"], added["type"]), (2.5, 1))
        history = data(api.get_position_margin_change_history(symbol="SOLUSDT"))
        equal([(row["amount"], row["type"]) for row in history], [("2.5", 1)])
        data(api.new_order(side="SELL", **ask))
    with step("funding, ledger, trades"):
        venue.until_funding()
        wait_until("funding", lambda: data(api.get_income_history(symbol=SYMBOL, income_type="FUNDING_FEE")))
        ledger = data(api.get_income_history(limit=1000))
        usdt = one(data(api.futures_account_balance_v3()), asset="USDT")
        equal(number(usdt["balance"]), 10_000 + sum(number(row["income"]) for row in ledger), "wallet")
        trades = data(api.account_trade_list(symbol=SYMBOL))
        true(all(number(row["commission"]) > 0 for row in trades), "fees")
        equal(data(api.users_force_orders(symbol=SYMBOL)), [])
        equal(api.futures_trading_quantitative_rules_indicators().status, 200)


def errors():
    with step("errors"):
        refused(-1022, connected(secret="wrong" * 8).rest_api.futures_account_balance_v3)
        refused(-2015, connected(key="a" * 64).rest_api.futures_account_balance_v3)
        refused(-1111, order, "BUY", "LONG", quantity=0.50001)
        refused(-4014, api.new_order, symbol="BTCUSDT", side="BUY", position_side="LONG", type="LIMIT",
                time_in_force="GTC", quantity=0.01,
                price=float(off(data(api.symbol_price_ticker_v2(symbol="BTCUSDT"))["price"], "-1", "1")) + 0.05)
        refused(-4164, order, "BUY", "LONG", quantity=0.001)
        refused(-2019, order, "BUY", "LONG", quantity=300)
        refused(-1106, order, "BUY", "LONG", reduce_only="false")
        refused(-4061, api.new_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.5)
        refused(-1121, api.new_order, symbol="NOPEUSDT", side="BUY", position_side="LONG", type="MARKET", quantity=1)
        refused(-4120, order, "SELL", "LONG", "STOP_MARKET")
        refused(-2021, algo, "SELL", "LONG", "STOP_MARKET", quantity=0.4, trigger_price=off_last("5"))
        refused(-5022, order, "BUY", "LONG", "LIMIT", price=off_last("1"), time_in_force="GTX")


def faults():
    with step("fault: a read is tried again by the connector, an order is not"):
        venue.fault("http_503_internal", method="GET", path="/fapi/v1/openOrders")
        equal(data(api.current_all_open_orders(symbol=SYMBOL)), [])
        before = len(data(api.all_orders(symbol=SYMBOL)))
        venue.fault("http_503_unknown", method="POST", path="/fapi/v1/order", executed=True)
        refused(503, order, "BUY", "LONG", quantity=0.1)
        equal(len(data(api.all_orders(symbol=SYMBOL))), before + 1)


async def first(handle, what, fits=lambda message: True, seconds=15):
    """The first message of a stream that fits; the handle is the connector's own."""
    found = asyncio.get_running_loop().create_future()

    def heard(message):
        if not found.done() and fits(message):
            found.set_result(message)

    handle.on("message", heard)
    try:
        return plain(await asyncio.wait_for(found, seconds))
    except asyncio.TimeoutError:
        raise AssertionError(f"{what}: nothing came in {seconds} s") from None


async def sockets():
    streams = sdk.websocket_streams
    connection = await streams.create_connection()
    true(connection is not None or streams.connections, "no connection")
    lower = SYMBOL.lower()
    plan = [
        ("aggTrade", lambda: streams.aggregate_trade_streams(symbol=lower), "aggTrade"),
        ("markPrice@1s", lambda: streams.mark_price_stream(symbol=lower, update_speed="1s"), "markPriceUpdate"),
        ("kline_1m", lambda: streams.kline_candlestick_streams(symbol=lower, interval="1m"), "kline"),
        ("continuousKline_1m", lambda: streams.continuous_contract_kline_candlestick_streams(
            pair=lower, contract_type="perpetual", interval="1m"), "continuous_kline"),
        ("miniTicker", lambda: streams.individual_symbol_mini_ticker_stream(symbol=lower), "24hrMiniTicker"),
        ("ticker", lambda: streams.individual_symbol_ticker_streams(symbol=lower), "24hrTicker"),
        ("bookTicker", lambda: streams.individual_symbol_book_ticker_streams(symbol=lower), "bookTicker"),
        ("depth", lambda: streams.diff_book_depth_streams(symbol=lower), "depthUpdate"),
        ("depth@100ms", lambda: streams.diff_book_depth_streams(symbol=lower, update_speed="100ms"), "depthUpdate"),
        ("depth5", lambda: streams.partial_book_depth_streams(symbol=lower, levels=5), "depthUpdate"),
        ("depth10@500ms", lambda: streams.partial_book_depth_streams(
            symbol=lower, levels=10, update_speed="500ms"), "depthUpdate"),
        ("depth20@100ms", lambda: streams.partial_book_depth_streams(
            symbol=lower, levels=20, update_speed="100ms"), "depthUpdate"),
    ]
    for name, subscribe, event in plan:
        with step(f"stream by SUBSCRIBE: {name}"):
            handle = await subscribe()
            message = await first(handle, name)
            equal(message["e"], event)
            await handle.unsubscribe()
    with step("streams of all symbols"):
        for subscribe, event in ((streams.mark_price_stream_for_all_market, "markPriceUpdate"),
                                 (streams.all_market_mini_tickers_stream, "24hrMiniTicker"),
                                 (streams.all_market_tickers_streams, "24hrTicker"),
                                 (streams.all_book_tickers_stream, "bookTicker"),
                                 (streams.trading_session_stream, "EquityUpdate")):
            message = await first(await subscribe(), event)
            equal((message[0] if isinstance(message, list) else message)["e"], event)
    with checks.step("fault: a cut socket is told, and a new one takes its streams"):
        closed = asyncio.get_running_loop().create_future()
        streams.on_connection("close", lambda *_: closed.done() or closed.set_result(True))
        venue.fault("cut", path="/market")
        await asyncio.wait_for(closed, 15)
        # This connector opens a lost connection again only when it is told to.
        again = connected().websocket_streams
        await again.create_connection()
        await first(await again.kline_candlestick_streams(symbol=lower, interval="5m"), "the kline")
        await again.close_connection(close_session=True)
    await user_stream(streams)
    await streams.close_connection(close_session=True)


async def user_stream(streams):
    heard = []

    async def event(what, fits, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for message in heard:
                if fits(message):
                    return message
            await asyncio.sleep(0.02)
        raise AssertionError(f"{what} did not come; came: {[m['kind'] for m in heard]}")

    with step("user stream: an order, its fill, the account"):
        key = data(api.start_user_data_stream())["listenKey"]
        handle = await streams.user_data(key)
        # The event's name becomes the model's class.
        handle.on("message", lambda message: heard.append(
            {"kind": type(message.actual_instance).__name__, **plain(message)}))
        await asyncio.sleep(0.5)
        resting = data(limit("BUY", "LONG", off_last("-2"), 0.3))
        await event("NEW", lambda m: m["kind"] == "OrderTradeUpdate" and m["o"]["X"] == "NEW"
                    and m["o"]["i"] == resting["orderId"])
        data(api.cancel_order(symbol=SYMBOL, order_id=resting["orderId"]))
        await event("CANCELED", lambda m: m["kind"] == "OrderTradeUpdate" and m["o"]["X"] == "CANCELED")
        filled = data(order("BUY", "LONG", quantity=0.3, new_order_resp_type="RESULT"))
        told = await event("FILLED", lambda m: m["kind"] == "OrderTradeUpdate" and m["o"]["X"] == "FILLED"
                           and m["o"]["i"] == filled["orderId"])
        equal((told["o"]["ps"], told["o"]["l"], told["o"]["N"]), ("LONG", "0.300", "USDT"))
        account = await event("ACCOUNT_UPDATE", lambda m: m["kind"] == "AccountUpdate")
        equal(account["a"]["m"], "ORDER")
        await event("TRADE_LITE", lambda m: m["kind"] == "TradeLite")
        data(api.change_initial_leverage(symbol=SYMBOL, leverage=11))
        changed = await event("ACCOUNT_CONFIG_UPDATE", lambda m: m["kind"] == "AccountConfigUpdate")
        equal(changed["ac"]["l"], 11)
    with step("user stream: an algo order triggers"):
        with venue.still():
            stop = data(algo("SELL", "LONG", "STOP_MARKET", quantity=0.3, trigger_price=off_last("-0.02")))
        done = await event("FINISHED", lambda m: m["kind"] == "AlgoUpdate" and m["o"]["aid"] == stop["algoId"]
                           and m["o"]["X"] == "FINISHED")
        equal((done["o"]["o"], done["o"]["ps"], done["o"]["aq"]), ("STOP_MARKET", "LONG", "0.300"))
        equal(data(api.keepalive_user_data_stream())["listenKey"], key)
    with step("everything is closed"):
        data(api.cancel_all_open_orders(symbol=SYMBOL))
        for row in data(api.position_information_v3()):
            amount = float(row["positionAmt"])
            if amount == 0:
                continue
            side = "SELL" if amount > 0 else "BUY"
            data(api.new_order(symbol=row["symbol"], side=side, position_side=row["positionSide"], type="MARKET",
                               quantity=abs(amount)))
        equal(data(api.position_information_v3()), [])
        equal(api.close_user_data_stream().status, 200)


market_data()
settings()
orders()
errors()
keys()
faults()


async def everything_else():
    await ws_api()
    await sockets()


asyncio.run(everything_else())
checks.finish()
