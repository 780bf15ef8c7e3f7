"""grpc.health.v1 that tells the truth: what this server can do now, by service.

The whole ("") and every service are NOT_SERVING while the database is silent or takes no records of access, and while
the server drains. A disk below its reserve stops UploadService alone: reading goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from grpc_health.v1._async import HealthServicer  # public as `health.aio`, but typed only under this name
from grpc_health.v1.health_pb2 import HealthCheckResponse

UPLOADS = "kho.v1.UploadService"


@dataclass(frozen=True, slots=True)
class Condition:
    """What the probe found."""

    database_answers: bool
    disk_has_room: bool
    is_draining: bool = False
    takes_records: bool = True

    @property
    def is_ready(self) -> bool:
        """Whether the server does its main work."""
        return self.database_answers and self.takes_records and not self.is_draining


class Health:
    """The health servicer and what it says."""

    def __init__(self) -> None:
        """Know nothing yet: not serving."""
        self.servicer = HealthServicer()
        self._services: tuple[str, ...] = ("",)
        self.condition = Condition(database_answers=False, disk_has_room=False)

    def know(self, services: Iterable[str]) -> None:
        """Take over the names of the services that are served; what is not among them is NOT_FOUND."""
        self._services = ("", *services)

    async def say(self, condition: Condition) -> None:
        """Take a condition over; watchers hear of what changed."""
        self.condition = condition
        for service in self._services:
            serves = condition.is_ready and (service != UPLOADS or condition.disk_has_room)
            status = HealthCheckResponse.SERVING if serves else HealthCheckResponse.NOT_SERVING
            await self.servicer.set(service, status)

    async def drain(self) -> None:
        """Say NOT_SERVING for good."""
        self.condition = replace(self.condition, is_draining=True)
        await self.servicer.enter_graceful_shutdown()
