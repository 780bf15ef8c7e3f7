"""Settings from flags, environment and defaults."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kho_server.config import Config, options
from kho_server.setting import Address, ConfigError

DEV = {"data": "/srv/kho", "dev": "yes"}


def test_flags_come_before_the_environment_and_that_before_defaults() -> None:
    environment = {"KHO_DATA": "/elsewhere", "KHO_PAGES": "12", "KHO_DRAIN_S": "1.5", "KHO_SERVER": "for the client"}
    config = Config.read({**DEV, "pages": "7", "log_level": None}, environment)
    assert (config.data, config.pages, config.drain_s, config.log_level) == (Path("/srv/kho"), 7, 1.5, "info")


def test_values_of_the_right_type_are_taken_as_they_are() -> None:
    config = Config.read({"data": Path("x"), "dev": True, "listen": Address("::1", 0)}, {})
    assert (config.data, config.dev, str(config.listen)) == (Path("x"), True, "[::1]:0")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"dev": "yes"}, "--data (or KHO_DATA) is missing"),
        ({"data": "x"}, "mutual TLS is always on"),
        ({"data": "x", "tls_cert": "c"}, "belong together"),
        ({**DEV, "tls_cert": "c", "tls_key": "k", "client_ca": "a"}, "makes its own certificates"),
        ({**DEV, "listen": "localhost"}, "--listen (or KHO_LISTEN) must be HOST:PORT"),
        ({**DEV, "listen": "localhost:99999"}, "must be HOST:PORT"),
        ({**DEV, "pages": "10001"}, "--pages (or KHO_PAGES) must be a whole number from 1 to 10000"),
        ({**DEV, "pages": "１"}, "must be a whole number"),
        ({**DEV, "drain_s": "nan"}, "must be a number"),
        ({**DEV, "dev": "maybe"}, "must be yes or no"),
        ({**DEV, "log_level": "loud"}, "must be one of debug, info, warning, error"),
        ({**DEV, "database_source": "docker"}, "must be one of auto, installed, wheel"),
        ({**DEV, "repository_id": "h46"}, "must be a letter and two digits"),
        ({**DEV, "chunk_bytes": "500000", "message_bytes": "500000"}, "message_bytes must exceed chunk_bytes"),
        ({**DEV, "chunk_bytes": "200000", "unacknowledged_bytes": "262144"}, "at least twice chunk_bytes"),
        ({**DEV, "colour": "red"}, "no setting called colour"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.read(flags, {})
    assert words in str(caught.value)


def test_a_password_in_the_database_url_is_never_shown() -> None:
    url = "postgresql://kho:secret@db/kho"
    config = Config.read(DEV, {"KHO_DATABASE_URL": url})
    assert config.database_url == url
    assert "secret" not in repr(config)


def test_every_setting_has_an_option_with_help_default_and_unit() -> None:
    found = {option.name: option for option in options()}
    assert list(found) == [field.name for field in dataclasses.fields(Config)]
    for option in found.values():
        assert option.help.endswith((".", "!"))
        assert option.variable in option.help_line
        assert option.is_required or "default" in option.help_line
        numeric = option.name.endswith(("_bytes", "_s", "_days"))
        assert bool(option.unit) == numeric, option.name
    assert found["stall_timeout_s"].help_line.endswith("[seconds; default 45; KHO_STALL_TIMEOUT_S]")
    assert found["dev"].is_switch


def test_each_default_is_a_text_that_its_own_option_reads_back() -> None:
    config = Config.read(DEV, {})
    for option in options():
        if option.default and option.name != "dev":
            assert option.parse(option.default) == getattr(config, option.name), option.name
