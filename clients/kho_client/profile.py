"""Where to connect: flags before environment before a profile file.

The profile is TOML, in the user's configuration folder (`kho doctor` shows where) or at KHO_PROFILE:

    server = "kho.quangbinh.example:7443"
    cert = "station.crt"      # paths may be relative to the profile's folder
    key = "station.key"
    ca = "ca.crt"
    officer = "cb-001"        # optional: the acting officer when a command names none
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path

from kho_client.connection import Connection
from kho_client.errors import Text, local_problem

_NAMES = ("server", "cert", "key", "ca", "officer")
_PATHS = frozenset({"cert", "key", "ca"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The connection together with the officer who acts when a call names none."""

    connection: Connection
    officer_id: str


def profile_path(environ: Mapping[str, str]) -> Path:
    """Return where the profile file lies or would lie."""
    named = environ.get("KHO_PROFILE")
    return Path(named) if named else user_config_path("kho", appauthor=False) / "profile.toml"


def read_settings(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Resolve the settings `server`, `cert`, `key`, `ca`, `officer`.

    Raises LocalProblem SETTING_MISSING or PROFILE_UNREADABLE. A client certificate may be left out: then the
    server refuses, and says so better than we could.
    """
    profile = _read_profile(profile_path(environ), is_required=bool(environ.get("KHO_PROFILE")))
    chosen = {name: _first(flags.get(name), environ.get(f"KHO_{name.upper()}"), profile.get(name)) for name in _NAMES}
    for name in ("server", "ca"):
        if not chosen[name]:
            raise _missing(name)
    if bool(chosen["cert"]) != bool(chosen["key"]):
        raise _missing("key" if chosen["cert"] else "cert")
    connection = Connection(
        server=chosen["server"],
        ca=Path(chosen["ca"]),
        certificate=Path(chosen["cert"]) if chosen["cert"] else None,
        key=Path(chosen["key"]) if chosen["key"] else None,
    )
    return Settings(connection, chosen["officer"])


def _first(*values: str | None) -> str:
    return next((value for value in values if value), "")


def _read_profile(path: Path, *, is_required: bool) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if is_required:
            raise _unreadable(path, "không có tệp này", "there is no such file") from error
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(path, str(error), str(error)) from error
    settings: dict[str, str] = {}
    for name, value in table.items():
        if name not in _NAMES or not isinstance(value, str):
            known = ", ".join(_NAMES)
            raise _unreadable(path, f"không hiểu mục {name!r}", f"{name!r} is not one of the texts {known}")
        settings[name] = str(path.parent / value) if name in _PATHS else value
    return settings


def _missing(name: str) -> Exception:
    environment = f"KHO_{name.upper()}"
    return local_problem(
        "SETTING_MISSING",
        Text(
            f"Chưa biết thiết lập {name!r}. Hãy thêm --{name}, biến {environment}, hoặc ghi vào tệp hồ sơ kết nối.",
            f"The setting {name!r} is not known. Give --{name}, set {environment}, or write it into the profile.",
        ),
        setting=name,
    )


def _unreadable(path: Path, why_vi: str, why_en: str) -> Exception:
    return local_problem(
        "PROFILE_UNREADABLE",
        Text(f"Không đọc được tệp kết nối {path}: {why_vi}.", f"The profile {path} cannot be read: {why_en}."),
        file=str(path),
    )
