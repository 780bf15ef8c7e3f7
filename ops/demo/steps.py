"""The steps of the demo and what each came to: counts, bytes, seconds, outcome."""

import asyncio
import contextlib
import enum
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kho_client.errors import KhoError


class Step(enum.Enum):
    """What the demo does, in the order of its table; the value is its name for desks and for operators."""

    START = ("Máy chủ khởi động", "server and its PostgreSQL start")
    REGISTER = ("Đăng ký bộ phận một cửa thứ hai", "second one-stop desk registered")
    RESERVE = ("Cấp mã kết quả trước khi in", "result codes reserved first")
    SCAN = ("Quét giấy tờ", "papers scanned")
    SIGN_OFFICER = ("Cán bộ số hóa ký số", "signed by officers")
    SIGN_AGENCY = ("Cơ quan ký số", "signed by agencies")
    STORE = ("Vừa quét vừa gửi, niêm phong", "streamed while scanning, sealed")
    RECIPE = ("Gửi tệp PDF đã ký", "signed PDFs sent as recipes")
    LINK = ("Đứt mạng giữa một trang", "link lost inside a page, resumed")
    KILL = ("Máy chủ chết đột ngột, chạy lại", "server killed (SIGKILL), restarted")
    LATER = ("Cơ quan ký sau", "agency signed later: version 2")
    VERDICT = ("Kiểm tra chữ ký số", "signatures verified")
    READ_BACK = ("Đọc lại, so mã băm", "read back, digests compared")
    LOOKUP = ("Cơ quan khác tra cứu theo mã", "agency-b looks up by both codes")
    REUSE = ("Cơ quan khác tái sử dụng", "agency-b fetches for a dossier")
    TAMPER = ("Bản bị sửa một byte", "a copy with one byte changed")
    REFUSE = ("Người không có quyền", "callers without a right")
    ACCESS = ("Nhật ký sử dụng", "access records")

    @property
    def vi(self) -> str:
        """Name for people at desks."""
        return self.value[0]

    @property
    def en(self) -> str:
        """Name for operators."""
        return self.value[1]


class Expected(Exception):
    """Something came out other than it must; the message says what, in English."""


class StepFailed(Exception):
    """A step failed; the cause is why."""

    def __init__(self, step: Step, cause: BaseException) -> None:
        """Keep which step, and why."""
        super().__init__(f"{step.en}: {cause}")
        self.step = step
        self.cause = cause

    def reasons(self) -> tuple[str, ...]:
        """Return why in words: Vietnamese and English when the server or client said so."""
        if isinstance(self.cause, KhoError):
            facts = [self.cause.reason or self.cause.code]
            if self.cause.request_id:
                facts.append(f"request {self.cause.request_id}")
            where = f" [{', '.join(facts)}]"
            return self.cause.message_vi, self.cause.message_en + where
        if isinstance(self.cause, Expected):
            return (str(self.cause),)
        return (f"{type(self.cause).__name__}: {self.cause}",)


@dataclass(slots=True)
class Row:
    """What a step came to; bytes stay None where none matter.

    `seconds` is the time in which at least one part of it ran: steps overlap, so their sum is more than the whole.
    """

    step: Step
    count: int = 0
    size_bytes: int | None = None
    outcome_vi: str = ""
    outcome_en: str = ""
    seconds: float = 0.0
    is_begun: bool = False
    is_failed: bool = False
    _running: int = 0
    _since: float = 0.0

    @property
    def is_done(self) -> bool:
        """Tell whether it came to its end and did not fail."""
        return bool(self.outcome_en) and not self.is_failed

    def add(self, count: int, size_bytes: int | None = None) -> None:
        """Count what was done."""
        self.count += count
        if size_bytes is not None:
            self.size_bytes = (self.size_bytes or 0) + size_bytes

    def begins(self, at: float) -> None:
        """Note that a part of it begins."""
        self.is_begun = True
        if self._running == 0:
            self._since = at
        self._running += 1

    def ends(self, at: float) -> None:
        """Note that a part of it ends."""
        self._running -= 1
        if self._running == 0:
            self.seconds += at - self._since


class StepBook:
    """Keeps a row for each step; a step may run many times, also at the same time."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_end: Callable[[Row], None] = lambda row: None,
    ) -> None:
        """`on_end` is told of each step that is finished or has failed."""
        self.rows = {step: Row(step) for step in Step}
        self._clock = clock
        self._on_end = on_end
        self._began_at = clock()

    @property
    def seconds(self) -> float:
        """Since the book was opened."""
        return self._clock() - self._began_at

    @contextlib.contextmanager
    def run(self, step: Step) -> Iterator[Row]:
        """Run (a part of) a step; whatever goes wrong in it comes out as StepFailed with its name."""
        row = self.rows[step]
        row.begins(self._clock())
        failed: Exception | None = None
        try:
            yield row
        except (StepFailed, asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseExceptionGroup as group:
            failed = first_failure(group)
            if failed is None:
                raise
        except Exception as error:
            failed = error
        finally:
            row.ends(self._clock())
        if failed is not None:
            raise self._failed(row, failed) from failed

    def finish(self, step: Step, vi: str, en: str) -> None:
        """Say what a step came to, in both languages."""
        row = self.rows[step]
        row.outcome_vi, row.outcome_en = vi, en
        self._on_end(row)

    def _failed(self, row: Row, error: Exception) -> StepFailed:
        if isinstance(error, StepFailed):
            return error
        failure = StepFailed(row.step, error)
        row.is_failed = True
        row.outcome_vi, row.outcome_en = "KHÔNG ĐẠT", "FAILED"
        self._on_end(row)
        return failure


def first_failure(group: BaseExceptionGroup[BaseException]) -> Exception | None:
    """Return the first error in a group that is no cancellation; what failed first made the others end."""
    for error in group.exceptions:
        found = first_failure(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, Exception) and not isinstance(found, asyncio.CancelledError):
            return found
    return None


def expect(claim: bool, otherwise: str) -> None:
    """Raise Expected unless the claim holds."""
    if not claim:
        raise Expected(otherwise)
