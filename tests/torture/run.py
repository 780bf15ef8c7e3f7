"""The long forms of all campaigns, one after the other, within a time; `make torture` runs this.

Each part is a command of its own and can be run alone; this one divides the time and says at the end what failed.
"""

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time

# Share of the time, and the command; those without a share take what they take.
_PARTS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("kills", 0.5, ("kill_campaign", "--rounds", "1000")),
    ("kills, external PostgreSQL", 0.1, ("kill_campaign", "--rounds", "200", "--external")),
    ("cuts of power", 0.15, ("power_cut",)),
    ("nonsense", 0.2, ("fuzz",)),
    ("full disk", 0.0, ("full_disk",)),
    ("absent or forbidden", 0.0, ("absent_or_forbidden",)),
)
_LONGEST_NONSENSE_MINUTES = 10.0


def main() -> int:
    """Run all parts; status 1 if one of them found something."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0, help="for all of it, about")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()
    failed = []
    for name, share, command in _PARTS:
        words = [sys.executable, "-m", f"tests.torture.{command[0]}", *command[1:]]
        minutes = share * arguments.minutes
        if command[0] == "fuzz":
            minutes = min(minutes, _LONGEST_NONSENSE_MINUTES)
        if share:
            words += ["--minutes", f"{minutes:.2f}"]
        if command[0] == "full_disk":
            words = [*_apart(), *words]
        else:
            words += ["--seed", str(arguments.seed)]
        print(f"== {name}: {' '.join(words[words.index('-m') :])}", flush=True)
        began = time.monotonic()
        status = subprocess.run(words, check=False).returncode
        print(f"-- {name}: {'ok' if status == 0 else 'FAILED'} after {time.monotonic() - began:.0f} s", flush=True)
        if status:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _apart() -> list[str]:
    """Return what lets a command mount a disk that nobody else sees."""
    unshare = shutil.which("unshare") or "unshare"
    return [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--user", "--map-root-user", "--mount"]


if __name__ == "__main__":
    sys.exit(main())
