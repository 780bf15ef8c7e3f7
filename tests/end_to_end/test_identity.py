"""Who may call: mutual TLS always, certificates known by name, and the end of those that were revoked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest

from kho.v1 import registry_pb2, registry_service_pb2, server_service_pb2
from tests.clients.cli.kho_process import kho
from tests.end_to_end.caller import Caller, ended, new_id, refusal, refused
from tests.end_to_end.command_line import kho_at
from tests.end_to_end.papers import scanned
from tests.end_to_end.serving import Server
from tests.end_to_end.strangers import Certificates, register, revoke

_UNKNOWN = grpc.StatusCode.UNAUTHENTICATED
_WITHIN_S = 5.0


@pytest.fixture
def certificates(server: Server, tmp_path: Path) -> Certificates:
    """Give a folder for certificates of the server's authority."""
    return Certificates(tmp_path, server.pki)


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Caller]:
    """Speak as the administrator."""
    async with server.caller("admin") as caller:
        yield caller


async def info(caller: Caller, within_s: float = _WITHIN_S) -> server_service_pb2.GetServerInfoResponse:
    """Ask what every caller may ask."""
    return await caller.servers.GetServerInfo(server_service_pb2.GetServerInfoRequest(), timeout=within_s)


@pytest.mark.parametrize("which", ["without", "expired", "foreign"])
async def test_tls_refuses_whom_its_authority_does_not_vouch_for(
    server: Server, certificates: Certificates, which: str
) -> None:
    """No certificate, one that has expired, one of another authority: no call gets through."""
    make = {"expired": certificates.expired, "foreign": certificates.foreign}.get(which)
    name = make(which) if make else None
    pair = (certificates.folder / f"{name}.crt", certificates.folder / f"{name}.key") if name else (None, None)
    async with Caller.connected(server.address, server.pki.ca, *pair) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await info(caller)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_plain_text_is_refused(server: Server) -> None:
    """Without TLS nothing is said, also on loopback."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await info(Caller(channel))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_that_nobody_registered_is_told_so(server: Server, certificates: Certificates) -> None:
    """The right authority is not enough; every service says the same."""
    name = certificates.known_authority("newcomer")
    async with server.caller(name, folder=certificates.folder) as caller:
        await refused(info(caller), _UNKNOWN, "CLIENT_CERTIFICATE_UNKNOWN")
        await refused(caller.begin(scanned(1)), _UNKNOWN, "CLIENT_CERTIFICATE_UNKNOWN")
        await refused(caller.lookup("X-1"), _UNKNOWN, "CLIENT_CERTIFICATE_UNKNOWN")
        await refused(caller.send(scanned(1).messages()[:1]), _UNKNOWN, "CLIENT_CERTIFICATE_UNKNOWN")


async def test_a_registered_caller_is_taken_without_restart(
    server: Server, certificates: Certificates, admin: Caller
) -> None:
    """On the connection that was refused a moment ago, and gone again when revoked."""
    name = certificates.known_authority("desk-2")
    async with server.caller(name, folder=certificates.folder) as caller:
        await refused(info(caller), _UNKNOWN, "CLIENT_CERTIFICATE_UNKNOWN")
        principal_id = await register(admin, certificates, name)
        assert (await info(caller)).caller.display_name == name
        paper = scanned(1)
        await caller.store(paper)
        await revoke(admin, principal_id)
        await refused(info(caller), _UNKNOWN, "CLIENT_CERTIFICATE_REVOKED")
        await refused(caller.document(paper), _UNKNOWN, "CLIENT_CERTIFICATE_REVOKED")


async def test_revoking_ends_open_streams(server: Server, certificates: Certificates, admin: Caller) -> None:
    """An upload and a wait that are open end within five seconds, with the reason; what was acknowledged stays."""
    name = certificates.known_authority("desk-3")
    principal_id = await register(admin, certificates, name)
    paper = scanned(1)
    async with server.caller(name, folder=certificates.folder) as caller:
        await caller.begin(paper)
        call = caller.uploads.UploadParts()
        for message in paper.messages()[:3]:
            await call.write(message)
        acknowledged = (await anext(aiter(call))).progress.persisted_bytes
        await revoke(admin, principal_id)
        async with asyncio.timeout(_WITHIN_S):
            await refused(ended(call), _UNKNOWN, "CLIENT_CERTIFICATE_REVOKED")
    async with server.caller("station") as colleague:
        again = await colleague.begin(paper)
        assert [part.persisted_bytes for part in again.parts] == [acknowledged]


async def test_a_revoked_officer_acts_no_more(server: Server, certificates: Certificates, admin: Caller) -> None:
    """The station stays, the person goes: the next call in that name is refused."""
    officer = registry_pb2.Officer(agency_id="agency-a", officer_id=f"cb-{new_id()[:8]}", display_name="Lê Văn Tám")
    request = registry_service_pb2.RegisterOfficersRequest(request_id=new_id(), officers=[officer])
    (line,) = (await admin.registry.RegisterOfficers(request)).lines
    assert not line.refusal, line.message_en
    async with server.caller("station") as station:
        await station.begin(scanned(1), officer_id=officer.officer_id)
        gone = registry_service_pb2.RevokeOfficerRequest(
            request_id=new_id(), agency_id="agency-a", officer_id=officer.officer_id, reason="Nghỉ việc"
        )
        await admin.registry.RevokeOfficer(gone)
        denied = grpc.StatusCode.PERMISSION_DENIED
        await refused(station.begin(scanned(1), officer_id=officer.officer_id), denied, "OFFICER_NOT_ACCEPTED")


@pytest.mark.parametrize("name", ["station", "agency-b", "operator"])
async def test_only_administrators_register(server: Server, certificates: Certificates, name: str) -> None:
    """Everybody else is refused by kind."""
    certificates.known_authority("desk-4")
    async with server.caller(name) as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await register(caller, certificates, "desk-4")
        refusal(caught.value, grpc.StatusCode.PERMISSION_DENIED, "PRINCIPAL_KIND_NOT_ALLOWED")


async def test_the_first_administrator_comes_from_the_server_itself(own: Callable[..., Server], tmp_path: Path) -> None:
    """`kho principal add --data` beside a running server: the certificate may register others at once."""
    server = own()
    await server.start()
    certificates = Certificates(tmp_path, server.pki)
    name = certificates.known_authority("second-admin")
    async with server.caller(name, folder=tmp_path) as caller:
        await refused(info(caller), _UNKNOWN, "CLIENT_CERTIFICATE_UNKNOWN")
        ran = await kho("principal", "add", "--data", server.data, "--certificate", tmp_path / f"{name}.crt", "--json")
        assert (ran.status, list(ran.answer)) == (0, ["id"]), ran.err
        assert (await info(caller)).caller.kind == registry_pb2.PRINCIPAL_KIND_ADMINISTRATOR
        certificates.known_authority("desk-5")
        await register(caller, certificates, "desk-5")
    again = await kho("principal", "add", "--data", server.data, "--certificate", tmp_path / f"{name}.crt", "--json")
    assert (again.status, again.answer) == (0, ran.answer)


async def test_the_command_line_registers_and_revokes(
    server: Server, certificates: Certificates, tmp_path: Path
) -> None:
    """`kho principal add`, `list` and `revoke` as an administrator types them."""
    name = certificates.known_authority("desk-6")
    certificate = tmp_path / f"{name}.crt"
    arguments = ("--kind", "station", "--agency", "agency-a", "--name", name, "--default-officer", "officer-a")
    added = await kho_at(server, "admin", "principal", "add", *arguments, "--certificate", certificate, "--json")
    assert added.status == 0, added.err
    async with server.caller(name, folder=tmp_path) as caller:
        assert (await info(caller)).caller.display_name == name
        gone = await kho_at(server, "admin", "principal", "revoke", added.answer["id"], "--reason", "Mất máy", "--json")
        assert gone.status == 0, gone.err
        await refused(info(caller), _UNKNOWN, "CLIENT_CERTIFICATE_REVOKED")
    listed = await kho_at(server, "admin", "principal", "list", "--agency", "agency-a", "--json")
    (row,) = [row for row in listed.answer["principals"] if row["principal_id"] == added.answer["id"]]
    assert row["revoked_at"] is not None
