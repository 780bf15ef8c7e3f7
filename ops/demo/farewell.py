"""What to do with a server that was left running: commands to try, and how to stop it."""

import shlex
from pathlib import Path

from rich.console import Console

from ops.demo.colleagues import PURPOSE_DOSSIER
from ops.demo.report import Report


def kept(report: Report, folder: Path, console: Console) -> None:
    """Name commands that work as they stand, and how to end it all."""
    at = report.addresses
    document = next(each for each in report.documents if each.pages)

    def kho(caller: str, words: str) -> str:
        command, _, rest = words.partition(" ")
        where = f"--server {at.grpc} --ca $P/ca.crt --cert $P/{caller}.crt --key $P/{caller}.key"
        return f".venv/bin/kho {command} {where} {rest}".rstrip()

    commands = (
        ("Chứng thư thử nghiệm / the development certificates", f"P={shlex.quote(str(at.pki))}"),
        ("Tra cứu theo mã kết quả / look up by result code", kho("agency-b", f"lookup {document.result_code}")),
        ("Tra cứu theo mã công khai / by public code", kho("agency-b", f"lookup {document.public_code}")),
        (
            "Tái sử dụng cho một hồ sơ / fetch for a dossier",
            kho("agency-b", f"fetch {document.public_code} --purpose {PURPOSE_DOSSIER} -o result.pdf"),
        ),
        ("Cơ quan không có quyền / an agency without a grant", kho("agency-c", f"lookup {document.result_code}")),
        ("Xem văn bản của mình / show an own document", kho("station", f"show {document.document_id}")),
        ("Kiểm tra chữ ký của một tệp / judge a file", kho("agency-b", f"verify {shlex.quote(str(document.signed))}")),
        ("Kiểm tra kết nối / check this connection", kho("station", "doctor")),
        ("Số đo / metrics", f"curl -s http://{at.ops}/metrics | grep ^kho_"),
    )
    console.print()
    console.print("Máy chủ vẫn đang chạy; hãy thử: / The server is still running; try:", style="bold", soft_wrap=True)
    for what, command in commands:
        console.print(f"  # {what}", style="dim", soft_wrap=True)
        console.print(f"  {command}", markup=False, soft_wrap=True)
    console.print("  # Dừng và xóa / stop it and delete everything", style="dim", soft_wrap=True)
    stop = f"kill {at.pid}; while kill -0 {at.pid} 2>/dev/null; do sleep 0.2; done; rm -rf {shlex.quote(str(folder))}"
    console.print(f"  {stop}", markup=False, soft_wrap=True)
