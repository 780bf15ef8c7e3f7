"""Run a program under fewer rights, tied to the life of its parent.

Started as a script of its own (`python -I -S launch.py ...`), never imported by the server: unsharing a
user namespace needs a process of one thread, and code between fork and exec of a threaded server may hang.
Standard library only; it replaces itself with the program, so the process id stays.

    launch.py PARENT_PID DEATH_SIGNAL RIGHTS UID GID PROGRAM [ARGUMENT ...]

RIGHTS is `same` (as we are), `namespace` (a user namespace in which we are UID and GID), `user` (become
UID and GID) or `passer` (become them, and keep of root's powers the one to pass folders).
"""

import contextlib
import ctypes
import os
import sys

# Values of linux/sched.h and linux/prctl.h.
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
# linux/capability.h: each lets pass all folders; the first gives least beyond that, containers often have the second.
_CAP_DAC_READ_SEARCH = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_EXIT_CANNOT_RUN = 126
# Nothing of the caller's: PGDATA, PGPORT and their like change what initdb and postgres do.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _enter_namespace(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if outer_uid == 0:
        # Root of a container may be forbidden to; then it was given no groups worth dropping.
        with contextlib.suppress(PermissionError):
            os.setgroups([])
    _check(libc.unshare(_CLONE_NEWUSER), "cannot make a user namespace")
    # user_namespaces(7): an unprivileged process must deny setgroups before it may map its group.
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib doubles start time
            file.write(line)


def _become(uid: int, gid: int) -> None:
    os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _become_passer(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    """Keep one power through the change of user and through exec (capabilities(7), "ambient")."""
    _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "cannot keep a power")
    _become(uid, gid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        bit = 1 << capability
        # Effective, permitted, inheritable; twice, for capabilities below and above 32.
        if libc.capset(header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)) == 0:
            break
    _check(
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0), "cannot keep the power to pass folders"
    )


def main(arguments: list[str]) -> int:
    """Drop rights, tie the life to the parent's, and run the program."""
    parent, death_signal, rights, uid, gid, program, *rest = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if rights == "namespace":
            _enter_namespace(libc, int(uid), int(gid))
        elif rights == "user":
            _become(int(uid), int(gid))
        elif rights == "passer":
            _become_passer(libc, int(uid), int(gid))
        # After the rights: a change of credentials clears the death signal (prctl(2)).
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "cannot give up new privileges")
        _check(libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0), "cannot tie to the parent")
        if os.getppid() != int(parent):
            return _EXIT_CANNOT_RUN  # the parent died before the tie was made
        os.execve(program, [program, *rest], _ENVIRONMENT)  # noqa: S606
    except OSError as error:
        print(f"launch: {error} (as uid {os.geteuid()})", file=sys.stderr)  # noqa: T201 - the parent reads it
    return _EXIT_CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
