"""Declarations as JSON values: the form in which an open upload keeps them."""

from dataclasses import asdict
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from kho_storage.records.document import (
    CopyForm,
    Declaration,
    DocumentKind,
    GivenCode,
    Lane,
    Outcome,
    Owner,
    ResultDeclaration,
)


def to_json(declaration: Declaration) -> dict[str, Any]:
    """Return a declaration as JSON values; `from_json` gives the same declaration back."""
    return asdict(declaration, dict_factory=lambda pairs: {name: _plain(value) for name, value in pairs})


def from_json(values: dict[str, Any]) -> Declaration:
    """Return the declaration that `to_json` wrote."""
    result = values["result"]
    return Declaration(
        kind=DocumentKind(values["kind"]),
        lane=Lane(values["lane"]),
        dossier_code=values["dossier_code"],
        dossier_key=values["dossier_key"],
        procedure_code=values["procedure_code"],
        procedure_key=values["procedure_key"],
        scanned_at=datetime.fromisoformat(values["scanned_at"]) if values["scanned_at"] else None,
        copy_form=CopyForm(values["copy_form"]) if values["copy_form"] else None,
        copy_of=UUID(values["copy_of"]) if values["copy_of"] else None,
        result=_result_from_json(result) if result else None,
    )


def _result_from_json(values: dict[str, Any]) -> ResultDeclaration:
    given = values["given_code"]
    return ResultDeclaration(
        type_code=values["type_code"],
        issuer_uuid=UUID(values["issuer_uuid"]),
        issuer_code=values["issuer_code"],
        owners=tuple(Owner(owner["owner_id"], owner["key"]) for owner in values["owners"]),
        outcome=Outcome(values["outcome"]),
        number=values["number"],
        number_key=values["number_key"],
        issued_on=_day(values["issued_on"]),
        valid_from=_day(values["valid_from"]),
        valid_to=_day(values["valid_to"]),
        territory=values["territory"],
        subject=values["subject"],
        given_code=GivenCode(given["code"], given["key"]) if given else None,
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return value
