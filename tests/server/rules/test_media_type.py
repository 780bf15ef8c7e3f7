"""Media types are told by content."""

import io

import pytest
from PIL import Image

from kho_server.rules.errors import MediaTypeRefused
from kho_server.rules.media_type import HEAD_BYTES, MediaType


def drawn(form: str, **options: str) -> bytes:
    sink = io.BytesIO()
    Image.new("1" if form == "TIFF" else "RGB", (16, 16)).save(sink, form, **options)
    return sink.getvalue()


@pytest.mark.parametrize("media_type", list(MediaType))
def test_real_files_are_recognised_by_their_head(media_type: MediaType) -> None:
    options = {"compression": "group4"} if media_type is MediaType.TIFF else {}
    head = drawn(media_type.name, **options)[:HEAD_BYTES]
    assert MediaType.of_content("page", head) is media_type
    media_type.check_content("page", head)
    assert MediaType.parse("media_type", media_type.mime) is media_type


def test_big_endian_tiff() -> None:
    assert MediaType.of_content("page", b"MM\x00\x2a\x00\x00\x00\x08") is MediaType.TIFF


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\x00",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\n\x1a\n\x00\x00\x00\x0dIHDR",
        b"II\x2b\x00\x08\x00\x00\x00",
        b"%PDF-",
        b"%PDF-x.4",
        b"\xef\xbb\xbf%PDF-1.7\n",
        b"\n%PDF-1.7\n",
        b"MZ\x90\x00%PDF-1.7",
        b"PK\x03\x04",
        b"<html>",
        b"GIF89a",
        b"BM6\x00",
    ],
)
def test_anything_else_is_not(head: bytes) -> None:
    with pytest.raises(MediaTypeRefused, match="MEDIA_TYPE_NOT_RECOGNISED"):
        MediaType.of_content("page", head)


def test_declared_against_content() -> None:
    with pytest.raises(MediaTypeRefused) as caught:
        MediaType.JPEG.check_content("page", drawn("PNG"))
    assert caught.value.reason == "MEDIA_TYPE_MISMATCH"
    assert "image/png" in caught.value.text_vi


@pytest.mark.parametrize("name", ["", "image/jpg", "IMAGE/JPEG", "image/gif", "application/pdf;x=y"])
def test_unknown_declarations(name: str) -> None:
    with pytest.raises(MediaTypeRefused, match="MEDIA_TYPE_UNKNOWN"):
        MediaType.parse("media_type", name)
