"""A database URL is read exactly or refused, and never repeated."""

from pathlib import Path

import pytest

from kho_storage.postgres.connection import ConnectionSettings

SECRET = "s3cr%40t"


def test_a_full_url() -> None:
    settings = ConnectionSettings.from_url(
        f"postgresql://kho:{SECRET}@db.tinh.example:5433/kho%20tinh?sslmode=verify-full&application_name=kho-1"
    )
    assert settings.host == "db.tinh.example"
    assert settings.port == 5433
    assert settings.password == "s3cr@t"
    assert settings.database == "kho tinh"
    assert settings.tls is not None
    assert settings.tls.mode == "verify-full"
    assert settings.connect_args()["server_settings"] == {"application_name": "kho-1"}


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("localhost", None),
        ("127.0.0.1", None),
        ("[::1]", None),
        ("10.0.0.7", "verify-full"),
        ("[2001:db8::1]", "verify-full"),
        ("DB.example", "verify-full"),
    ],
)
def test_only_what_leaves_the_machine_is_protected_unasked(host: str, mode: str | None) -> None:
    settings = ConnectionSettings.from_url(f"postgresql://kho@{host}/kho")
    assert settings.host == host.strip("[]")
    assert (settings.tls.mode if settings.tls else None) == mode
    assert settings.port == 5432


def test_plain_text_over_the_network_must_be_asked_for() -> None:
    settings = ConnectionSettings.from_url("postgres://kho@10.0.0.7/kho?sslmode=disable")
    assert settings.tls is None
    assert settings.connect_args()["ssl"] is False


@pytest.mark.parametrize(
    "url",
    ["postgresql://kho@/kho?host=/run/Kho/Socket&port=5433", "postgresql://kho@%2Frun%2FKho%2FSocket:5433/kho"],
)
def test_a_socket_folder_keeps_its_letters(url: str) -> None:
    settings = ConnectionSettings.from_url(url)
    assert (settings.host, settings.port, settings.tls) == ("/run/Kho/Socket", 5433, None)


def test_the_password_shows_nowhere() -> None:
    settings = ConnectionSettings.from_url("postgresql://kho:topsecret@localhost/kho")
    assert "topsecret" not in repr(settings) + str(settings)
    assert settings.connect_args()["password"] == "topsecret"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://kho:topsecret@h/kho", "starts with postgresql://"),
        ("postgresql://h/kho", "a user and a database"),
        ("postgresql://kho:topsecret@h", "a user and a database"),
        ("postgresql://kho:topsecret@/kho", "names no host"),
        ("postgresql://kho:topsecret@h:0/kho", "port"),
        ("postgresql://kho:topsecret@h:70000/kho", "port"),
        ("postgresql://kho:topsecret@h:topsecret/kho", "port in digits"),
        ("postgresql://kho:topsecret@a,b/kho", "one host"),
        ("postgresql://kho:topsecret@h/kho?sslmode=prefer", "sslmode must be"),
        ("postgresql://kho:topsecret@h/kho?sslmode=allow", "sslmode must be"),
        ("postgresql://kho:topsecret@h/kho?options=-cfsync=off", "unknown option"),
        ("postgresql://kho:topsecret@h/kho?sslrootcert=/no/such.pem", "TLS file"),
        ("postgresql://kho:topsecret@[h/kho", "cannot be read"),
        ("postgresql://kho:topsecret\u2100@h/kho", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_in_plain_words(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        ConnectionSettings.from_url(url)
    assert "topsecret" not in str(caught.value)


def test_a_damaged_certificate_is_found_at_the_edge(tmp_path: Path) -> None:
    damaged = tmp_path / "root.pem"
    damaged.write_text("no certificate")
    with pytest.raises(ValueError, match="TLS file"):
        ConnectionSettings.from_url(f"postgresql://kho@h/kho?sslrootcert={damaged}")
