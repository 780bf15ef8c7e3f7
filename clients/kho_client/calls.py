"""Makes calls over one channel: repeats them by the retry rule and says in words why they failed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from grpc import aio

from kho_client.certificate_check import explain_unreachable
from kho_client.connection import Connection, open_channel
from kho_client.errors import KhoError, ServerUnreachable, from_rpc_error
from kho_client.retry import QUICK, REAL, Patience, Retry, Surroundings

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


def new_request_id() -> str:
    """Return a UUID for a request that may be repeated."""
    return str(uuid4())


class Calls:
    """One open channel and what is needed to use it well; close it when done."""

    def __init__(
        self,
        connection: Connection,
        *,
        patience: Patience = QUICK,
        surroundings: Surroundings = REAL,
        now: Now = utc_now,
    ) -> None:
        """Open the channel (nothing travels yet); LocalProblem when a certificate file cannot be read."""
        self.connection = connection
        self.channel = open_channel(connection)
        self.patience = patience
        self.surroundings = surroundings
        self._now = now

    async def close(self) -> None:
        """Close the channel; calls that still run are cancelled."""
        await self.channel.close()

    async def unary(
        self,
        method: aio.UnaryUnaryMultiCallable[RequestT, ResponseT],
        request: RequestT,
        *,
        timeout_s: float = 20.0,
        retry: Retry | None = None,
    ) -> ResponseT:
        """Ask until there is an answer or patience is over; the request goes out unchanged each time.

        Raises KhoError. A changing request carries its request id, so that repeating does the thing once.
        """
        waits = retry or self.retry()
        while True:
            try:
                return await method(request, timeout=timeout_s)
            except aio.AioRpcError as error:
                await waits.wait_after(await self.understood(error))

    async def repeated(self, attempt: Callable[[], Awaitable[ResponseT]], retry: Retry) -> ResponseT:
        """Run an attempt of several steps until it succeeds or patience is over."""
        while True:
            try:
                return await attempt()
            except aio.AioRpcError as error:
                await retry.wait_after(await self.understood(error))
            except KhoError as error:
                await retry.wait_after(error)

    async def understood(self, error: aio.AioRpcError) -> KhoError:
        """Translate an error; when no connection came about, look for a certificate to blame."""
        known = from_rpc_error(error)
        if isinstance(known, ServerUnreachable) and known.code == "UNAVAILABLE":
            return await explain_unreachable(self.connection, known, self._now())
        return known

    def retry(self, patience: Patience | None = None) -> Retry:
        """Begin to be patient."""
        return Retry(patience or self.patience, self.surroundings)
