"""The registry and grants over real sockets."""

from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from kho.v1 import access_service_pb2 as access
from kho.v1 import error_reason_pb2, registry_pb2
from kho.v1 import registry_service_pb2 as pb
from kho_server.dev_pki import DevPki
from kho_server.rpc.access_codec import access_message
from kho_storage.catalog.database import Database
from kho_storage.records.access import AccessAction, AccessOutcome, AccessRecord, ListedAccess
from tests.server.rpc.refused import Refused
from tests.server.rpc.registry_server import RegistryServer, registry_server

Reasons = error_reason_pb2.ErrorReason


@pytest.fixture
async def server(catalog: Database, pki: DevPki) -> AsyncIterator[RegistryServer]:
    """A server with the callers of a development server."""
    async with registry_server(catalog, pki) as running:
        yield running


async def refusal(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Return status and reason of a refused call."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    refused = Refused.of(error.value)
    assert refused.vietnamese
    return refused.code, refused.info.reason


def agencies(*agency_ids: str, request_id: str = "") -> pb.RegisterAgenciesRequest:
    """Return a request for agencies without codes."""
    lines = [registry_pb2.Agency(agency_id=agency_id) for agency_id in agency_ids]
    return pb.RegisterAgenciesRequest(request_id=request_id or str(uuid4()), agencies=lines)


def grant_request(**changes: Any) -> access.AddGrantRequest:
    """Return a request for a grant of agency-b's results to agency-c."""
    facts: dict[str, Any] = {
        "grantor_agency_id": "agency-b",
        "grantee_agency_id": "agency-c",
        "action": access.GRANT_ACTION_REUSE,
        "ground": "QĐ 12/QĐ-UBND",
    }
    return access.AddGrantRequest(request_id=str(uuid4()), grant=access.Grant(**(facts | changes)))


async def test_lines_are_answered_in_order_in_two_languages(server: RegistryServer) -> None:
    answer = await server.registry().RegisterAgencies(agencies("so-y-te", "Sở Y tế", ""))
    assert [line.id for line in answer.lines] == ["so-y-te", "", ""]
    assert [Reasons.Name(line.refusal) for line in answer.lines] == [
        "ERROR_REASON_UNSPECIFIED",
        "ERROR_REASON_FIELD_MALFORMED",
        "ERROR_REASON_FIELD_REQUIRED",
    ]
    assert answer.lines[1].message_vi.startswith("Thông tin không đúng định dạng")
    assert answer.lines[1].message_en.startswith("This field cannot be read: agency_id")


async def test_a_caller_registered_over_the_wire_may_call_at_once(server: RegistryServer, pki: DevPki) -> None:
    stub = server.registry()
    listed = await stub.ListPrincipals(pb.ListPrincipalsRequest(agency_id="agency-c"))
    (old,) = listed.principals
    assert (await server.registry("agency-c").ListAgencies(pb.ListAgenciesRequest())).agencies
    await stub.RevokePrincipal(
        pb.RevokePrincipalRequest(request_id=str(uuid4()), principal_id=old.principal_id, reason="đổi máy")
    )
    assert await refusal(server.registry("agency-c").ListAgencies(pb.ListAgenciesRequest())) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "CLIENT_CERTIFICATE_REVOKED",
    )
    registration = pb.PrincipalRegistration(
        principal=registry_pb2.Principal(
            kind=registry_pb2.PRINCIPAL_KIND_STATION,
            agency_id="agency-c",
            display_name="quầy 1",
            default_officer_id="officer-c",
        ),
        certificate=pki.certificate("agency-c").read_bytes(),
    )
    answer = await stub.RegisterPrincipals(
        pb.RegisterPrincipalsRequest(request_id=str(uuid4()), principals=[registration])
    )
    assert not answer.lines[0].refusal
    assert (await server.registry("agency-c").ListAgencies(pb.ListAgenciesRequest())).agencies
    listed = await stub.ListPrincipals(pb.ListPrincipalsRequest(agency_id="agency-c"))
    now = {each.principal_id: each for each in listed.principals}[answer.lines[0].id]
    assert (now.kind, now.display_name, now.default_officer_id) == (
        registry_pb2.PRINCIPAL_KIND_STATION,
        "quầy 1",
        "officer-c",
    )
    assert len(now.certificate_sha256) == 64


async def test_the_same_request_twice_does_it_once(server: RegistryServer) -> None:
    stub, request_id = server.registry(), str(uuid4())
    first = await stub.RegisterAgencies(agencies("x", "Y", request_id=request_id))
    events = await server.events()
    assert await stub.RegisterAgencies(agencies("x", "Y", request_id=request_id)) == first
    assert await refusal(stub.RegisterAgencies(agencies("z", request_id=request_id))) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "REQUEST_ID_REUSED",
    )
    grants, asked = server.access(), grant_request()
    grant = (await grants.AddGrant(asked)).grant
    assert (await grants.AddGrant(asked)).grant == grant
    assert await server.events() == events + 1


async def test_only_administrators_change_the_registry(server: RegistryServer) -> None:
    for name in ("station", "agency-a", "operator"):
        stub = server.registry(name)
        officers = [registry_pb2.Officer()]
        for call in (
            stub.RegisterAgencies(agencies("x")),
            stub.RegisterOfficers(pb.RegisterOfficersRequest(request_id=str(uuid4()), officers=officers)),
            stub.RevokeAgency(pb.RevokeAgencyRequest(request_id=str(uuid4()), agency_id="agency-b", reason="x")),
            stub.ListPrincipals(pb.ListPrincipalsRequest()),
        ):
            assert await refusal(call) == (grpc.StatusCode.PERMISSION_DENIED, "PRINCIPAL_KIND_NOT_ALLOWED")


async def test_officers_are_shown_to_their_own_agency(server: RegistryServer) -> None:
    async def seen(name: str, agency_id: str = "") -> list[str]:
        answer = await server.registry(name).ListOfficers(pb.ListOfficersRequest(agency_id=agency_id))
        return [officer.officer_id for officer in answer.officers]

    assert await seen("admin") == ["officer-a", "officer-b", "officer-c"]
    assert await seen("admin", "agency-b") == ["officer-b"]
    assert await seen("station") == await seen("agency-a", "agency-a") == ["officer-a"]
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PRINCIPAL_KIND_NOT_ALLOWED")
    assert await refusal(seen("station", "agency-b")) == denied
    assert await refusal(seen("operator")) == denied


async def test_a_revoked_agency_calls_no_more(server: RegistryServer) -> None:
    request = pb.RevokeAgencyRequest(request_id=str(uuid4()), agency_id="agency-a", reason="sáp nhập")
    await server.registry().RevokeAgency(request)
    for name in ("station", "agency-a"):
        assert (await refusal(server.registry(name).ListAgencies(pb.ListAgenciesRequest())))[1] == (
            "CLIENT_CERTIFICATE_REVOKED"
        )
    listed = await server.registry().ListAgencies(pb.ListAgenciesRequest())
    assert [agency.agency_id for agency in listed.agencies if agency.HasField("revoked_at")] == ["agency-a"]
    unknown = pb.RevokeAgencyRequest(request_id=str(uuid4()), agency_id="agency-9", reason="x")
    assert (await refusal(server.registry().RevokeAgency(unknown)))[0] is grpc.StatusCode.NOT_FOUND


async def test_lists_go_on_where_the_token_says_and_for_nobody_else(server: RegistryServer) -> None:
    stub = server.registry()
    await stub.RegisterAgencies(agencies("d", "e"))
    seen: list[str] = []
    sizes: list[int] = []
    token = ""
    while True:
        answer = await stub.ListAgencies(pb.ListAgenciesRequest(page_size=2, page_token=token))
        seen += [agency.agency_id for agency in answer.agencies]
        sizes.append(len(answer.agencies))
        if not answer.next_page_token:
            break
        token = answer.next_page_token
    assert seen == ["agency-a", "agency-b", "agency-c", "d", "e"]
    assert sizes == [2, 2, 1]
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    for call in (
        server.registry("station").ListAgencies(pb.ListAgenciesRequest(page_size=2, page_token=token)),
        stub.ListOfficers(pb.ListOfficersRequest(page_token=token)),
        stub.ListAgencies(pb.ListAgenciesRequest(page_token=flipped)),
        stub.ListAgencies(pb.ListAgenciesRequest(page_token="not a token")),
        stub.ListAgencies(pb.ListAgenciesRequest(page_token="x" * 5000)),
    ):
        assert await refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
    assert (await refusal(stub.ListAgencies(pb.ListAgenciesRequest(page_size=501))))[1] == "FIELD_MALFORMED"


async def test_a_page_that_ends_with_the_list_has_no_token(server: RegistryServer) -> None:
    answer = await server.registry().ListAgencies(pb.ListAgenciesRequest(page_size=3))
    assert (len(answer.agencies), answer.next_page_token) == (3, "")


async def test_an_agency_grants_sees_and_revokes_its_own(server: RegistryServer) -> None:
    owner = server.access("agency-b")
    grant = (await owner.AddGrant(grant_request(type_code="KQ.G15.000031"))).grant
    assert grant.valid_from
    assert (grant.type_code, grant.ground) == ("KQ.G15.000031", "QĐ 12/QĐ-UBND")
    for name, count in (("agency-b", 2), ("agency-c", 1), ("station", 1), ("admin", 2)):
        assert len((await server.access(name).ListGrants(access.ListGrantsRequest())).grants) == count
    others = grant_request(grantor_agency_id="agency-a")
    assert (await refusal(owner.AddGrant(others)))[1] == "PRINCIPAL_KIND_NOT_ALLOWED"
    revoke = access.RevokeGrantRequest(request_id=str(uuid4()), grant_id=grant.grant_id, reason="hết việc")
    assert await refusal(server.access("agency-c").RevokeGrant(revoke)) == (
        grpc.StatusCode.NOT_FOUND,
        "REGISTRATION_NOT_FOUND",
    )
    await owner.RevokeGrant(revoke)
    (seen,) = (await server.access("agency-c").ListGrants(access.ListGrantsRequest())).grants
    assert seen.HasField("revoked_at")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (access.AddGrantRequest(), "FIELD_REQUIRED"),
        (access.AddGrantRequest(request_id="1"), "FIELD_MALFORMED"),
        (grant_request(action=access.GRANT_ACTION_UNSPECIFIED), "FIELD_REQUIRED"),
        (grant_request(type_code="%"), "CODE_MALFORMED"),
        (grant_request(valid_from="2026-02-30"), "DATE_IMPOSSIBLE"),
        (grant_request(valid_to="2026-01-01"), "DATES_CROSSED"),
        (grant_request(grantee_agency_id="nobody"), "REGISTRATION_NOT_FOUND"),
    ],
)
async def test_a_grant_that_cannot_be(server: RegistryServer, request_: access.AddGrantRequest, reason: str) -> None:
    assert (await refusal(server.access().AddGrant(request_)))[1] == reason


async def test_access_records_of_what_is_not_ones_own_are_not_there(server: RegistryServer) -> None:
    request = access.ListAccessRecordsRequest(document_id=str(uuid4()))
    assert (await refusal(server.access("agency-a").ListAccessRecords(request)))[1] == "DOCUMENT_NOT_FOUND"
    assert (await refusal(server.access("operator").ListAccessRecords(request)))[1] == "PRINCIPAL_KIND_NOT_ALLOWED"
    request = access.ListAccessRecordsRequest(document_id="1")
    assert (await refusal(server.access("agency-a").ListAccessRecords(request)))[1] == "FIELD_MALFORMED"


@pytest.mark.parametrize(("sent", "shown"), [(None, -1), (0, 0), (4096, 4096)])
def test_an_access_record_as_a_message(sent: int | None, shown: int) -> None:
    record = AccessRecord(
        access_id=UUID(int=1),
        at=datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
        principal_id=UUID(int=2),
        agency_uuid=UUID(int=3),
        officer_id="officer-b",
        action=AccessAction.REUSE,
        outcome=AccessOutcome.DISCLOSED,
        document_uuid=UUID(int=4),
        version=1,
        asked=b"\0" * 32,
        dossier_code="000.00.17.H46-261121-0001",
        procedure_code=None,
        request_id="req-0001",
    )
    message = access_message(ListedAccess(record, "agency-b", sent))
    assert (message.agency_id, message.officer_id, message.action, message.outcome, message.bytes_sent) == (
        "agency-b",
        "officer-b",
        "REUSE",
        "DISCLOSED",
        shown,
    )
    assert message.at.ToDatetime(tzinfo=UTC) == record.at
