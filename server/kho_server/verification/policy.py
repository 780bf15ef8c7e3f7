"""The rules of validation as data: effective-dated TOML files in `policies/`, one of which is in force on any day."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from asn1crypto import keys, x509

from kho_server.verification.declared_areas import DeclaredArea, DeclaredAreas
from kho_server.verification.public_keys import with_positive_modulus

_FOLDER = Path(__file__).parent / "policies"
_ALWAYS = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)
_FAMILIES = {"rsa": "rsa", "rsassa_pss": "rsa", "dsa": "dsa", "ec": "ec"}
_WITHOUT_SIZE = frozenset({"ed25519", "ed448"})


class PolicyError(ValueError):
    """A policy file cannot be understood; the message names the file and what is wrong."""


@dataclass(frozen=True)
class AlgorithmRules:
    """Until when a digest, or a key of a family and size, is safe to sign with."""

    digests: Mapping[str, datetime]
    weak_since: Mapping[str, datetime]
    key_sizes: tuple[tuple[str, int, datetime], ...]

    def digest_until(self, name: str) -> datetime:
        """Return the instant from which a digest is not accepted; what is not listed never was."""
        return self.digests.get(name.lower().replace("-", "").replace("sha3", "sha3_").replace("__", "_"), _NEVER)

    def key_until(self, key: keys.PublicKeyInfo) -> datetime:
        """Return the instant from which a key is not accepted."""
        if key.algorithm in _WITHOUT_SIZE:
            return _ALWAYS
        family = _FAMILIES.get(key.algorithm)
        try:
            bits = int(with_positive_modulus(key).bit_size) if family is not None else 0
        except (ValueError, KeyError, TypeError):
            return _NEVER
        reached = [until for name, size, until in self.key_sizes if name == family and bits >= size]
        return max(reached, default=_NEVER)

    def is_weak(self, name: str, moment: datetime) -> bool:
        """Tell whether a digest is merely tolerated at that time."""
        return moment >= self.weak_since.get(name.lower(), _ALWAYS)


@dataclass(frozen=True)
class ValidationPolicy:
    """One edition of the rules; `version` names it in every verdict that it made."""

    version: str
    effective_from: datetime
    tolerance: timedelta
    order_tolerance: timedelta
    algorithms: AlgorithmRules
    key_usage: str
    purposes: frozenset[str]
    areas: DeclaredAreas

    def admits_usage(self, certificate: x509.Certificate) -> bool:
        """Tell whether a certificate was issued for signing documents; without a word on it, it may."""
        usage, purposes = certificate.key_usage_value, certificate.extended_key_usage_value
        if usage is not None and self.key_usage not in usage.native:
            return False
        return purposes is None or any(one.dotted in self.purposes for one in purposes)


def load_policy(path: Path) -> ValidationPolicy:
    """Read a policy file. PolicyError: it is not one."""
    try:
        with path.open("rb") as source:
            return _policy(tomllib.load(source))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PolicyError(f"{path.name} is no validation policy: {error!r}") from error


@cache
def editions() -> tuple[ValidationPolicy, ...]:
    """Return every edition that comes with the engine, oldest first."""
    found = [load_policy(path) for path in sorted(_FOLDER.glob("*.toml"))]
    return tuple(sorted(found, key=lambda one: one.effective_from))


def policy_at(at: datetime) -> ValidationPolicy:
    """Return the edition in force at a time; before the first, the first."""
    return max((one for one in editions() if one.effective_from <= at), key=_effective_from, default=editions()[0])


def _effective_from(policy: ValidationPolicy) -> datetime:
    return policy.effective_from


def _policy(plain: dict[str, Any]) -> ValidationPolicy:
    digests, marks = plain["digests"], plain["marks"]
    return ValidationPolicy(
        version=str(plain["version"]),
        effective_from=_instant(plain["effective_from"]),
        tolerance=timedelta(seconds=plain["times"]["tolerance_s"]),
        order_tolerance=timedelta(seconds=plain["times"]["order_tolerance_s"]),
        algorithms=AlgorithmRules(
            {name: _until(row) for name, row in digests.items()},
            {name: _instant(row["weak_since"]) for name, row in digests.items() if "weak_since" in row},
            tuple((row["family"], int(row["bits"]), _until(row)) for row in plain["keys"]),
        ),
        key_usage=str(plain["certificate"]["key_usage"]),
        purposes=frozenset(plain["certificate"]["purposes"]),
        areas=DeclaredAreas(tuple(_area(row) for row in marks["areas"]), float(marks["max_fraction"])),
    )


def _area(row: dict[str, Any]) -> DeclaredArea:
    left, bottom, right, top = (float(edge) for edge in row["box"])
    return DeclaredArea(row["name"], (left, bottom, right, top), row["first_page_only"], float(row["max_fraction"]))


def _until(row: dict[str, Any]) -> datetime:
    return _instant(row["until"]) if "until" in row else _ALWAYS


def _instant(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
