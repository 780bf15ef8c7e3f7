"""Under whose rights PostgreSQL runs: it refuses to run as root."""

import os
import pwd
import stat
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
    another number inside; `user` becomes another user, who must be able to reach the files: where a folder above
    shuts that user out, `passes_folders` leaves it the power to pass, and no other.
    """

    kind: Literal["same", "namespace", "user"]
    uid: int
    gid: int
    passes_folders: bool = False

    def command(self, death_signal: int, arguments: list[str]) -> list[str]:
        """Return the command line that runs `arguments` under these rights, tied to this process."""
        word = "passer" if self.passes_folders else self.kind
        tie = [str(os.getpid()), str(death_signal), word, str(self.uid), str(self.gid)]
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


def choose_rights(cluster: Path, isolation: Isolation = "auto", programs: Path | None = None) -> Rights:
    """Return the rights for the cluster in this folder, which may not exist yet, and these programs.

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
        return _user(owner.st_uid, owner.st_gid, cluster, programs)
    if owner is not None or isolation == "namespace" or (isolation == "auto" and _namespace_works()):
        return _namespace()
    named = _unprivileged()
    return _user(named.pw_uid, named.pw_gid, cluster, programs)


def _user(uid: int, gid: int, cluster: Path, programs: Path | None) -> Rights:
    """Become this user, who reaches the cluster's parent (our data folder, which we open) and the programs."""
    way = [*cluster.parent.parents]
    if programs is not None:
        way += [programs, *programs.parents]
    return Rights("user", uid, gid, passes_folders=not all(_lets_pass(folder, uid, gid) for folder in way))


def _lets_pass(folder: Path, uid: int, gid: int) -> bool:
    """Tell whether a folder's mode lets a user through; one that is not there yet will be ours to make."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return True
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH))


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
