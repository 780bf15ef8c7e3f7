"""`kho serve`: from settings to a running server, and from every failure to one plain line and an exit status."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

# gRPC's core prints remarks on failed handshakes of strangers, and reads this when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from kho_server.app import App
from kho_server.config import Config
from kho_server.dev_pki import DevPkiError
from kho_server.logs import json_logs
from kho_server.rpc.tls import TlsUnusable
from kho_server.setting import CannotListen, ConfigError
from kho_server.verification.errors import VerifierUnavailable
from kho_storage.errors import StorageError

if TYPE_CHECKING:
    from kho_server.ready_file import Ready

DONE = 0
REFUSED = 1
_REFUSALS = (StorageError, TlsUnusable, DevPkiError, CannotListen, VerifierUnavailable, OSError)
_DEVELOPMENT = """\
========================================================================================
 DEVELOPMENT SERVER / MÁY CHỦ THỬ NGHIỆM: certificates and rights are made up, private
 keys lie unencrypted in {pki}.
 NEVER put real documents here. KHÔNG đưa tài liệu thật vào đây.
========================================================================================"""


def run_serve(flags: argparse.Namespace | Mapping[str, Any], *, as_json: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or 1 when the server cannot start, having said why.

    `flags` holds settings by their names in Config (None: not given); KHO_* variables fill in. ConfigError: a setting
    is missing or cannot be used. `as_json` writes addresses and errors as JSON.
    """
    given = vars(flags) if isinstance(flags, argparse.Namespace) else dict(flags)
    config = Config.read(given, os.environ)
    with json_logs(config.log_level):
        try:
            return asyncio.run(_serve(config, as_json=as_json))
        except ConfigError:
            raise
        except _REFUSALS as error:
            _complain(f"{error}", type(error).__name__, as_json=as_json)
            return REFUSED


async def _serve(config: Config, *, as_json: bool) -> int:
    app = App(config)
    told_to_stop = asyncio.Event()
    in_a_hurry = asyncio.Event()

    def stop() -> None:
        if told_to_stop.is_set():
            in_a_hurry.set()
        told_to_stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    starting = asyncio.ensure_future(app.start())
    waiting = asyncio.ensure_future(told_to_stop.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return DONE
    try:
        _announce(starting.result(), as_json=as_json)
        await waiting
    finally:
        waiting.cancel()
        await _stop(app, in_a_hurry)
    return DONE


async def _stop(app: App, in_a_hurry: asyncio.Event) -> None:
    """Stop with the time that open calls have; a second signal takes it away."""
    stopping = asyncio.ensure_future(app.stop())
    hurry = asyncio.ensure_future(in_a_hurry.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        app.hurry()
    hurry.cancel()
    await stopping


def _announce(ready: "Ready", *, as_json: bool) -> None:
    if ready.pki is not None:
        sys.stderr.write(_DEVELOPMENT.format(pki=ready.pki) + "\n")
        sys.stderr.flush()
    if as_json:
        sys.stdout.write(ready.json() + "\n")
    else:
        sys.stdout.write(f"Kho serves at {ready.grpc} (gRPC, mutual TLS); metrics at http://{ready.ops}/metrics\n")
    sys.stdout.flush()


def _complain(text: str, name: str, *, as_json: bool) -> None:
    """Say why the server does not start: words for people, the class of the error for machines."""
    if as_json:
        vietnamese = f"Máy chủ Kho không khởi động được: {text}"
        error = {
            "code": "FAILED_PRECONDITION",
            "reason": "SERVER_CANNOT_START",
            "message": {"vi": vietnamese, "en": text},
            "retryable": False,
            "retry_after_s": None,
            "metadata": {"error": name},
            "request_id": None,
        }
        sys.stderr.write(json.dumps({"error": error}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"kho serve: không khởi động được / cannot start: {text}\n")
    sys.stderr.flush()
