"""The offices of the demo: who they are to people, to the server, and on paper; their keys."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyhanko.sign.signers import Signer

from kho.v1 import access_service_pb2, error_reason_pb2, registry_pb2, registry_service_pb2
from kho_client.calls import new_request_id
from kho_client.connection import Connection
from kho_client.errors import line_refusal
from kho_client.kho import KhoClient
from kho_server.dev_pki import DevPki, issue_caller, issue_signer
from kho_station.signing import load_p12
from ops.demo.workload import Desk

COMMUNE = "xa-mau"
_COMMUNE_NAME = "Ủy ban nhân dân xã Mẫu (thử nghiệm)"
_COMMUNE_CODES = ("001.21.05.H46", "H46.21.05")
_COMMUNE_OFFICER = "can-bo-mot-cua"


@dataclass(frozen=True, slots=True)
class Office:
    """One agency with a one-stop desk: `certificate` and `key` are its station's, the signers its people's.

    `superior`, `name`, `place` and `signer_title` are what its papers say.
    """

    desk: Desk
    agency_id: str
    agency_code: str
    certificate: Path
    key: Path
    officer: Signer
    seal: Signer
    superior: str
    name: str
    place: str
    signer_title: str


def province_office(pki: DevPki) -> Office:
    """Return agency-a, which the development server knows already."""
    return Office(
        desk=Desk.PROVINCE,
        agency_id="agency-a",
        agency_code="000.00.16.H46",
        certificate=pki.certificate("station"),
        key=pki.key("station"),
        officer=load_p12(pki.signer("officer")),
        seal=load_p12(pki.signer("agency-a")),
        superior="ỦY BAN NHÂN DÂN TỈNH MẪU",
        name="SỞ TƯ PHÁP",
        place="Tỉnh Mẫu",
        signer_title="GIÁM ĐỐC",
    )


def commune_office(pki: DevPki, folder: Path) -> Office:
    """Make certificates and keys for a commune; nobody at the server knows it yet."""
    now = datetime.now(UTC)
    certificate, key = issue_caller(pki, f"station-{COMMUNE}", folder, now=now)
    signers = {name: folder / f"{name}-{COMMUNE}.p12" for name in ("officer", "seal")}
    issue_signer(pki, "Cán bộ một cửa xã Mẫu (DEVELOPMENT ONLY)", signers["officer"], now=now)
    issue_signer(pki, "UBND xã Mẫu (DEVELOPMENT ONLY)", signers["seal"], now=now)
    return Office(
        desk=Desk.COMMUNE,
        agency_id=COMMUNE,
        agency_code=_COMMUNE_CODES[0],
        certificate=certificate,
        key=key,
        officer=load_p12(signers["officer"]),
        seal=load_p12(signers["seal"]),
        superior="TỈNH MẪU",
        name="ỦY BAN NHÂN DÂN XÃ MẪU",
        place="Xã Mẫu",
        signer_title="TM. ỦY BAN NHÂN DÂN",
    )


async def register_commune(administrator: KhoClient, office: Office) -> int:
    """Register the commune, its officer, its station, and its grant to agency-b; return how many entries.

    KhoError when the server refuses one.
    """
    registry = administrator.registry
    agency = registry_pb2.Agency(
        agency_id=office.agency_id,
        codes=[registry_pb2.DatedText(text=code) for code in _COMMUNE_CODES],
        names=[registry_pb2.DatedText(text=_COMMUNE_NAME)],
    )
    officer = registry_pb2.Officer(
        agency_id=office.agency_id, officer_id=_COMMUNE_OFFICER, display_name="Cán bộ một cửa (mẫu)"
    )
    station = registry_service_pb2.PrincipalRegistration(
        principal=registry_pb2.Principal(
            kind=registry_pb2.PRINCIPAL_KIND_STATION,
            agency_id=office.agency_id,
            display_name="Một cửa xã Mẫu, máy 1",
            default_officer_id=_COMMUNE_OFFICER,
        ),
        certificate=office.certificate.read_bytes(),
    )
    lines = [
        *await registry.register_agencies(
            registry_service_pb2.RegisterAgenciesRequest(request_id=new_request_id(), agencies=[agency])
        ),
        *await registry.register_officers(
            registry_service_pb2.RegisterOfficersRequest(request_id=new_request_id(), officers=[officer])
        ),
        *await registry.register_principals(
            registry_service_pb2.RegisterPrincipalsRequest(request_id=new_request_id(), principals=[station])
        ),
    ]
    for line in lines:
        if line.refusal:
            raise line_refusal(error_reason_pb2.ErrorReason.Name(line.refusal), line.message_vi, line.message_en)
    await administrator.access.add_grant(
        access_service_pb2.AddGrantRequest(
            request_id=new_request_id(),
            grant=access_service_pb2.Grant(
                grantor_agency_id=office.agency_id,
                grantee_agency_id="agency-b",
                action=access_service_pb2.GRANT_ACTION_REUSE,
                ground="Thử nghiệm: cơ quan khác không yêu cầu nộp lại giấy tờ đã số hóa",
            ),
        )
    )
    return len(lines) + 1


def connection_of(office: Office, address: str, pki: DevPki) -> Connection:
    """Return how an office's station connects."""
    return Connection(address, pki.ca, office.certificate, office.key)
