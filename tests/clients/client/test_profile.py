"""Flags before environment before profile."""

from pathlib import Path

import pytest

from kho_client.errors import LocalProblem
from kho_client.profile import profile_path, read_settings


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "profile.toml"
    path.write_text('server = "p:1"\ncert = "p.crt"\nkey = "p.key"\nca = "p-ca.crt"\nofficer = "p-officer"\n')
    return path


def test_the_nearest_setting_wins(profile: Path) -> None:
    environ = {"KHO_PROFILE": str(profile), "KHO_SERVER": "e:1", "KHO_CERT": "e.crt"}
    settings = read_settings({"server": "f:1", "cert": None}, environ)
    assert settings.connection.server == "f:1"
    assert settings.connection.certificate == Path("e.crt")
    assert settings.connection.key == profile.parent / "p.key"
    assert settings.connection.ca == profile.parent / "p-ca.crt"
    assert settings.officer_id == "p-officer"


def test_a_missing_setting_says_how_to_give_it(tmp_path: Path) -> None:
    environ = {"KHO_PROFILE": str(tmp_path / "profile.toml")}
    (tmp_path / "profile.toml").write_text("")
    with pytest.raises(LocalProblem) as caught:
        read_settings({"server": "f:1"}, environ)
    assert (caught.value.reason, caught.value.metadata) == ("SETTING_MISSING", {"setting": "ca"})
    assert "KHO_CA" in caught.value.message_vi


def test_certificate_and_key_come_together(profile: Path) -> None:
    with pytest.raises(LocalProblem) as caught:
        read_settings(
            {"server": "f:1", "ca": "ca", "cert": "c"}, {"KHO_PROFILE": str(profile.with_name("empty.toml")), "X": ""}
        )
    assert caught.value.reason == "PROFILE_UNREADABLE"
    profile.write_text("")
    with pytest.raises(LocalProblem) as caught:
        read_settings({"server": "f:1", "ca": "ca", "cert": "c"}, {"KHO_PROFILE": str(profile)})
    assert caught.value.metadata == {"setting": "key"}


def test_nobody_need_be_named(profile: Path) -> None:
    profile.write_text("")
    settings = read_settings({"server": "f:1", "ca": "ca"}, {"KHO_PROFILE": str(profile)})
    assert (settings.connection.certificate, settings.connection.key, settings.officer_id) == (None, None, "")


@pytest.mark.parametrize("text", ["server = 7", 'surver = "x"', "not toml", "[server]\nx = 1"])
def test_a_profile_that_cannot_be_meant(profile: Path, text: str) -> None:
    profile.write_text(text)
    with pytest.raises(LocalProblem) as caught:
        read_settings({}, {"KHO_PROFILE": str(profile)})
    assert caught.value.reason == "PROFILE_UNREADABLE"


def test_the_profile_has_a_place_of_its_own() -> None:
    assert profile_path({}).name == "profile.toml"
    assert profile_path({}).parent.name == "kho"
