"""A real Prometheus: its programs, and one that scrapes while a block runs."""

import asyncio
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.operations.watching import ROOT, RULES

_FETCHED = ROOT / ".packages/prometheus"
_START_S = 20.0
_STOP_S = 10.0
_ANSWER_S = 5.0
_LOOK_EVERY_S = 0.02
# It listens before it has read what it stored, and refuses questions until then.
_SERVES = re.compile(r'(?=.*msg="Server is ready to receive web requests).*msg="Listening on" address=(\S+)', re.DOTALL)
# Scrapes and evaluations come fast, so that nobody waits for them.
_SETTINGS = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [{rules}]
scrape_configs:
  - job_name: kho
    static_configs: [{{targets: ["{target}"]}}]
"""


def program(name: str) -> Path:
    """Return `promtool` or `prometheus`; without them nothing here can be judged, so the test fails."""
    found = _FETCHED / name if (_FETCHED / name).exists() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not there: ops/setup/debian.sh ('make packages') fetches it, without root")
    return Path(found)


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it says; AssertionError with that when it is not content."""
    command = [program("promtool"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    address: str

    async def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; AssertionError with Prometheus' own words when it refuses."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"

        def read() -> Any:
            try:
                with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return json.load(error)

        told = await asyncio.to_thread(read)
        assert told["status"] == "success", f"{parameters}: {told['error']}"
        return told["data"]

    async def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the values of an expression now, by labels."""
        answer = await self.ask("query", query=expression)
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in answer["result"]}

    async def value(self, expression: str) -> float:
        """Return the only value of an expression, or 0 when there is none."""
        return sum((await self.query(expression)).values())


@contextmanager
def scraping(target: str, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a server and evaluates our rules while the block runs."""
    settings, log = folder / "prometheus.yml", folder / "prometheus.log"
    settings.write_text(_SETTINGS.format(rules=RULES, target=target))
    command = [str(program("prometheus")), f"--config.file={settings}", f"--storage.tsdb.path={folder / 'series'}"]
    with log.open("wb") as written:
        process = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stdout=written, stderr=written)
    try:
        deadline = time.monotonic() + _START_S
        while not (serves := _SERVES.search(log.read_text("utf-8"))):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(_LOOK_EVERY_S)
        yield Prometheus(serves[1])
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)
