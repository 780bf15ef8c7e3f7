"""What every BlobStore does; a back-end's test inherits the class and gives the fixture `store`."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kho_storage.digest import Digest
from kho_storage.errors import BlobNotFound, DigestMismatch
from kho_storage.parts import BlobSource
from kho_storage.ports import BlobStore

PIECE = 256 * 1024


def source_of(data: bytes, claimed: Digest | None = None) -> BlobSource:
    """Return bytes in memory as a source, in pieces that are not the store's."""

    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    return BlobSource(claimed or Digest.of(data), read)


async def read_whole(store: BlobStore, digest: Digest, offset: int = 0, length: int | None = None) -> bytes:
    """Return all that `read` yields."""
    return b"".join([piece async for piece in store.read(digest, offset, length)])


class BlobStoreContract:
    """The suite."""

    @pytest.fixture
    def store(self) -> BlobStore:
        """Return an empty store."""
        raise NotImplementedError

    async def test_stored_bytes_come_back(self, store: BlobStore) -> None:
        data = bytes(range(256)) * 3000
        await store.put([source_of(data)])
        assert await read_whole(store, Digest.of(data)) == data

    @pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
    async def test_pieces_have_256_kib_but_the_last(self, store: BlobStore, size: int) -> None:
        data = b"k" * size
        await store.put([source_of(data)])
        pieces = [piece async for piece in store.read(Digest.of(data))]
        assert b"".join(pieces) == data
        assert all(len(piece) == PIECE for piece in pieces[:-1])
        assert all(0 < len(piece) <= PIECE for piece in pieces[-1:])

    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, 0), (0, 1), (5, 10), (PIECE - 1, 2), (1, PIECE), (10, None), (599_999, 5), (600_000, 1), (10**9, 3)],
    )
    async def test_ranges(self, store: BlobStore, offset: int, length: int | None) -> None:
        data = bytes(i % 251 for i in range(600_000))
        await store.put([source_of(data)])
        wanted = data[offset:] if length is None else data[offset : offset + length]
        assert await read_whole(store, Digest.of(data), offset, length) == wanted

    @pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1)])
    async def test_negative_range_is_refused(self, store: BlobStore, offset: int, length: int | None) -> None:
        await store.put([source_of(b"abc")])
        with pytest.raises(ValueError):
            await read_whole(store, Digest.of(b"abc"), offset, length)

    async def test_the_same_bytes_twice_are_stored_once(self, store: BlobStore) -> None:
        await store.put([source_of(b"page"), source_of(b"page")])
        await store.put([source_of(b"page")])
        assert [digest async for digest in store.walk()] == [Digest.of(b"page")]

    async def test_concurrent_puts_of_the_same_bytes(self, store: BlobStore) -> None:
        data = b"stamp" * 100_000
        await asyncio.gather(*(store.put([source_of(data), source_of(b"%d" % i)]) for i in range(8)))
        assert await read_whole(store, Digest.of(data)) == data
        assert len([digest async for digest in store.walk()]) == 9

    async def test_many_sources_in_one_call(self, store: BlobStore) -> None:
        pages = [b"page %d" % number for number in range(100)]
        await store.put([source_of(page) for page in pages])
        for page in pages:
            assert await read_whole(store, Digest.of(page)) == page

    async def test_nothing_to_put(self, store: BlobStore) -> None:
        await store.put([])
        assert [digest async for digest in store.walk()] == []

    async def test_unknown_bytes_are_not_found_before_the_first_piece(self, store: BlobStore) -> None:
        for offset in (0, 10):
            with pytest.raises(BlobNotFound) as caught:
                await read_whole(store, Digest.of(b"absent"), offset)
            assert caught.value.sha256 == Digest.of(b"absent").sha256

    async def test_a_source_that_lies_is_not_stored(self, store: BlobStore) -> None:
        claimed = Digest.of(b"what was declared")
        with pytest.raises(DigestMismatch):
            await store.put([source_of(b"what was sent", claimed)])
        assert await store.find(claimed.sha256) is None
        assert [digest async for digest in store.walk()] == []

    async def test_a_failing_source_leaves_nothing_half(self, store: BlobStore) -> None:
        async def read() -> AsyncIterator[bytes]:
            yield b"first"
            raise ConnectionError("the other side went away")

        with pytest.raises(ConnectionError):
            await store.put([BlobSource(Digest.of(b"first and second"), read)])
        assert [digest async for digest in store.walk()] == []

    async def test_find(self, store: BlobStore) -> None:
        digest = Digest.of(b"found")
        assert await store.find(digest.sha256) is None
        await store.put([source_of(b"found")])
        assert await store.find(digest.sha256) == digest

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
    async def test_find_refuses_what_is_no_digest(self, store: BlobStore, name: str) -> None:
        with pytest.raises(ValueError):
            await store.find(name)

    async def test_delete_is_idempotent(self, store: BlobStore) -> None:
        await store.put([source_of(b"gone"), source_of(b"stays")])
        await store.delete(Digest.of(b"gone"))
        await store.delete(Digest.of(b"gone"))
        assert await store.find(Digest.of(b"gone").sha256) is None
        assert await read_whole(store, Digest.of(b"stays")) == b"stays"

    async def test_deleted_bytes_can_be_stored_again(self, store: BlobStore) -> None:
        await store.put([source_of(b"back")])
        await store.delete(Digest.of(b"back"))
        await store.put([source_of(b"back")])
        assert await read_whole(store, Digest.of(b"back")) == b"back"

    async def test_walk_is_in_ascending_order(self, store: BlobStore) -> None:
        pages = [b"%d" % number for number in range(50)]
        await store.put([source_of(page) for page in pages])
        assert [digest async for digest in store.walk()] == sorted(map(Digest.of, pages))

    async def test_a_reader_may_stop_early(self, store: BlobStore) -> None:
        data = b"x" * (4 * PIECE)
        await store.put([source_of(data)])
        async for piece in store.read(Digest.of(data)):
            assert len(piece) == PIECE
            break
        assert await read_whole(store, Digest.of(data)) == data
