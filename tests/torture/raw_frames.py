"""Bytes that are no gRPC, or hardly: a TLS client that says whatever the seed draws."""

import asyncio
import contextlib
import random
import ssl
import struct
from pathlib import Path

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _HEADERS, _DATA = 4, 1, 0
_LISTEN_S = 0.3
_METHODS = (
    "/kho.v1.ResultService/LookupResult",
    "/kho.v1.UploadService/UploadParts",
    "/kho.v1.UploadService/Begin",
    "/kho.v1.NoService/NoMethod",
    "/" + "x" * 3000,
)


class RawClient:
    """Opens TLS connections with a certificate that the server knows, and misuses them."""

    def __init__(self, address: str, ca: Path, certificate: Path, key: Path) -> None:
        """Connect later."""
        self._host, port = address.rsplit(":", 1)
        self._port = int(port)
        self._context = ssl.create_default_context(cafile=str(ca))
        self._context.load_cert_chain(certificate, key)
        self._context.check_hostname = False
        self._context.set_alpn_protocols(["h2"])

    async def misuse(self, draw: random.Random) -> None:
        """Open one connection, say something, listen a moment, leave. OSError: the server accepts no connection."""
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._context)
        try:
            # In one piece: a server that hangs up in the middle of it is right.
            writer.write(b"".join(_speech(draw)))
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_LISTEN_S):
                    await writer.drain()
                    while await reader.read(65_536):
                        pass
        finally:
            writer.transport.abort()


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    """Put a frame together; RFC 9113, section 4.1."""
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind & 255, flags & 255, stream & 0xFFFFFFFF) + body


def _speech(draw: random.Random) -> list[bytes]:
    chance = draw.random()
    if chance < 0.1:
        return [draw.randbytes(draw.randint(1, 5000))]
    said = [_PREFACE, frame(_SETTINGS, 0, 0, _settings(draw) if chance < 0.3 else b"")]
    if chance < 0.5:
        return [*said, *(_random_frame(draw) for _ in range(draw.randint(1, 60)))]
    for number in range(1, draw.randint(2, 12), 2):
        said.append(frame(_HEADERS, 4, number, _headers(draw)))
        said += [frame(_DATA, 0, number, _body(draw)) for _ in range(draw.randint(0, 4))]
        if draw.random() < 0.2:
            said.append(_random_frame(draw))
        said.append(frame(_DATA, 1, number, b"") if draw.random() < 0.7 else frame(3, 0, number, b"\0\0\0\x08"))
    if draw.random() < 0.2:
        said[-1] = said[-1][: draw.randrange(len(said[-1]))]
    return said


def _random_frame(draw: random.Random) -> bytes:
    body = draw.randbytes(draw.choice((0, 1, 4, 5, 6, 8, 100, 5000)))
    return frame(draw.choice((*range(11), 200)), draw.randrange(256), draw.choice((0, 1, 2, 3, 1 << 31)), body)


def _settings(draw: random.Random) -> bytes:
    pairs = ((draw.randrange(9), draw.choice((0, 1, 16_384, (1 << 31) - 1, (1 << 32) - 1))) for _ in range(6))
    return b"".join(struct.pack(">HI", name, value) for name, value in pairs)


def _headers(draw: random.Random) -> bytes:
    fields = [
        (":method", draw.choice(("POST", "POST", "POST", "GET"))),
        (":scheme", "https"),
        (":path", draw.choice(_METHODS)),
        (":authority", "localhost"),
        ("content-type", draw.choice(("application/grpc", "application/grpc", "text/html"))),
        ("te", "trailers"),
    ]
    if draw.random() < 0.3:
        fields.append((draw.choice(("kho-request-id", "grpc-timeout", "grpc-encoding", "x-bin")), draw.choice(_VALUES)))
    if draw.random() < 0.1:
        draw.shuffle(fields)
    return b"".join(_literal(name) + _literal(value, is_value=True) for name, value in fields)


_VALUES = ("", "1S", "99999999999H", "gzip", "\x7f" * 50, "A" * 9000, "00000000-0000-0000-0000-000000000000")


def _literal(text: str, *, is_value: bool = False) -> bytes:
    """Write a literal header field without indexing, without Huffman code; RFC 7541, section 6.2.2."""
    raw = text.encode("latin-1")
    length = bytes([len(raw)]) if len(raw) < 127 else b"\x7f" + _varint(len(raw) - 127)
    return (b"" if is_value else b"\x00") + length + raw


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


def _body(draw: random.Random) -> bytes:
    message = draw.randbytes(draw.choice((0, 1, 20, 300, 4000)))
    compressed = draw.choice((0, 0, 0, 0, 1, 7))
    length = draw.choice((len(message), len(message), len(message), len(message) + 5, 0, (1 << 32) - 1))
    return struct.pack(">BI", compressed, length) + message
