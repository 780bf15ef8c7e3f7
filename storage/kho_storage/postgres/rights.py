"""Under whose rights PostgreSQL runs: it refuses to run as root."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kho_storage.errors import PostgresFailed

Isolation = Literal["auto", "namespace", "user"]

_LAUNCHER = Path(__file__).with_name("launch.py")
_PROBE_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Rights:
    """What a child becomes before it runs.

    `same` changes nothing; `namespace` keeps our rights to our own files but none of root's powers, under
    another number inside; `user` becomes another user, who must be able to reach the files.
    """

    kind: Literal["same", "namespace", "user"]
    uid: int
    gid: int

    def command(self, death_signal: int, arguments: list[str]) -> list[str]:
        """Return the command line that runs `arguments` under these rights, tied to this process."""
        tie = [str(os.getpid()), str(death_signal), self.kind, str(self.uid), str(self.gid)]
        return [sys.executable, "-I", "-S", str(_LAUNCHER), *tie, *arguments]

    @property
    def hint(self) -> str:
        """What to add to an error of a child that may lack rights."""
        if self.kind == "user":
            return f" (as user number {self.uid}, whom every folder above must let pass)"
        if self.kind == "namespace":
            return " (in a user namespace: where those are forbidden, run Kho as an ordinary user)"
        return ""

    def give(self, path: Path) -> None:
        """Hand a file or folder over to whoever PostgreSQL runs as."""
        if self.kind == "user":
            os.chown(path, self.uid, self.gid)


def choose_rights(cluster: Path, isolation: Isolation = "auto") -> Rights:
    """Return the rights for the cluster in this folder, which may not exist yet.

    An existing cluster goes on under its owner. As root a new one is made in a user namespace where the
    kernel allows it: that works below folders only root may enter; otherwise under an unprivileged user.
    PostgresFailed: this user can never serve that folder.
    """
    us = os.geteuid()
    owner = cluster.stat() if cluster.exists() else None
    if us != 0:
        if owner is not None and owner.st_uid != us:
            raise PostgresFailed(
                f"the database in {cluster} belongs to user number {owner.st_uid} and Kho runs as {us}: "
                "start Kho as that user, or give the whole data folder to this one with chown -R"
            )
        if _has_name(us):
            return Rights("same", us, os.getegid())
        # initdb wants a name for its user; containers often run numbers without one.
        return _namespace()
    if owner is not None and owner.st_uid != 0:
        return Rights("user", owner.st_uid, owner.st_gid)
    if owner is not None or isolation == "namespace" or (isolation == "auto" and _namespace_works()):
        return _namespace()
    named = _unprivileged()
    return Rights("user", named.pw_uid, named.pw_gid)


def _namespace() -> Rights:
    named = _unprivileged()
    return Rights("namespace", named.pw_uid, named.pw_gid)


def _namespace_works() -> bool:
    """Try: containers and hardened kernels forbid user namespaces in many ways."""
    command = _namespace().command(0, [sys.executable, "-I", "-S", "-c", ""])
    try:
        probe = subprocess.run(command, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged() -> pwd.struct_passwd:
    """Return an account that is not root; its name matters to initdb, its powers are none."""
    known = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in ("postgres", "nobody", *sorted(known)):
        if name in known:
            return known[name]
    raise PostgresFailed("PostgreSQL refuses to run as root and this system has no other user: add one")
