# ruff: noqa: RUF009 - each call only makes the field that holds a default and its help
"""Every setting of a Kho server: one frozen value, read once, handed down.

A setting comes from its flag of `kho serve`, before the environment variable KHO_NAME, before its default. Nobody else
reads the environment. `options` lists all settings with unit and default, so that `kho serve --help` can.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from kho_server.setting import (
    Address,
    ConfigError,
    Option,
    count,
    file,
    one_of,
    optional,
    repository,
    setting,
    switch,
    text_up_to,
    time,
)

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

DatabaseSource = Literal["auto", "installed", "wheel"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings; the help beside each is its documentation."""

    data: Path = setting("Data folder of this server; made if it is absent, mode 0700.", Path)
    dev: bool = setting(
        "Development: makes certificates in DATA/pki, registers them and grants rights. Never for real data.",
        switch,
        False,
    )
    listen: Address = setting(
        "Where gRPC is served; port 0 takes any free one.", Address.parse, Address("127.0.0.1", 7443)
    )
    ops_listen: Address = setting(
        "Where /metrics, /healthz and /readyz are served, without TLS: keep it on loopback or an inner network. "
        "Port 0 takes any free one.",
        Address.parse,
        Address("127.0.0.1", 7480),
    )
    tls_cert: Path | None = file("Certificate chain of the server, PEM, leaf first. Read again when it changes.")
    tls_key: Path | None = file("Private key of the server, PEM, unencrypted. Read again when it changes.")
    client_ca: Path | None = file(
        "Authorities whose client certificates are accepted, PEM; the direct issuers must be among them. "
        "Read again when it changes."
    )
    trust: Path | None = file("Trust folder for signatures: anchors, intermediates, revocation lists.")
    ready_file: Path | None = file("File that receives JSON (grpc, ops, pid, pki) once the server serves.")
    database_url: str | None = setting(
        "postgresql://USER@HOST/DATABASE of an external PostgreSQL; empty: Kho runs its own in DATA/postgres. "
        "Set it in the environment, not as a flag: it may hold a password.",
        optional(str),
        None,
        is_secret=True,
    )
    database_source: DatabaseSource = setting(
        "Which programs run the own PostgreSQL: installed, wheel, or auto (installed before wheel).",
        lambda text: cast(DatabaseSource, one_of(text, "auto", "installed", "wheel")),
        "auto",
    )
    database_connections: int = count("Connections to PostgreSQL at most.", 16, 2, 200)
    repository_id: str = setting(
        "Repository id, fixed with the first start: codes are unique within it.", repository, "H46"
    )
    result_code_template: str = setting(
        "Form of result codes that the repository makes.",
        lambda text: text_up_to(text, 200),
        "{owner}.{type}.{sequence}",
    )
    chunk_bytes: int = count("Most data in one message of a stream.", 256 * KIB, 4 * KIB, 1 * MIB, "bytes")
    message_bytes: int = count(
        "Largest message that is taken; a Commit that names 10,000 pages has about 1 MiB.",
        2 * MIB,
        64 * KIB,
        16 * MIB,
        "bytes",
    )
    page_bytes: int = count("Largest page.", 32 * MIB, 1 * KIB, GIB, "bytes")
    rendition_bytes: int = count("Largest rendition, such as the signed PDF.", 512 * MIB, 1 * KIB, 4 * GIB, "bytes")
    pages: int = count("Most pages of a document.", 10_000, 1, 10_000)
    unacknowledged_bytes: int = count(
        "Bytes of one upload stream that may be on the way without being acknowledged. Times the streams that are "
        "open, it is memory: 64 stations at 4 MiB held 515 MiB where 400 were allowed.",
        1 * MIB,
        256 * KIB,
        64 * MIB,
        "bytes",
    )
    acknowledge_every_s: float = time("Time after which persisted bytes are acknowledged.", 1.0, 0.05, 10)
    stall_timeout_s: float = time("Time without bytes after which an upload stream is ended.", 45.0, 1, 600)
    lease_s: float = time(
        "Time for which parts of an unfinished upload are kept after its last call.", 7 * 86_400.0, 60, 366 * 86_400
    )
    reserve_bytes: int = count(
        "Free disk below which uploads are refused and reading goes on; 0: never refuse before the disk is full.",
        GIB,
        0,
        1 << 50,
        "bytes",
    )
    batch_lines: int = count("Most lines in one batch.", 500, 1, 500)
    answers_kept_days: int = count("Days for which an answer is repeated for its request id.", 30, 1, 366, "days")
    verify_bytes: int = count("Largest file that is verified.", 100 * MIB, 1 * MIB, GIB, "bytes")
    verify_workers: int = count("Processes that verify at the same time.", 2, 1, 64)
    verify_wall_clock_s: float = time("Time after which a worker is killed over a file.", 10.0, 1, 600)
    verify_address_space_bytes: int = count("Memory that one worker may map.", 1536 * MIB, 256 * MIB, 64 * GIB, "bytes")
    concurrent_rpcs: int = count("Calls that are open at the same time at most.", 2048, 8, 100_000)
    connections: int = count("Connections of clients at most.", 4096, 8, 100_000)
    streams_per_principal: int = count("Streams that one caller may have open.", 128, 1, 10_000)
    revocation_poll_s: float = time(
        "Time between looks for callers that were revoked elsewhere; their calls end within it.", 2.0, 0.1, 4
    )
    segments_every_s: float = time(
        "Time between writing new events into the store itself, so that it tells without the database what happened.",
        30.0,
        0.1,
        3600,
    )
    scrub_bytes_per_s: int = count(
        "Bytes a second that the rolling check of stored bytes reads; 0: no such check.", 8 * MIB, 0, 8 * GIB, "bytes"
    )
    second_copy: Path | None = file("Folder of backups, or other copy of the blobs: damaged ones are repaired from it.")
    drain_s: float = time("Time that open calls get to finish at SIGTERM; 0: end them at once.", 20.0, 0, 3600)
    log_level: LogLevel = setting(
        "What is logged, from debug to error.",
        lambda text: cast(LogLevel, one_of(text, "debug", "info", "warning", "error")),
        "info",
    )

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other: ConfigError."""
        given = [name for name in ("tls_cert", "tls_key", "client_ca") if getattr(self, name) is not None]
        if given and len(given) < 3:
            raise ConfigError("--tls-cert, --tls-key and --client-ca belong together: give all three")
        if self.dev and given:
            raise ConfigError("--dev makes its own certificates: leave --tls-cert, --tls-key and --client-ca out")
        if not self.dev and not given:
            raise ConfigError(
                "mutual TLS is always on: give --tls-cert, --tls-key and --client-ca, or --dev to try Kho out"
            )
        if self.chunk_bytes + 4 * KIB > self.message_bytes:
            raise ConfigError("message_bytes must exceed chunk_bytes by at least 4096: data travels with its header")
        if self.unacknowledged_bytes < 2 * self.chunk_bytes:
            raise ConfigError("unacknowledged_bytes must be at least twice chunk_bytes")

    @classmethod
    def read(cls, flags: Mapping[str, Any], environment: Mapping[str, str]) -> "Config":
        """Read the settings from flags by field name (None and absent: not given) and from KHO_* variables.

        Flags are texts, or values of the right type already. ConfigError: unknown, missing or unusable.
        """
        unknown = sorted(set(flags) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ConfigError(f"there is no setting called {', '.join(unknown)}")
        values: dict[str, Any] = {}
        for option in options():
            given = flags.get(option.name)
            text = environment.get(option.variable) if given is None else given
            if text is None:
                if option.is_required:
                    raise ConfigError(f"{option.flag} (or {option.variable}) is missing: {option.help}")
                continue
            values[option.name] = option.parse(text) if isinstance(text, str) else text
        return cls(**values)


def options() -> Iterator[Option]:
    """Yield every setting, in the order of Config."""
    for field in dataclasses.fields(Config):
        is_required = field.default is dataclasses.MISSING
        yield Option(
            name=field.name,
            flag="--" + field.name.replace("_", "-"),
            variable="KHO_" + field.name.upper(),
            help=field.metadata["help"],
            unit=field.metadata["unit"],
            default="" if is_required else _default_text(field.default),
            is_switch=field.type in (bool, "bool"),
            is_required=is_required,
            _parse=field.metadata["parse"],
        )


def _default_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)
