"""Certificates and revocation data that lie in the file itself. Nothing of it is trusted for being there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from asn1crypto import cms, core, crl, ocsp, x509
from pyhanko.pdf_utils import generic

from kho_server.verification.revision_view import RevisionView, raw

_Value = TypeVar("_Value", bound=core.Asn1Value)
MAX_STORE_STREAMS = 256
_KINDS = {"/Certs": "/Cert", "/CRLs": "/CRL", "/OCSPs": "/OCSP"}


@dataclass(frozen=True)
class Evidence:
    """What a file, or one signature of it, brings along."""

    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[crl.CertificateList, ...] = ()
    ocsps: tuple[ocsp.OCSPResponse, ...] = ()

    def __add__(self, other: "Evidence") -> "Evidence":
        """Return both together, without repeats."""
        return Evidence(
            _unique((*self.certificates, *other.certificates)),
            _unique((*self.crls, *other.crls)),
            _unique((*self.ocsps, *other.ocsps)),
        )

    @property
    def has_revocation_data(self) -> bool:
        """Whether there is a list or an answer about certificates."""
        return bool(self.crls or self.ocsps)


def store_evidence(view: RevisionView, max_certificates: int) -> Evidence:
    """Read the document security store (ISO 32000-2 section 12.8.4.3), leaving out what cannot be read.

    Entries of VRI are read without asking which signature they are filed under: each is judged by what it says.
    """
    store = view.dictionary(raw(view.root, "/DSS"))
    if store is None:
        return Evidence()
    found: dict[str, list[bytes]] = {kind: [] for kind in _KINDS}
    budget = iter(range(MAX_STORE_STREAMS))
    for kind, in_vri in _KINDS.items():
        found[kind].extend(_streams(view, raw(store, kind), budget))
        for record in _records(view, store):
            found[kind].extend(_streams(view, raw(record, in_vri), budget))
    return Evidence(
        _unique(_parsed(x509.Certificate, found["/Certs"]))[:max_certificates],
        _unique(_parsed(crl.CertificateList, found["/CRLs"])),
        _unique(_parsed(ocsp.OCSPResponse, found["/OCSPs"])),
    )


def signature_evidence(signed: cms.SignedData) -> Evidence:
    """Read what a CMS value brings along: certificates, lists, and Adobe's archive of revocation data."""
    certificates = tuple(one.chosen for one in signed["certificates"] or () if one.name == "certificate")
    crls = [one.chosen for one in signed["crls"] or () if one.name == "certificate_list"]
    ocsps: list[ocsp.OCSPResponse] = []
    for signer in signed["signer_infos"]:
        for attribute in signer["signed_attrs"] or ():
            if attribute["type"].native == "adobe_revocation_info_archival":
                for archive in attribute["values"]:
                    crls.extend(archive["crl"] or ())
                    ocsps.extend(archive["ocsp"] or ())
    return Evidence(_unique(certificates), _unique(crls), _unique(ocsps))


def _records(view: RevisionView, store: generic.DictionaryObject) -> Iterator[generic.DictionaryObject]:
    records = view.dictionary(raw(store, "/VRI"))
    for key in list(records or ())[:MAX_STORE_STREAMS]:
        record = view.dictionary(raw(records, key)) if records is not None else None
        if record is not None:
            yield record


def _streams(view: RevisionView, array: generic.PdfObject, budget: Iterator[int]) -> Iterator[bytes]:
    for item in view.array(array):
        if next(budget, None) is None:
            return
        stream = view.resolve(item)
        if isinstance(stream, generic.StreamObject):
            yield stream.data


def _parsed(kind: type[_Value], values: Iterable[bytes]) -> Iterator[_Value]:
    for value in values:
        try:
            # asn1crypto's own base class is untyped, and it parses on demand: ask for everything now.
            one = cast(Any, kind).load(value)
            _ = one.native if kind is x509.Certificate else one.dump()
        except (ValueError, TypeError):
            continue
        yield one


def _unique(values: Iterable[_Value]) -> tuple[_Value, ...]:
    return tuple({cast(Any, one).dump(): one for one in values}.values())
