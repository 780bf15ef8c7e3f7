"""The progress bar of an upload."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kho_cli.terminal import Terminal
from kho_client.upload import UploadProgress


@contextmanager
def upload_bar(terminal: Terminal, files: Sequence[Path | None]) -> Iterator[Callable[[UploadProgress], None]]:
    """Show durable bytes of all bytes of the files, the parts that are whole, and every new attempt."""
    size_bytes = sum(path.stat().st_size for path in files if path is not None and path.is_file())
    with terminal.progress() as bar:
        task = bar.add_task("đang nối / connecting", total=size_bytes)

        def show(progress: UploadProgress) -> None:
            parts = f"{progress.parts_complete}/{progress.parts_declared}"
            again = f", lần / attempt {progress.attempts}" if progress.attempts > 1 else ""
            bar.update(
                task,
                description=f"đang gửi / sending {parts}{again}",
                total=size_bytes,
                completed=progress.bytes_acknowledged,
            )

        yield show
