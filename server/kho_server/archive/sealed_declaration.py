"""What a sealed document declared, compared with what is declared now."""

from datetime import datetime

from kho_server.rules.text import matching_key
from kho_storage.records.document import Declaration, StoredDocument, TakenCode


def same_document(sealed: StoredDocument, declaration: Declaration) -> bool:
    """Tell whether a declaration is the one that was sealed; what the repository gave itself is not compared."""
    said = declaration.result
    held = sealed.result.declaration if sealed.result else None
    return (
        sealed.kind is declaration.kind
        and sealed.lane is declaration.lane
        and sealed.dossier_key == declaration.dossier_key
        and sealed.procedure_key == declaration.procedure_key
        and (sealed.copy_form, sealed.copy_of) == (declaration.copy_form, declaration.copy_of)
        and (said is None) == (held is None)
        and (
            said is None
            or held is None
            or (
                said.type_code == held.type_code
                and said.issuer_uuid == held.issuer_uuid
                and [owner.key for owner in said.owners] == [owner.key for owner in held.owners]
                and said.number_key == held.number_key
                and said.outcome is held.outcome
                and (said.issued_on, said.valid_from, said.valid_to) == (held.issued_on, held.valid_from, held.valid_to)
                and (said.territory, said.subject) == (held.territory, held.subject)
                and (said.given_code is None or _is_code_of(said.given_code.key, sealed))
            )
        )
    )


def _is_code_of(key: str, sealed: StoredDocument) -> bool:
    return sealed.result is not None and matching_key(sealed.result.code) == key


def code_of(sealed: StoredDocument) -> TakenCode | None:
    """Return the code of a sealed document, None if it has none."""
    held = sealed.result
    return TakenCode(held.code, matching_key(held.code), held.public_code, "", None) if held is not None else None


def declaration_of(base: StoredDocument, scanned_at: datetime | None) -> Declaration:
    """Return the sealed declaration, which later versions keep; `scanned_at` is of the new version's pages."""
    return Declaration(
        kind=base.kind,
        lane=base.lane,
        dossier_code=base.dossier_code,
        dossier_key=base.dossier_key,
        procedure_code=base.procedure_code,
        procedure_key=base.procedure_key,
        scanned_at=scanned_at,
        copy_form=base.copy_form,
        copy_of=base.copy_of,
        result=base.result.declaration if base.result else None,
    )
