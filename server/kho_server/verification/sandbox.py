"""Takes from a worker process what judging a file does not need. Linux only, like the server."""

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys

from kho_server.verification.limits import WorkerLimits

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_NICENESS = 5
_OPEN_FILES = 64

_DENIED = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
    }
)


def confine(limits: WorkerLimits, parent: int) -> None:
    """Limit memory, files and priority, cut the network, and die with process `parent`.

    Exits at once if the parent is gone already. Call before any thread starts.
    """
    _lower(resource.RLIMIT_AS, limits.address_space_bytes)
    _lower(resource.RLIMIT_CORE, 0)  # a core file would hold a citizen's paper
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    os.nice(_NICENESS)
    libc = ctypes.CDLL(None, use_errno=True)
    # Where the kernel refuses an empty network namespace, the hook below is what is left.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    # After the namespaces: the kernel forgets this wish when credentials change (prctl(2)).
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)  # a tighter limit of the service stays in force
    resource.setrlimit(kind, (value, value))


def deny_network() -> None:
    """Refuse calls that reach out of the process; call when everything is imported. Not to be undone."""

    def hook(event: str, _arguments: tuple[object, ...]) -> None:
        if event in _DENIED:
            raise PermissionError(f"{event} is not for a verification worker")

    sys.addaudithook(hook)


def allow_cpu(seconds: int) -> None:
    """Let the process use `seconds` of processor time from now on; the kernel ends it with SIGXCPU beyond."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(ValueError):  # a tighter hard limit of the service stays in force
        resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, hard))
