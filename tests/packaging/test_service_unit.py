"""The systemd unit and its settings say what the server understands."""

import configparser
import re
from pathlib import Path

import pytest

from kho_server.config import Config, options
from kho_storage.postgres.embedded import EmbeddedOptions
from tests.packaging.tree import ROOT

UNITS = ROOT / "ops/systemd"


class UnitFile(configparser.ConfigParser):
    """systemd tells upper case from lower."""

    def optionxform(self, optionstr: str) -> str:
        """Keep the key as it is written."""
        return optionstr


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    """Read the section [Service]; no key stands twice there."""
    parser = UnitFile(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.read(UNITS / "kho.service", "utf-8")
    return dict(parser["Service"])


@pytest.fixture(scope="module")
def samples() -> dict[str, str]:
    """Read every setting of kho.env, those that are commented out too."""
    text = (UNITS / "kho.env").read_text("utf-8")
    return dict(re.findall(r"^#?(KHO_[A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_every_sample_setting_is_one_of_the_servers(samples: dict[str, str], tmp_path: Path) -> None:
    """Names exist and values parse, all together."""
    known = {option.variable: option for option in options()}
    assert set(samples) <= set(known)
    config = Config.read({"data": str(tmp_path)}, samples)
    assert config.database_url == samples["KHO_DATABASE_URL"]


def test_samples_that_are_commented_out_show_the_defaults(samples: dict[str, str]) -> None:
    """Whoever uncomments one changes nothing yet, except where a site must choose."""
    defaults = {option.variable: option.default for option in options()}
    site = {"KHO_DATABASE_URL", "KHO_RESERVE_BYTES"}
    text = (UNITS / "kho.env").read_text("utf-8")
    hidden = set(re.findall(r"^#(KHO_[A-Z_]+)=", text, re.MULTILINE)) - site
    assert hidden
    assert {name: samples[name] for name in hidden} == {name: defaults[name] for name in hidden}


def test_flags_of_the_unit_are_the_servers(service: dict[str, str]) -> None:
    """The command line of the unit has only flags of `kho serve`."""
    program, command, *rest = service["ExecStart"].split()
    assert (program, command) == ("/opt/kho/bin/kho", "serve")
    assert set(rest[::2]) <= {option.flag for option in options()}
    assert dict(zip(rest[::2], rest[1::2], strict=True))["--data"] == f"/var/lib/{service['StateDirectory']}"


def test_there_is_time_to_stop_in_order(service: dict[str, str]) -> None:
    """systemd kills only after the drain and the stop of PostgreSQL have had their time, and signals Kho alone."""
    drain_s = float(next(option.default for option in options() if option.name == "drain_s"))
    assert float(service["TimeoutStopSec"]) > drain_s + EmbeddedOptions().stop_timeout_s
    assert service["KillMode"] == "mixed"


def test_the_service_has_no_rights_to_lose(service: dict[str, str]) -> None:
    """An ordinary user, a read-only system, and namespaces for the verification workers only."""
    assert service["User"] == "kho"
    assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == ("yes", "")
    assert service["ProtectSystem"] == "strict"
    assert service["RestrictNamespaces"] == "user net"
    limits = {option.name: option.default for option in options()}
    workers = int(limits["verify_workers"]) * int(limits["verify_address_space_bytes"])
    assert int(service["MemoryMax"].removesuffix("G")) << 30 > workers
    assert int(service["LimitNOFILE"]) > 2 * int(limits["connections"])
