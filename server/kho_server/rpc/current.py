"""The caller of the call that the current task serves."""

from contextvars import ContextVar

from kho_server.archive.caller import Caller

_caller: ContextVar[Caller] = ContextVar("kho_caller")


def current_caller() -> Caller:
    """Return who calls; LookupError outside a call that the gate let in."""
    return _caller.get()


def set_current_caller(caller: Caller) -> None:
    """Say who calls, for this task alone: each call is served by a task of its own."""
    _caller.set(caller)
