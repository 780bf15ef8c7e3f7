"""Who may call before anybody could be registered over the wire: the first administrator, and --dev's callers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4, uuid5

from kho_server.archive.refusal_texts import texts_of
from kho_server.archive.refusals import Refusal
from kho_server.archive.registration_fields import fingerprint, parse_display_name
from kho_server.dev_pki import DevPki
from kho_server.rules.legal_days import legal_day
from kho_storage.blobs.data_folder import DataFolder
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.catalog.database import Database
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.store import find_store
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.errors import StorageError, StoreInUse
from kho_storage.postgres.beside import settings_beside
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres
from kho_storage.records.registry import (
    Actor,
    DatedCode,
    DatedName,
    Grant,
    GrantAction,
    Officer,
    Principal,
    PrincipalKind,
)

_THE_SERVER = Actor(None, None)
_USUAL_REPOSITORY = "H46"
_CONNECTIONS = 2
# Names of what --dev makes: the same at every start, so that what somebody revoked stays revoked.
_DEVELOPMENT = UUID("6b686f00-0000-5000-8000-000000000000")


class BootstrapFailed(ValueError):
    """The administrator could not be registered; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class _DevAgency:
    """An agency of the development server with its officer."""

    agency_id: str
    codes: tuple[str, ...]
    name: str
    officer_id: str
    officer_name: str


_DEV_AGENCIES = (
    _DevAgency("agency-a", ("000.00.16.H46", "H46.01"), "Sở Tư pháp (thử nghiệm)", "officer-a", "Nguyễn Thị Ánh"),
    _DevAgency("agency-b", ("000.00.17.H46", "H46.02"), "Sở Xây dựng (thử nghiệm)", "officer-b", "Trần Văn Bình"),
    _DevAgency("agency-c", ("000.00.18.H46", "H46.03"), "Sở Nội vụ (thử nghiệm)", "officer-c", "Lê Thị Cúc"),
)
_DEV_CALLERS = (
    ("station", PrincipalKind.STATION, "agency-a", "officer-a"),
    ("agency-a", PrincipalKind.AGENCY_SYSTEM, "agency-a", "officer-a"),
    ("agency-b", PrincipalKind.AGENCY_SYSTEM, "agency-b", "officer-b"),
    ("agency-c", PrincipalKind.AGENCY_SYSTEM, "agency-c", "officer-c"),
    ("operator", PrincipalKind.OPERATOR, None, None),
    ("admin", PrincipalKind.ADMINISTRATOR, None, None),
)


async def add_administrator(
    *,
    data: Path,
    certificate: Path,
    display_name: str,
    environment: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> UUID:
    """Register a certificate as administrator in the store of a data folder, and return the principal's id.

    The server may run or not: a running one takes the new administrator at once. A stopped one's own PostgreSQL is
    started for this moment, unless KHO_DATABASE_URL names another; a folder that is not there yet is made for the
    repository KHO_REPOSITORY_ID (H46). An administrator who is registered already keeps its id. BootstrapFailed:
    anything that stands in the way, in plain words. OSError: the certificate cannot be read.
    """
    pem = await asyncio.to_thread(certificate.read_bytes)
    try:
        async with _database(data, environment) as database:
            return await _administrator(PostgresRegistry(database), fingerprint(pem), display_name, now)
    except Refusal as error:
        raise BootstrapFailed(texts_of(error)[1]) from error
    except StorageError as error:
        raise BootstrapFailed(str(error)) from error


async def register_development(registry: RegistryCatalog, pki_folder: Path, now: datetime) -> None:
    """Register the agencies, officers and callers of a development server, and its one grant; idempotent.

    What was changed or revoked since stays as it is.
    """
    pki = DevPki(pki_folder)
    agencies = {dev.agency_id: await _dev_agency(registry, dev, now) for dev in _DEV_AGENCIES}
    for name, kind, agency_id, officer_id in _DEV_CALLERS:
        sha256 = fingerprint(await asyncio.to_thread(pki.certificate(name).read_bytes))
        if await registry.principal_by_certificate(sha256, [], "") is None:
            principal = replace(
                _principal(uuid5(_DEVELOPMENT, sha256), kind, name, sha256, now),
                agency_uuid=agencies[agency_id] if agency_id else None,
                agency_id=agency_id,
                default_officer_id=officer_id,
            )
            await registry.register_principal(principal, _THE_SERVER, now)
    await _dev_grant(registry, agencies["agency-a"], agencies["agency-b"], now)


async def _administrator(registry: RegistryCatalog, sha256: str, name: str, now: datetime | None) -> UUID:
    known = await registry.principal_by_certificate(sha256, [], "")
    if known is not None and known.revoked_at is None:
        if known.kind is PrincipalKind.ADMINISTRATOR:
            return known.principal_id
        raise BootstrapFailed(f"this certificate is registered as {known.kind.value}: use another one, or revoke it")
    at = now or datetime.now(UTC)
    administrator = _principal(uuid4(), PrincipalKind.ADMINISTRATOR, parse_display_name(name), sha256, at)
    return (await registry.register_principal(administrator, _THE_SERVER, at)).principal_id


@asynccontextmanager
async def _database(data: Path, environment: Mapping[str, str]) -> AsyncIterator[Database]:
    """Reach the database of a data folder, whether its server runs or not."""
    async with AsyncExitStack() as stack:
        repository_id = environment.get("KHO_REPOSITORY_ID") or _repository_of(data) or _USUAL_REPOSITORY
        try:
            folder = await asyncio.to_thread(
                DataFolder.open, data, repository_id=repository_id, new_store_id=uuid4, files=DurableFiles()
            )
            stack.callback(folder.close)
            is_running = False
        except StoreInUse:
            is_running = True
        settings = await _settings(data, environment.get("KHO_DATABASE_URL") or None, is_running, stack)
        database = await Database.open(settings.connect_args(), max_connections=_CONNECTIONS)
        stack.push_async_callback(database.close)
        if not is_running:
            async with database.connection() as connection:
                await migrate(connection)
        store, store_id = await find_store(database), _identity_of(data).get("store_id")
        if store is not None and str(store.store_id) != store_id:
            raise BootstrapFailed(
                f"the database belongs to store {store.store_id}, the data folder is store {store_id}: "
                "name the database and the data folder that belong together"
            )
        yield database


async def _settings(data: Path, url: str | None, is_running: bool, stack: AsyncExitStack) -> ConnectionSettings:
    if url is not None:
        try:
            return ConnectionSettings.from_url(url)
        except ValueError as error:
            raise BootstrapFailed(f"KHO_DATABASE_URL: {error}") from error
    if is_running:
        return settings_beside(data / "postgres")
    return (await stack.enter_async_context(EmbeddedPostgres(data / "postgres"))).settings


def _identity_of(data: Path) -> dict[str, object]:
    """Return what store.json says, nothing if there is none; its form is checked by who opens the folder."""
    try:
        found = json.loads((data / "store.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _repository_of(data: Path) -> str | None:
    repository_id = _identity_of(data).get("repository_id")
    return repository_id if isinstance(repository_id, str) else None


def _principal(principal_id: UUID, kind: PrincipalKind, name: str, sha256: str, now: datetime) -> Principal:
    return Principal(
        principal_id=principal_id,
        kind=kind,
        agency_uuid=None,
        agency_id=None,
        display_name=name,
        certificate_sha256=sha256,
        issuer_key_sha256=None,
        subject=None,
        default_officer_id=None,
        valid_from=now,
        valid_to=None,
        revoked_at=None,
    )


async def _dev_agency(registry: RegistryCatalog, dev: _DevAgency, now: datetime) -> UUID:
    agency = await registry.agency(dev.agency_id)
    if agency is None:
        codes = [DatedCode(code, code, None, None) for code in dev.codes]
        names = [DatedName(dev.name, None, None)]
        agency = await registry.register_agency(dev.agency_id, codes, names, _THE_SERVER, now)
    if await registry.officer(agency.agency_uuid, dev.officer_id) is None:
        officer = Officer(agency.agency_uuid, agency.agency_id, dev.officer_id, dev.officer_name, None, None, None)
        await registry.register_officer(officer, _THE_SERVER, now)
    return agency.agency_uuid


async def _dev_grant(registry: RegistryCatalog, grantor: UUID, grantee: UUID, now: datetime) -> None:
    """Grant agency-a's results to agency-b; nothing is ever granted to agency-c."""
    grant = Grant(
        grant_id=uuid5(_DEVELOPMENT, f"{grantor} {grantee}"),
        grantor_uuid=grantor,
        grantor_id="agency-a",
        grantee_uuid=grantee,
        grantee_id="agency-b",
        action=GrantAction.REUSE,
        type_code=None,
        valid_from=legal_day(now),
        valid_to=None,
        ground="Máy chủ thử nghiệm (kho serve --dev)",
        revoked_at=None,
    )
    await registry.add_grant(grant, _THE_SERVER, now)
