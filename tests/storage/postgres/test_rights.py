"""As root and as an ordinary user, PostgreSQL runs without root's powers and reaches its folder."""

import os
import pwd
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kho_storage.errors import PostgresFailed
from kho_storage.postgres.rights import choose_rights
from tests.storage.postgres.ordinary import OrdinaryPlace
from tests.storage.postgres.processes import ServedDatabase

SOURCES = ["installed", "wheel"]
WE_ARE_ROOT = os.geteuid() == 0
# Whoever is not root becomes root of a user namespace of its own.
AS_ROOT = [sys.executable] if WE_ARE_ROOT else ["unshare", "--map-root-user", sys.executable]

# CAP_DAC_READ_SEARCH or CAP_DAC_OVERRIDE, all that is kept of root's powers where namespaces are forbidden.
POWERS_TO_PASS = {1 << 2, 1 << 1}


@pytest.fixture(scope="module")
def ordinary() -> Iterator[OrdinaryPlace]:
    place = OrdinaryPlace()
    yield place
    place.remove()


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("source", SOURCES)
def test_as_root_below_a_folder_only_root_may_enter(tmp_path: Path, source: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for _ in ("first", "again"):
        with ServedDatabase(closed / "postgres", source=source, python=AS_ROOT) as kho:
            answer = kho.answer()
            assert answer["uid"] == 0, answer
            status = status_of(answer["pid"])
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16)
            assert int(status["CapEff"], 16) in {0, *POWERS_TO_PASS}
            assert status["NoNewPrivs"] == "1"


def test_as_root_under_an_unprivileged_user() -> None:
    # Where namespaces are forbidden. Not below tmp_path: pytest keeps that for its own user alone.
    with tempfile.TemporaryDirectory(prefix="kho-user-", dir="/tmp") as place:
        Path(place).chmod(0o755)
        for _ in ("first", "again"):
            with ServedDatabase(Path(place) / "postgres", isolation="user") as kho:
                answer = kho.answer()
                uid = int(status_of(answer["pid"])["Uid"].split()[0])
                assert uid != 0
                assert (uid != os.geteuid()) == WE_ARE_ROOT
                assert int(status_of(answer["pid"])["CapEff"], 16) == 0


@pytest.mark.parametrize("source", SOURCES)
def test_as_root_under_an_unprivileged_user_below_a_closed_folder(tmp_path: Path, source: str) -> None:
    # Where namespaces are forbidden, as in most containers, and Kho's folder is in root's home.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for _ in ("first", "again"):
        with ServedDatabase(closed / "postgres", source=source, isolation="user") as kho:
            status = status_of(kho.answer()["pid"])
            assert int(status["Uid"].split()[0]) != 0
            assert int(status["CapEff"], 16) in (POWERS_TO_PASS if WE_ARE_ROOT else {0})
            assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("source", SOURCES)
def test_as_an_ordinary_user_below_its_own_closed_folder(ordinary: OrdinaryPlace, source: str) -> None:
    uid = pwd.getpwnam("nobody").pw_uid if WE_ARE_ROOT else os.geteuid()
    data = ordinary.data_folder(uid) / "postgres"
    for _ in ("first", "again"):
        with ServedDatabase(
            data,
            source=source,
            python=[ordinary.python],
            script=ordinary.script,
            user=uid if WE_ARE_ROOT else None,
            environment=ordinary.environment,
        ) as kho:
            answer = kho.answer()
            assert answer["uid"] == uid, answer
            assert status_of(answer["pid"])["Uid"].split() == [str(uid)] * 4


def test_a_user_without_a_name_works_or_is_told_why(ordinary: OrdinaryPlace) -> None:
    # Containers run such numbers; initdb wants a name, a user namespace lends one.
    uid = 54321 if WE_ARE_ROOT else os.geteuid()
    with ServedDatabase(
        ordinary.data_folder(uid) / "postgres",
        python=[ordinary.python],
        script=ordinary.script,
        user=uid if WE_ARE_ROOT else None,
        environment=ordinary.environment,
    ) as kho:
        answer = kho.answer()
        assert answer.get("uid") == uid or "user namespace" in answer["error"]


def test_another_users_folder_is_refused_by_name(ordinary: OrdinaryPlace) -> None:
    data = ordinary.data_folder(os.geteuid()).parent / "shared"
    (data / "cluster").mkdir(parents=True)
    (data / "cluster" / "PG_VERSION").write_text("15\n")
    if WE_ARE_ROOT:
        uid = pwd.getpwnam("nobody").pw_uid
        data.chmod(0o777)
        with ServedDatabase(
            data,
            python=[ordinary.python],
            script=ordinary.script,
            user=uid,
            environment=ordinary.environment,
        ) as kho:
            answer = kho.answer()
        assert answer["kind"] == "PostgresFailed"
        assert f"belongs to user number 0 and Kho runs as {uid}" in answer["error"]
    else:
        with pytest.raises(PostgresFailed, match="belongs to user number 0"):
            choose_rights(Path("/"))
