"""The use cases of who is who and who may what, put together."""

from kho.v1.access_service_pb2_grpc import add_AccessServiceServicer_to_server
from kho.v1.registry_service_pb2_grpc import add_RegistryServiceServicer_to_server
from kho_server.archive.granting import Granting
from kho_server.archive.once import Once
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.registration import Registration
from kho_server.archive.registry_lists import RegistryLists
from kho_server.archive_room import ArchiveRoom, House
from kho_server.document_room import page_tokens
from kho_server.rpc.access import AccessServicer
from kho_server.rpc.registry import RegistryServicer


def add_registry(house: House, room: ArchiveRoom, own: OwnDocuments) -> None:
    """Build the use cases of the registry and put their servicers into the room."""
    index, clock = house.index, house.clock

    def changed() -> None:
        house.registry_changed()
        index.sequencer.notify()

    once = Once(index.answers, clock)
    tokens = page_tokens(house)
    registration = Registration(index.registry, clock, changed)
    registry = RegistryServicer(registration, RegistryLists(index.registry), once, tokens)
    access = AccessServicer(Granting(index.registry, clock, changed), own, once, tokens)
    room.servicers |= {
        "kho.v1.RegistryService": lambda server: add_RegistryServiceServicer_to_server(registry, server),
        "kho.v1.AccessService": lambda server: add_AccessServiceServicer_to_server(access, server),
    }
