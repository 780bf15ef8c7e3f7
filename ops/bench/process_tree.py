"""What a process and all its children cost: processor seconds and memory, as Linux counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# utime, stime, cutime and cstime in /proc/PID/stat (proc(5) fields 14 to 17), counted after the name in brackets.
_TIMES = slice(11, 15)


@dataclass(frozen=True, slots=True)
class Memory:
    """Proportional set sizes in bytes: shared pages are counted once for all who share them."""

    kho_bytes: int
    postgres_bytes: int


def tree_of(pid: int) -> list[int]:
    """Return a process and all its living descendants; what ends meanwhile is left out."""
    found = [pid]
    for each in found:
        found += _children(each)
    return found


def processor_seconds(pid: int) -> float:
    """Return user and system seconds of a process, its living descendants, and those that were waited for."""
    return sum(_ticks(each) for each in tree_of(pid)) / _TICKS


def memory_of(pid: int) -> Memory:
    """Return what the server with its workers holds, and what its PostgreSQL holds."""
    kho, postgres = 0, 0
    for each in tree_of(pid):
        size = _pss_bytes(each)
        if _name(each).startswith("postgres"):
            postgres += size
        else:
            kho += size
    return Memory(kho, postgres)


def postgres_of(pid: int) -> list[int]:
    """Return the PostgreSQL processes below a server."""
    return [each for each in tree_of(pid) if _name(each).startswith("postgres")]


def _children(pid: int) -> list[int]:
    # Children are listed by the thread that made them.
    children: list[int] = []
    for thread in _names(_PROC / str(pid) / "task"):
        children += [int(each) for each in _text(_PROC / str(pid) / "task" / thread / "children").split()]
    return children


def _names(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _name(pid: int) -> str:
    return _text(_PROC / str(pid) / "comm").strip()


def _ticks(pid: int) -> int:
    fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return sum(int(each) for each in fields[_TIMES])


def _pss_bytes(pid: int) -> int:
    for line in _text(_PROC / str(pid) / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
