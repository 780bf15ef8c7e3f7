"""Decides and records every disclosure: the record is durable before the answer, of refusals and misses too."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kho_server.archive.access_decision import Action, Decision, DocumentFacts, may
from kho_server.archive.caller import Caller
from kho_server.archive.observer import Observer
from kho_server.rules.legal_days import legal_day
from kho_storage.catalog_ports import AccessLog, RegistryCatalog
from kho_storage.identifiers import time_ordered_uuid
from kho_storage.records.access import AccessAction, AccessOutcome, AccessRecord
from kho_storage.records.registry import Grant, Officer

_NOBODY = UUID(int=0)
_ACTIONS = {
    AccessAction.LOOKUP: Action.LOOKUP,
    AccessAction.READ: Action.READ,
    AccessAction.LIST: Action.READ,
    AccessAction.REUSE: Action.REUSE,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that was asked for: what in words (hashed before it is kept), and what was found, if anything."""

    what: str
    found: DocumentFacts | None
    document_uuid: UUID | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Purpose:
    """What for, as far as stated."""

    dossier_code: str | None = None
    procedure_code: str | None = None


class Disclosure:
    """The one door's doorkeeper."""

    def __init__(
        self,
        registry: RegistryCatalog,
        log: AccessLog,
        access_key: bytes,
        clock: Callable[[], datetime],
        observer: Observer,
    ) -> None:
        """`access_key` keys the hash of what was asked, so that a log does not give codes away."""
        self._registry = registry
        self._log = log
        self._access_key = access_key
        self._clock = clock
        self._observer = observer

    async def decide(
        self,
        caller: Caller,
        officer: Officer,
        action: AccessAction,
        asked: Sequence[Asked],
        purpose: Purpose | None = None,
    ) -> list[AccessRecord]:
        """Decide and record each thing asked, in order; an answer may leave only if its record says DISCLOSED."""
        now = self._clock()
        stated = purpose or Purpose()
        grants = await self._grants(caller, asked)
        records = []
        for each in asked:
            decision = self._decision(caller, officer, action, each, grants, now)
            records.append(
                AccessRecord(
                    access_id=time_ordered_uuid(),
                    at=now,
                    principal_id=caller.principal.principal_id,
                    agency_uuid=caller.principal.agency_uuid,
                    officer_id=officer.officer_id,
                    action=action,
                    outcome=_outcome(decision),
                    document_uuid=each.document_uuid,
                    version=each.version,
                    asked=hmac.new(self._access_key, each.what.encode(), hashlib.sha256).digest(),
                    dossier_code=stated.dossier_code,
                    procedure_code=stated.procedure_code,
                    request_id=caller.request_id,
                )
            )
        await self._log.record(records)
        for outcome in AccessOutcome:
            count = sum(record.outcome is outcome for record in records)
            if count:
                self._observer.accesses(action, outcome, count)
        return records

    async def close(self, record: AccessRecord, bytes_sent: int) -> None:
        """Write down what really left."""
        self._observer.bytes_sent(record.action, bytes_sent)
        await self._log.close(record.access_id, record.at, self._clock(), bytes_sent)

    async def _grants(self, caller: Caller, asked: Sequence[Asked]) -> dict[UUID, tuple[Grant, ...]]:
        """Load the grants of every foreign issuer among what was found, once each.

        For what was not found nobody's grants are asked for: absent and forbidden take as long.
        """
        own = caller.principal.agency_uuid
        if own is None:
            return {}
        issuers = {_grantor(each) for each in asked if each.found is None or each.found.agency_uuid != own}
        found = await asyncio.gather(*(self._registry.grants_between(issuer, own) for issuer in issuers))
        return dict(zip(issuers, found, strict=True))

    def _decision(
        self,
        caller: Caller,
        officer: Officer,
        action: AccessAction,
        asked: Asked,
        grants: dict[UUID, tuple[Grant, ...]],
        now: datetime,
    ) -> Decision | None:
        if asked.found is None:
            return None
        of_issuer = grants.get(asked.found.grantor_uuid, ())
        return may(caller.principal, officer, _ACTIONS[action], asked.found, of_issuer, legal_day(now))


def _grantor(asked: Asked) -> UUID:
    return asked.found.grantor_uuid if asked.found is not None else _NOBODY


def _outcome(decision: Decision | None) -> AccessOutcome:
    if decision is None:
        return AccessOutcome.ABSENT
    return AccessOutcome.DISCLOSED if decision.allowed else AccessOutcome.REFUSED
