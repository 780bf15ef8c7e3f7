"""What every ManifestStore does; a back-end's test inherits the class and gives the fixture `store`."""

import asyncio
from uuid import UUID

import pytest

from kho_storage.digest import Digest
from kho_storage.errors import BlobNotFound, Conflict
from kho_storage.parts import ManifestName
from kho_storage.ports import ManifestStore


def name_of(agency: int = 1, document: int = 1, version: int = 1, commit: int = 1) -> ManifestName:
    """Return a name of small numbers."""
    return ManifestName(UUID(int=agency), UUID(int=document), version, UUID(int=commit))


class ManifestStoreContract:
    """The suite."""

    @pytest.fixture
    def store(self) -> ManifestStore:
        """Return an empty store."""
        raise NotImplementedError

    async def test_a_sealed_manifest_comes_back(self, store: ManifestStore) -> None:
        data = b'{"pages": []}' * 50_000
        assert await store.seal(name_of(), data) == Digest.of(data)
        assert await store.read(name_of()) == data

    async def test_the_same_seal_twice_is_success(self, store: ManifestStore) -> None:
        assert await store.seal(name_of(), b"{}") == await store.seal(name_of(), b"{}")

    async def test_a_name_is_never_given_to_other_bytes(self, store: ManifestStore) -> None:
        await store.seal(name_of(), b"{}")
        with pytest.raises(Conflict) as caught:
            await store.seal(name_of(), b"[]")
        assert caught.value.constraint == "manifest_sealed"
        assert await store.read(name_of()) == b"{}"

    async def test_one_of_many_at_once_wins(self, store: ManifestStore) -> None:
        tries = [b"%d" % number for number in range(8)]
        answers = await asyncio.gather(*(store.seal(name_of(), data) for data in tries), return_exceptions=True)
        won = [answer for answer in answers if isinstance(answer, Digest)]
        assert won == [Digest.of(await store.read(name_of()))]
        assert all(isinstance(answer, Conflict | Digest) for answer in answers)

    async def test_an_unknown_manifest_is_not_found(self, store: ManifestStore) -> None:
        with pytest.raises(BlobNotFound):
            await store.read(name_of())

    async def test_delete_is_idempotent(self, store: ManifestStore) -> None:
        await store.delete(name_of())
        await store.seal(name_of(), b"{}")
        await store.seal(name_of(commit=2), b"[]")
        await store.delete(name_of())
        await store.delete(name_of())
        assert [name async for name in store.walk()] == [name_of(commit=2)]

    async def test_walk_is_in_ascending_order(self, store: ManifestStore) -> None:
        names = [name_of(a, d, v, c) for a in (2, 1) for d in (1, 11, 2) for v in (10, 9, 1) for c in (2, 1)]
        for name in names:
            await store.seal(name, b"{}")
        assert [name async for name in store.walk()] == sorted(names)

    async def test_walk_of_an_empty_store(self, store: ManifestStore) -> None:
        assert [name async for name in store.walk()] == []
