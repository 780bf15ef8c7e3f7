"""How one setting is declared: its text becomes a value, its help says the unit and what zero means."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

_T = TypeVar("_T")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(?P<port>[0-9]{1,5})\Z")
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


class ConfigError(ValueError):
    """A setting cannot be used; the message names the setting and says what it must be."""


class CannotListen(Exception):
    """An address that was configured rightly cannot be listened on; the message says which."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 means any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read HOST:PORT, an IPv6 address in brackets. ValueError: it is not."""
        match = _HOST_PORT.match(text)
        if match is None or int(match["port"]) > 65_535:
            raise ValueError("must be HOST:PORT, for example 127.0.0.1:7443 or [::1]:7443")
        return cls(match["host"].strip("[]"), int(match["port"]))

    def __str__(self) -> str:
        """Return HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _whole(text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise ValueError(f"must be a whole number from {low} to {high}")
    return int(text)


def _seconds(text: str, low: float, high: float) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) or not low <= float(text) <= high:
        raise ValueError(f"must be a number from {low:g} to {high:g}")
    return float(text)


def switch(text: str) -> bool:
    """Read yes or no in the usual spellings."""
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError("must be yes or no")


def one_of(text: str, *words: str) -> str:
    """Read one of a few words."""
    if text not in words:
        raise ValueError(f"must be one of {', '.join(words)}")
    return text


def setting(
    help_text: str,
    parse: Callable[[str], _T],
    default: object = dataclasses.MISSING,
    unit: str = "",
    *,
    is_secret: bool = False,
) -> _T:
    """Declare a setting: what it does and what zero means, how its text is read, in which unit it is.

    A secret stays out of `repr`.
    """
    metadata = {"help": help_text, "parse": parse, "unit": unit}
    if default is dataclasses.MISSING:
        return cast(_T, dataclasses.field(metadata=metadata))
    return cast(_T, dataclasses.field(default=default, metadata=metadata, repr=not is_secret))


def count(help_text: str, default: int, low: int, high: int, unit: str = "") -> int:
    """Declare a whole number between two bounds."""
    return setting(help_text, lambda text: _whole(text, low, high), default, unit)


def time(help_text: str, default: float, low: float, high: float, unit: str = "seconds") -> float:
    """Declare a number of seconds between two bounds."""
    return setting(help_text, lambda text: _seconds(text, low, high), default, unit)


def file(help_text: str) -> Path | None:
    """Declare a path that need not be given."""
    return setting(help_text, optional(Path), None)


def optional(parse: Callable[[str], _T]) -> Callable[[str], _T | None]:
    """Let an empty text mean that the setting is absent."""
    return lambda text: parse(text) if text else None


def repository(text: str) -> str:
    """Read a repository id: a letter and two digits."""
    if not re.fullmatch(r"[A-Z][0-9]{2}", text):
        raise ValueError("must be a letter and two digits, for example H46")
    return text


def text_up_to(text: str, most: int) -> str:
    """Read a text that is not empty and not too long."""
    if not 0 < len(text) <= most:
        raise ValueError(f"must have 1 to {most} characters")
    return text


@dataclass(frozen=True, slots=True)
class Option:
    """One setting as a command line needs it."""

    name: str
    flag: str
    variable: str
    help: str
    unit: str
    default: str
    is_switch: bool
    is_required: bool
    _parse: Callable[[str], Any]

    def parse(self, text: str) -> Any:
        """Read a text. ConfigError names the setting and what it must be; a secret is not repeated."""
        try:
            return self._parse(text)
        except ValueError as error:
            raise ConfigError(f"{self.flag} (or {self.variable}) {error}") from error

    @property
    def help_line(self) -> str:
        """Help with unit and default."""
        facts = [self.unit, "required" if self.is_required else f"default {self.default or 'none'}", self.variable]
        return f"{self.help} [{'; '.join(fact for fact in facts if fact)}]"
