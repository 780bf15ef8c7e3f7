"""`kho` as one of the development callers types it."""

from typing import Any

from tests.clients.cli.kho_process import Ran, kho
from tests.end_to_end.serving import Server


def settings_of(server: Server, name: str) -> dict[str, str]:
    """Return the environment of a caller."""
    pki = server.pki
    return {
        "KHO_SERVER": server.address,
        "KHO_CERT": str(pki.certificate(name)),
        "KHO_KEY": str(pki.key(name)),
        "KHO_CA": str(pki.ca),
    }


async def kho_at(server: Server, name: str, *arguments: object) -> Ran:
    """Run `kho` as one of the development callers."""
    return await kho_with(settings_of(server, name), *arguments)


async def kho_with(environ: dict[str, str], *arguments: object) -> Ran:
    """Run `kho` with nothing but these KHO_* variables."""
    given: dict[str, Any] = dict(environ)
    return await kho(*arguments, **given)
