"""Caps on everything that whoever made the file chooses, and on what one file may cost."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class FileLimits:
    """What a file may hold; beyond it the answer is FORMAT_FAILURE with RESOURCE_LIMIT."""

    file_bytes: int = 256 * MIB
    """Size of the file. Default 256 MiB."""
    hex_digits: int = 512 * 1024
    """Hex digits in one string, thus in /Contents. Default 524,288; the library takes 16 s for 20 million."""
    certificates: int = 32
    """Certificates in one signature. Default 32."""
    namesakes: int = 5
    """Certificates of one subject in one signature. Default 5; paths grow with the factorial: 8 cost 15 s."""
    fields: int = 256
    """Signature fields. Default 256."""
    form_nodes: int = 20_000
    """Form fields that are visited to find them. Default 20,000."""
    form_depth: int = 32
    """Depth of the form tree. Default 32."""
    revisions: int = 256
    """Revisions of the file. Default 256; difference analysis goes through each."""


@dataclass(frozen=True)
class WorkerLimits:
    """What one worker process may use."""

    workers: int = 2
    """Processes that judge at the same time. Default 2."""
    address_space_bytes: int = 1536 * MIB
    """RLIMIT_AS of each. Default 1.5 GiB."""
    cpu_s: int = 10
    """Processor seconds for one file. Default 10."""
    wall_clock_s: float = 10.0
    """Seconds after which a worker is killed over a file. Default 10."""
    start_s: float = 30.0
    """Seconds that a worker may take to be ready. Default 30; it loads its libraries in about one."""
    files_per_worker: int = 500
    """Files after which a worker is replaced, so that nothing a library leaks can grow. Default 500."""
    waiting: int = 256
    """Files that may wait; one more is refused with VerifierBusy. Default 256."""
    file: FileLimits = FileLimits()
    """What a file may hold."""
