"""What is known of a method before anyone calls it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

_OURS = "/kho.v1."


@dataclass(frozen=True, slots=True)
class Route:
    """A method that the server registered; `label` is its name in metrics and logs."""

    label: str
    is_ours: bool
    has_request_stream: bool
    has_response_stream: bool

    @classmethod
    def of(cls, method: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> "Route":
        """Describe a registered method, named as on the wire: /package.Service/Method."""
        return cls(
            label=method.removeprefix("/"),
            is_ours=method.startswith(_OURS),
            has_request_stream=bool(handler.request_streaming),
            has_response_stream=bool(handler.response_streaming),
        )

    @property
    def is_stream(self) -> bool:
        """Whether either side streams: such calls may stay open."""
        return self.has_request_stream or self.has_response_stream

    def requests(
        self,
        request: Any,
        context: "grpc.aio.ServicerContext[Any, Any]",
        one: Callable[[Any], Any],
        many: Callable[["grpc.aio.ServicerContext[Any, Any]"], Any],
    ) -> Any:
        """Return what a servicer is given: the one request, or the stream of them."""
        return many(context) if self.has_request_stream else one(request)
