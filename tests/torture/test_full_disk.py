"""A disk that fills up, tried in a process with mounts of its own; see full_disk.py for what is promised."""

import os
import shutil
import subprocess
import sys


def test_reading_outlives_uploads_and_all_comes_back() -> None:
    """Needs root, or user namespaces: fails with a clear message when there is neither."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "the program unshare of util-linux is missing"
    apart = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--user", "--map-root-user", "--mount"]
    command = [*apart, sys.executable, "-m", "tests.torture.full_disk"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)
    assert ran.returncode == 0, ran.stdout + ran.stderr
