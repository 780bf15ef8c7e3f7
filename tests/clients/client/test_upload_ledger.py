"""The arithmetic of resuming, as properties."""

from hypothesis import given
from hypothesis import strategies as st

from kho.v1 import document_pb2, upload_service_pb2
from kho_client.parts import page
from kho_client.upload_ledger import UploadLedger


def progress(number: int, persisted: int, *, is_complete: bool = False) -> upload_service_pb2.PartProgress:
    key = document_pb2.PartKey(kind=document_pb2.PART_KIND_PAGE, number=number)
    return upload_service_pb2.PartProgress(key=key, persisted_bytes=persisted, is_complete=is_complete)


@given(
    size=st.integers(1, 5_000),
    earlier=st.integers(0, 4_999),
    chunk=st.integers(1, 700),
    breaks=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6),
)
def test_every_byte_is_counted_once(size: int, earlier: int, chunk: int, breaks: list[tuple[int, int]]) -> None:
    """However a page is cut: sent - resent + skipped is its size, and nothing persisted is sent again."""
    ledger = UploadLedger()
    persisted = min(earlier, size - 1)
    plans = [*breaks, None]
    for plan in plans:
        ledger.reopened([progress(1, persisted)] if persisted else [])
        assert ledger.unacknowledged_bytes == 0
        at = ledger.begins(page(1))
        assert at == persisted
        sent_messages = 0
        while at < size and (plan is None or sent_messages < plan[0]):
            length = min(chunk, size - at)
            ledger.sends(page(1), at, length)
            at += length
            sent_messages += 1
        acknowledged = at if plan is None else max(persisted, min(at, persisted + plan[1] * chunk))
        assert ledger.unacknowledged_bytes == at - persisted
        ledger.acknowledged(progress(1, acknowledged, is_complete=acknowledged == size))
        persisted = acknowledged
        if persisted == size:
            break
    assert ledger.is_complete(page(1))
    assert ledger.unacknowledged_bytes == 0
    assert ledger.bytes_sent - ledger.bytes_resent + ledger.bytes_skipped == size


def test_an_acknowledgement_that_says_nothing_new_is_no_progress() -> None:
    ledger = UploadLedger()
    assert ledger.acknowledged(progress(1, 10))
    assert not ledger.acknowledged(progress(1, 10))
    assert ledger.acknowledged(progress(1, 10, is_complete=True))


def test_copies_are_skipped_bytes_and_never_in_flight() -> None:
    ledger = UploadLedger()
    ledger.begins(page(1))
    ledger.sends(page(1), 0, 100, is_copy=True)
    assert (ledger.bytes_skipped, ledger.bytes_sent, ledger.unacknowledged_bytes) == (100, 0, 0)


def test_a_server_that_forgot_is_believed() -> None:
    ledger = UploadLedger()
    ledger.begins(page(1))
    ledger.sends(page(1), 0, 100)
    ledger.acknowledged(progress(1, 100, is_complete=True))
    ledger.reopened([])
    assert ledger.begins(page(1)) == 0
    ledger.sends(page(1), 0, 100)
    assert (ledger.bytes_sent, ledger.bytes_resent) == (200, 100)


def test_what_another_connection_brought_is_skipped() -> None:
    ledger = UploadLedger()
    ledger.begins(page(1))
    ledger.sends(page(1), 0, 100)
    ledger.reopened([progress(1, 250)])
    assert ledger.begins(page(1)) == 250
    ledger.sends(page(1), 250, 50)
    assert (ledger.bytes_sent, ledger.bytes_resent, ledger.bytes_skipped) == (150, 0, 150)
