"""The doubles in memory do what the real ones do."""

import pytest

from tests.contracts.access_log import AccessLogContract
from tests.contracts.answer_book import AnswerBookContract
from tests.doubles.memory_access import MemoryAccessLog, MemoryAnswerBook


class TestMemoryAccessLog(AccessLogContract):
    """The contract, in memory."""

    @pytest.fixture
    def log(self) -> MemoryAccessLog:
        """Give an empty log."""
        return MemoryAccessLog()


class TestMemoryAnswerBook(AnswerBookContract):
    """The contract, in memory."""

    @pytest.fixture
    def book(self) -> MemoryAnswerBook:
        """Give an empty book."""
        return MemoryAnswerBook()
