"""The gate that every call passes: request id, identity, limits, errors, metrics, one log line.

In this order: 1. the call is counted in (draining and full servers refuse here); 2. its certificate becomes a
principal; 3. the principal's streams are counted; 4. the servicer works; 5. whatever it raised becomes a status with
details; 6. metrics and log say how it ended. Nothing of an unforeseen error leaves.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

from kho_server import logs
from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason
from kho_server.metrics import UNKNOWN_METHOD, Metrics
from kho_server.rpc.current import set_current_caller
from kho_server.rpc.identity import Identity
from kho_server.rpc.live_calls import LiveCall, LiveCalls
from kho_server.rpc.request_id import request_id_of
from kho_server.rpc.route import Route
from kho_server.rpc.status import REQUEST_ID_KEY, Told, told_of, trailers
from kho_server.rpc.wire import Requests, bounded, readable

_log = logging.getLogger("kho.rpc")

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Found: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Serve: TypeAlias = Callable[..., Any] | None  # None only in handlers of another shape
Work = Callable[[], Awaitable[Any]]

_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})


class Gate(grpc.aio.ServerInterceptor):
    """Stands around every handler of a server."""

    def __init__(self, identity: Identity, live: LiveCalls, metrics: Metrics, *, message_bytes: int) -> None:
        """`message_bytes` is the largest message that is taken."""
        self._identity = identity
        self._live = live
        self._metrics = metrics
        self._message_bytes = message_bytes
        self._handlers: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Found]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Found:
        """Return the handler with the gate around it; a method that nobody serves is gRPC's to refuse."""
        handler = await continuation(handler_call_details)
        if handler is None:
            # The name is a stranger's choice: it gets neither into a label nor into the log.
            self._metrics.rpcs.labels(UNKNOWN_METHOD, grpc.StatusCode.UNIMPLEMENTED.name).inc()
            return None
        method = str(handler_call_details.method)
        known = self._handlers.get(method)
        if known is None or known[0] is not handler:
            known = self._handlers[method] = (handler, self._guarded(Route.of(method, handler), handler))
        return known[1]

    def _guarded(self, route: Route, handler: Handler) -> Handler:
        read = bounded(handler.request_deserializer, self._message_bytes)
        write = handler.response_serializer
        if handler.request_streaming and handler.response_streaming:
            serve = self._answering_many(route, handler.stream_stream)
            return grpc.stream_stream_rpc_method_handler(serve, read, write)
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(self._answering_one(route, handler.stream_unary), read, write)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._answering_many(route, handler.unary_stream), read, write)
        return grpc.unary_unary_rpc_method_handler(self._answering_one(route, handler.unary_unary), read, write)

    def _answering_one(self, route: Route, serve: Serve) -> Callable[..., Any]:
        assert serve is not None

        async def answer(request: Any, context: Context) -> Any:
            async def work() -> Any:
                return await serve(route.requests(request, context, readable, Requests), context)

            return await self._pass(route, context, work)

        return answer

    def _answering_many(self, route: Route, serve: Serve) -> Callable[..., Any]:
        assert serve is not None
        is_generator = inspect.isasyncgenfunction(serve)

        async def answer(request: Any, context: Context) -> None:
            async def work() -> None:
                requests = route.requests(request, context, readable, Requests)
                if not is_generator:
                    await serve(requests, context)
                    return
                # Closed here and now, so that what a generator does at its end is done while its call still lives.
                async with aclosing(serve(requests, context)) as answers:
                    async for message in answers:
                        await context.write(message)

            await self._pass(route, context, work)

        return answer

    async def _pass(self, route: Route, context: Context, work: Work) -> Any:
        started = time.perf_counter()
        request_id = request_id_of(context.invocation_metadata())
        logs.request_id.set(request_id)
        call: LiveCall | None = None
        caller: Caller | None = None
        told: Told | None = None
        cause: BaseException | None = None
        code = grpc.StatusCode.OK
        try:
            with self._live.opened(is_stream=route.is_stream, is_waited_for=route.is_ours) as call:
                caller = Caller(await self._identity.principal(context.auth_context()), request_id)
                self._live.belongs_to(call, caller.principal.principal_id)
                set_current_caller(caller)
                context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
                return await work()
        except asyncio.CancelledError as error:
            if call is None or call.ending is None:
                code = grpc.StatusCode.CANCELLED
                raise
            call.take_back()
            cause, told = error, told_of(call.ending)
        except grpc.aio.AbortError:
            code = _code_of(context)
            raise
        except Exception as error:
            cause, told = error, told_of(error)
        finally:
            if told is not None:
                code = told.code
            self._note(route, caller, code, told, cause, time.perf_counter() - started)
        assert told is not None
        return await context.abort(told.code, told.text_en, trailers(told, request_id))

    def _note(
        self,
        route: Route,
        caller: Caller | None,
        code: grpc.StatusCode,
        told: Told | None,
        cause: BaseException | None,
        seconds: float,
    ) -> None:
        self._metrics.rpcs.labels(route.label, code.name).inc()
        if code in _FAULTS:
            self._metrics.rpc_faults.inc()
        self._metrics.rpc_seconds.labels(route.label).observe(seconds)
        if told is not None and told.reason is Reason.DATA_DAMAGED:
            self._metrics.blobs_damaged.inc()
        facts: dict[str, object] = {"method": route.label, "code": code.name, "seconds": round(seconds, 6)}
        if caller is not None:
            facts["principal"] = str(caller.principal.principal_id)
            facts["agency"] = caller.principal.agency_id
        if told is not None:
            facts["reason"] = told.reason.value
            facts["field"] = told.field
            facts["error"] = type(cause).__name__
        level = logging.INFO if route.is_ours else logging.DEBUG
        if told is not None and told.is_fault:
            _log.error("call failed by a fault of ours", extra={"facts": facts}, exc_info=cause)
        else:
            _log.log(level, "call", extra={"facts": facts})


def _code_of(context: Context) -> grpc.StatusCode:
    """Return the code that a servicer aborted with, which gRPC keeps as a number."""
    number: object = context.code()
    return next((code for code in grpc.StatusCode if number in (code, code.value[0])), grpc.StatusCode.UNKNOWN)
