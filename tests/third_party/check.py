"""Steps that assert, and a summary: what every client's script is made of."""

import contextlib
import decimal
import json
import os
import sys
import time
import traceback
import urllib.request

SYMBOL = "ETHUSDT"
# Twenty minutes of venue time pass in as many seconds of ours, and nothing here should take longer.
PATIENCE_S = 25.0


class Venue:
    """The simulated exchange as its ready line describes it, and its clock."""

    def __init__(self):
        self.rest = os.environ["SIM_REST"]
        self.ws = os.environ["SIM_WS"]
        self.key = os.environ["SIM_API_KEY"]
        self.secret = os.environ["SIM_API_SECRET"]
        self.keys = os.environ.get("SIM_KEYS", "")

    def clock(self, **change):
        request = urllib.request.Request(
            self.rest + "/sim/clock",
            data=json.dumps(change).encode(),
            headers={"content-type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def fault(self, fault, method=None, path=None, **more):
        """Arms a fault of the exchange; without a place it befalls everything of its kind."""
        match = {name: value for name, value in (("method", method), ("path", path)) if value}
        body = json.dumps({"fault": fault, "match": match, **more}).encode()
        request = urllib.request.Request(self.rest + "/sim/faults", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["id"]

    def force(self, by, leg, qty=None):
        """Lets the exchange take a leg away."""
        body = {"symbol": SYMBOL, "position_side": leg, "by": by, **({"qty": qty} if qty else {})}
        request = urllib.request.Request(self.rest + "/sim/force", data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def get(self, path):
        with urllib.request.urlopen(self.rest + path, timeout=10) as answer:
            return json.load(answer)

    @contextlib.contextmanager
    def still(self):
        """Prices stand still inside; orders are matched all the same."""
        self.clock(paused=True)
        try:
            yield
        finally:
            self.clock(paused=False)

    def until_funding(self):
        """Lets the venue's clock run over the next settlement, then at its usual pace again."""
        due = self.get("/fapi/v1/premiumIndex?symbol=" + SYMBOL)["nextFundingTime"]
        self.clock(speed=7200)
        wait_until("the settlement", lambda: self.get("/fapi/v1/time")["serverTime"] > due + 60_000)
        self.clock(speed=60)
        return due


class Checks:
    """Runs steps one after the other; a step that fails does not keep the next one from running."""

    def __init__(self, client, version):
        self.client, self.version = client, version
        self.passed, self.failed = 0, []
        print(f"== {client} {version}", flush=True)

    @contextlib.contextmanager
    def step(self, name):
        started = time.monotonic()
        try:
            yield
        except Exception as error:  # whatever a client throws is a failed step
            where = next(
                (f for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename.startswith(HERE)),
                None,
            )
            line = f"{os.path.basename(where.filename)}:{where.lineno}: " if where else ""
            text = " ".join(str(error).split())[:400]
            print(f"FAIL {name}: {line}{type(error).__name__}: {text}", flush=True)
            self.failed.append(name)
        else:
            print(f"ok   {name} ({time.monotonic() - started:.1f} s)", flush=True)
            self.passed += 1

    def finish(self):
        verdict = "ok" if not self.failed else "FAIL: " + "; ".join(self.failed)
        steps = self.passed + len(self.failed)
        print(f"{self.client} {self.version}: {self.passed} of {steps} steps, {verdict}", flush=True)
        sys.stdout.flush()
        # Some clients leave threads behind that would keep the process alive.
        os._exit(1 if self.failed else 0)


HERE = os.path.dirname(os.path.abspath(__file__))


def equal(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what or 'value'} is {found!r}, expected {expected!r}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def number(value):
    """A decimal that must have travelled as text."""
    true(isinstance(value, str), f"{value!r} is not text")
    return decimal.Decimal(value)


def whole(value):
    true(isinstance(value, int) and not isinstance(value, bool), f"{value!r} is not an integer")
    return value


def fields(row, **kinds):
    """Every named field is there and of its kind."""
    for name, kind in kinds.items():
        true(name in row, f"{name} is missing in {row}")
        value = row[name]
        good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        true(good, f"{name} is {value!r}, expected {kind}")
    return row


def refused(code, call, *args, **kwargs):
    """The call fails and its error names the venue's code."""
    try:
        answer = call(*args, **kwargs)
    except Exception as error:  # every client has its own
        texts = [str(error)] + [str(getattr(error, name, "")) for name in ("code", "status_code", "error_code")]
        true(any(str(code) in text for text in texts), f"expected {code}, got {type(error).__name__}: {error}")
        return error
    raise AssertionError(f"expected {code}, but it was accepted: {answer!r}"[:300])


def wait_until(what, ready, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {patience_s:.0f} s")
        time.sleep(0.1)


def off(price, percent, tick="0.01"):
    """A price that many percent away, on the grid, as text."""
    moved = decimal.Decimal(price) * (100 + decimal.Decimal(percent)) / 100
    return str(moved.quantize(decimal.Decimal(tick)))


def one(rows, **wanted):
    """The only row with these values."""
    found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    true(len(found) == 1, f"expected one row with {wanted}, found {len(found)} of {len(rows)}")
    return found[0]
