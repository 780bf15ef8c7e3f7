"""Documents from their manifests, where no event tells of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

from kho_server.keeping.finding import Finding
from kho_server.keeping.store_layout import blob_path
from kho_server.rules.public_code import PublicCode
from kho_server.rules.text import matching_key
from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.digest import Digest
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor

_THE_SERVER = Actor(None, None)
_REASON = "rebuilt from its manifest; no event told of it"
_SIGNED = "signed"


class ManifestRebuilder:
    """Brings back what only manifests know. `versions` counts them."""

    def __init__(self, database: Database, data: Path, at: datetime) -> None:
        """Work on a database into which all events have come; `at` is the instant of the rebuild."""
        self._database = database
        self._data = data
        self._at = at
        self._sql = statements("keeping")
        self.versions = 0

    async def bring(self) -> AsyncIterator[Finding]:
        """Go through all manifests and yield what cannot be brought back, or came back in part."""
        originals_first = await asyncio.to_thread(lambda: sorted(self._unread(), key=_copies_last))
        for _, versions in groupby(originals_first, key=lambda path: path.parent):
            async for finding in self._document(list(versions)):
                yield finding

    def _unread(self) -> list[Path]:
        """Return the paths of all manifests; a name takes some 300 bytes of memory."""
        root = self._data / "manifests"
        if not root.is_dir():
            return []
        return [path for path in root.glob("*/*/v*.json") if len(path.parent.name) == 36]

    async def _document(self, paths: list[Path]) -> AsyncIterator[Finding]:
        attempts: dict[int, list[tuple[Path, bytes, dict[str, Any]]]] = {}
        for path in paths:
            name = str(path.relative_to(self._data))
            try:
                data = await asyncio.to_thread(path.read_bytes)
                facts = json.loads(data)
                commit = UUID(facts["sealed"]["commit_id"])
                attempts.setdefault(int(facts["version"]), []).append((path, data, facts))
            except (OSError, ValueError, KeyError, TypeError):
                yield Finding("manifest_damaged", name, "it cannot be read: this version does not come back")
                continue
            row = await self._database.fetch_one(self._sql["manifest_of_commit"], commit)
            if row is not None and row["manifest_sha256"] != Digest.of(data).sha256:
                yield Finding("manifest_damaged", name, "it does not hash to the digest in its event")
        for version in sorted(attempts):
            # At most one attempt was acknowledged, and then no later one was made.
            path, data, facts = max(attempts[version], key=lambda attempt: str(attempt[2]["sealed"]["at"]))
            for finding in await self._version(path, data, facts):
                yield finding

    async def _version(self, path: Path, data: bytes, facts: dict[str, Any]) -> list[Finding]:
        name = str(path.relative_to(self._data))
        found = [
            Finding("blob_missing", blob_path(part["sha256"]), f"{name} needs it")
            for part in facts["parts"]
            if not (self._data / blob_path(part["sha256"])).exists()
        ]
        try:
            async with self._database.transaction() as connection:
                known = await connection.fetchval(self._sql["newest_version"], UUID(facts["document_uuid"])) or 0
                if facts["version"] <= known:
                    return found
                if facts["version"] != known + 1:
                    return [*found, Finding("manifest_missing", name, "the version before it is gone: it stays out")]
                await self._record(connection, data, facts)
        except (Conflict, ValueError, KeyError, TypeError) as error:
            return [*found, Finding("manifest_refused", name, f"it does not fit the others: {type(error).__name__}")]
        self.versions += 1
        return found

    async def _record(self, connection: Connection, data: bytes, facts: dict[str, Any]) -> None:
        declared, agency = facts["declaration"], facts["agency"]
        payload = _payload(data, facts)
        if facts["version"] > 1:
            await self._event(connection, "version_restored", facts["document_uuid"], payload)
            return
        await self._agency(connection, agency["agency_uuid"], agency["agency_id"])
        result = declared["result"]
        if result is not None:
            await self._agency(connection, result["issuer_uuid"], f"restored-{result['issuer_uuid'][:13]}")
            await self._code(connection, facts)
            result = {name: value for name, value in result.items() if name != "given_code"}
            result["code_key"] = matching_key(facts["code"]["code"])
        original = declared["copy_of"] and await connection.fetchval(
            self._sql["document_of_client"],
            UUID(agency["agency_uuid"]),
            UUID(declared["copy_of"]),
        )
        whole = {**declared, "result": result, "copy_of": str(original) if original else None}
        await self._event(connection, "document_restored", facts["document_uuid"], whole | payload)

    async def _agency(self, connection: Connection, agency_uuid: str, agency_id: str) -> None:
        """Register an agency of which no event tells, without codes and names: administrators know them."""
        if await connection.fetchval(self._sql["is_agency"], UUID(agency_uuid)):
            return
        said = {"agency_uuid": agency_uuid, "agency_id": agency_id, "codes": [], "names": []}
        event = NewEvent("agency", agency_uuid, "agency_registered", _THE_SERVER, self._at, said, _REASON)
        await record(connection, event)

    async def _code(self, connection: Connection, facts: dict[str, Any]) -> None:
        """Take the document's code for it, unless an event has; its place in a series is not known any more."""
        agency_uuid, document_id = facts["agency"]["agency_uuid"], facts["document_id"]
        if await connection.fetchval(self._sql["has_code"], UUID(agency_uuid), UUID(document_id)):
            return
        code = facts["code"]["code"]
        said = {
            "agency_uuid": agency_uuid,
            "document_id": document_id,
            "code": code,
            "key": matching_key(code),
            "public_code": PublicCode.parse(facts["code"]["public_code"]).key,
            "prefix_key": matching_key(code),
            "sequence": None,
        }
        await record(connection, NewEvent("document", document_id, "code_taken", _THE_SERVER, self._at, said, _REASON))

    async def _event(self, connection: Connection, kind: str, document_uuid: str, said: dict[str, Any]) -> None:
        await record(connection, NewEvent("document", document_uuid, kind, _THE_SERVER, self._at, said, _REASON))


def _payload(data: bytes, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the event of sealing would have said of this version (catalog/seal_json.py)."""
    sealed, digest = facts["sealed"], Digest.of(data)
    return {
        "document_uuid": facts["document_uuid"],
        "agency_uuid": facts["agency"]["agency_uuid"],
        "document_id": facts["document_id"],
        "needs_verification": any(part["role"] == _SIGNED for part in facts["parts"]),
        "version": {
            "version": facts["version"],
            "commit_id": sealed["commit_id"],
            "reason": facts["reason"],
            "reason_text": facts["reason_text"],
            "officer_id": sealed["officer_id"],
            "station": sealed["station"],
            "scanned_at": sealed["scanned_at"],
            "sealed_at": sealed["at"],
            "sheets": sealed["sheets"],
            "pages": sealed["pages"],
            "manifest_sha256": digest.sha256,
            "manifest_bytes": digest.size_bytes,
        },
        "parts": [
            {"part_kind": part["kind"], **{k: v for k, v in part.items() if k != "kind"}} for part in facts["parts"]
        ],
    }


def _copies_last(path: Path) -> tuple[bool, str]:
    """Copies name their originals, which must be there first; versions of a document stay together."""
    return (b'"copy_of": null' not in path.read_bytes(), str(path.parent))
