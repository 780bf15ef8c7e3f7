"""The progress bar of an upload."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kho_cli.terminal import Terminal
from kho_client.upload import UploadProgress


@contextmanager
def upload_bar(terminal: Terminal) -> Iterator[Callable[[UploadProgress], None]]:
    """Show durable bytes of the bytes known so far, the parts that are whole, and every new attempt."""
    with terminal.progress() as bar:
        task = bar.add_task("đang nối / connecting", total=None)

        def show(progress: UploadProgress) -> None:
            parts = f"{progress.parts_complete}/{progress.parts_declared}"
            again = f", lần / attempt {progress.attempts}" if progress.attempts > 1 else ""
            bar.update(
                task,
                description=f"đang gửi / sending {parts}{again}",
                total=progress.bytes_known or None,
                completed=progress.bytes_acknowledged,
            )

        yield show
