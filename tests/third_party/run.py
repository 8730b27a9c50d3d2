#!/usr/bin/env python3
"""Starts the simulated exchange once per client and lets unmodified third-party clients trade on it.

    python3 run.py --exchange-sim PATH [--venv FOLDER] [--client NAME ...]

Every client gets an environment of its own with the pinned packages (the package index is asked for them the first
time) and a fresh exchange. Each step prints `ok` or `FAIL`; the last lines are one summary per client. The exit code is
1 when any step failed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Not a secret: the fixed pair that the simulator accepts when it is given no other.
DEMO_SECRET = "simulatedSecretOpensNothingRealOnlyTheSimulatorOnThisMachine0001"
# client: script, requirements, environment of the exchange
CLIENTS = {
    "ccxt": ("client_ccxt.py", "requirements.txt", "mainnet"),
    "python-binance": ("client_python_binance.py", "requirements.txt", "mainnet"),
    "official": ("client_official.py", "requirements.txt", "mainnet"),
    # It knows the un-routed socket addresses only, which mainnet no longer serves.
    "official-older": ("client_official_older.py", "requirements-older.txt", "demo"),
}
# Clients that sign with private keys, too.
SIGN_WITH_KEYS = {"client_official.py"}
# A client takes one to two minutes; one that hangs is stopped.
LONGEST_S = 600


def environment(folder, requirements):
    """The interpreter of an environment that has exactly what the file asks for."""
    home = folder / Path(requirements).stem
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = (HERE / requirements).read_text()
    stamp = home / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"== installing {requirements}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / requirements],
            check=True,
        )
        stamp.write_text(wanted)
    return python


def drive(python, script, exchange_sim, exchange_environment):
    """One client on one exchange; its output goes through, its last line and exit code come back."""
    arguments = ["--venue", "binance", "--speed", "60", "--environment", exchange_environment, "--seed", "7"]
    with tempfile.TemporaryDirectory(prefix="hedge-third-party-") as folder:
        if script in SIGN_WITH_KEYS:
            subprocess.run([python, HERE / "make_keys.py", folder], check=True)
            arguments += ["--api-key-file", str(Path(folder) / "keys.json")]
        return drive_on(arguments, folder, python, script, exchange_sim)


def drive_on(arguments, folder, python, script, exchange_sim):
    exchange = subprocess.Popen([exchange_sim, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(exchange.stdout.readline() or "{}")
        if "rest" not in ready:
            raise SystemExit(f"{exchange_sim} did not start")
        variables = {
            **os.environ,
            "SIM_REST": ready["rest"],
            "SIM_WS": ready["ws"],
            "SIM_API_KEY": ready["api_key"],
            "SIM_API_SECRET": DEMO_SECRET,
            "SIM_KEYS": folder,
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        client = subprocess.Popen(
            [python, HERE / script], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        summary = f"{script}: no summary"
        too_long = threading.Timer(LONGEST_S, client.kill)
        too_long.start()
        try:
            for line in client.stdout:
                print(line, end="", flush=True)
                summary = line.strip() or summary
            return summary, client.wait()
        finally:
            too_long.cancel()
            client.kill()
    finally:
        exchange.terminate()
        exchange.wait(timeout=10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exchange-sim", required=True, type=Path, help="the program hedge-exchange-sim")
    parser.add_argument("--venv", type=Path, default=HERE.parent.parent / "target" / "third-party", help="folder for the environments")
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only this one; may be repeated")
    chosen = parser.parse_args()
    results = []
    for name in chosen.client or CLIENTS:
        script, requirements, exchange_environment = CLIENTS[name]
        python = environment(chosen.venv, requirements)
        results.append(drive(python, script, chosen.exchange_sim, exchange_environment))
    print("== summary")
    for summary, _ in results:
        print(summary)
    sys.exit(1 if any(code for _, code in results) else 0)


if __name__ == "__main__":
    main()
