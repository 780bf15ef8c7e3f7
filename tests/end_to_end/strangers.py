"""Certificates of callers whom a server must refuse, or learn to know."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kho.v1 import registry_pb2, registry_service_pb2
from kho_server.dev_certificates import CLIENT_PURPOSE, Holder, distinguished_name, issue, tls_key
from kho_server.dev_pki import DevPki, issue_caller
from tests.end_to_end.caller import Caller, new_id


@dataclass(frozen=True)
class Certificates:
    """A folder in which NAME.crt and NAME.key appear."""

    folder: Path
    pki: DevPki

    def known_authority(self, name: str) -> str:
        """Issue a caller by the server's own authority."""
        issue_caller(self.pki, name, self.folder, now=datetime.now(UTC))
        return name

    def expired(self, name: str) -> str:
        """Issue a caller by the server's own authority whose time is over."""
        key = load_pem_private_key(self.pki.ca_key.read_bytes(), None)
        authority = Holder(key, x509.load_pem_x509_certificate(self.pki.ca.read_bytes()))  # type: ignore[arg-type]  # TLS keys are of the kinds that a Holder holds
        return self._issue(name, authority, timedelta(days=-1))

    def foreign(self, name: str) -> str:
        """Issue a caller by an authority that nobody told the server of."""
        subject = distinguished_name("Foreign root", "TEST")
        now = datetime.now(UTC)
        life = (now - timedelta(days=1), now + timedelta(days=1))
        authority = issue(subject, tls_key(), None, usages=("key_cert_sign",), valid=life, is_authority=True)
        return self._issue(name, authority, timedelta(days=1))

    def _issue(self, name: str, authority: Holder, ends_in: timedelta) -> str:
        now = datetime.now(UTC)
        caller = issue(
            distinguished_name(name, "TEST"),
            tls_key(),
            authority,
            usages=("digital_signature",),
            valid=(now - timedelta(days=30), now + ends_in),
            purposes=(CLIENT_PURPOSE,),
        )
        (self.folder / f"{name}.crt").write_bytes(caller.certificate_pem())
        (self.folder / f"{name}.key").write_bytes(caller.key_pem())
        return name


async def register(
    admin: Caller,
    certificates: Certificates,
    name: str,
    *,
    kind: "registry_pb2.PrincipalKind.ValueType" = registry_pb2.PRINCIPAL_KIND_STATION,
    agency: str = "agency-a",
    officer: str = "officer-a",
) -> str:
    """Register a certificate over the wire and return the principal's id."""
    principal = registry_pb2.Principal(kind=kind, agency_id=agency, display_name=name, default_officer_id=officer)
    certificate = (certificates.folder / f"{name}.crt").read_bytes()
    line = registry_service_pb2.PrincipalRegistration(principal=principal, certificate=certificate)
    request = registry_service_pb2.RegisterPrincipalsRequest(request_id=new_id(), principals=[line])
    (answer,) = (await admin.registry.RegisterPrincipals(request)).lines
    assert not answer.refusal, answer.message_en
    return answer.id


async def revoke(admin: Caller, principal_id: str) -> None:
    """Revoke a principal over the wire."""
    request = registry_service_pb2.RevokePrincipalRequest(
        request_id=new_id(), principal_id=principal_id, reason="Mất máy"
    )
    await admin.registry.RevokePrincipal(request)
