"""Structural fuzz of gate and enumerator: `python -m tests.server.verification.fuzz_signatures [SECONDS] [SEED]`.

Takes honest files apart at their tokens and puts them together wrongly. A finding is an exception, an answer later
than the bound, or TOTAL_PASSED for bytes whose signed part differs from the original's; its file is written here.
"""

import logging
import random
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kho_server.verification.engine import judge
from kho_server.verification.verdict import Indication
from tests.vectors.signatures.document_cases import base, both
from tests.vectors.signatures.pki import AT, world

BOUND_S = 10.0
_TOKEN = re.compile(rb"\d+ \d+ obj|endobj|stream|endstream|xref|trailer|startxref|/[A-Za-z]+|<<|>>|\[|\]|\d+ \d+ R|\d+")
_VALUE = re.compile(rb"<[0-9A-Fa-f]{2000,}>")
_INSERTED = (b"null", b"<<", b">>", b"[", b"0 0 R", b"1 0 R", b"-1", b"99999999999", b"/Kids", b"/V", b"%%EOF", b"(")


@dataclass(frozen=True)
class Finding:
    """What went wrong, and the file; keys are new in each run, so that a seed alone would not make it again."""

    seed: int
    what: str
    data: bytes


def mutated(pdf: bytes, random_of: random.Random) -> bytes:
    """Change a few tokens outside the signature values."""
    tokens = [found.span() for found in _TOKEN.finditer(pdf)]
    out = pdf
    for _ in range(random_of.randint(1, 4)):
        start, end = random_of.choice(tokens)
        choice = random_of.randrange(5)
        other_start, other_end = random_of.choice(tokens)
        if choice == 0:
            out = out[:start] + out[end:]
        elif choice == 1:
            out = out[:start] + random_of.choice(_INSERTED) + out[start:]
        elif choice == 2:
            out = out[:start] + out[other_start:other_end] + out[end:]
        elif choice == 3:
            out = out + out[min(start, other_start) : max(end, other_end)]
        else:
            out = out[:start] + out[start:end] * random_of.randint(2, 50) + out[end:]
    return out


def fuzz(seconds: float, seed: int, most: int = sys.maxsize) -> tuple[int, list[Finding]]:
    """Fuzz for a time or a number of files; return how many were judged, and what was found."""
    originals = (base(), both())
    trust = world().trust()
    until = time.monotonic() + seconds
    findings: list[Finding] = []
    count = 0
    while time.monotonic() < until and count < most:
        one_seed = seed + count
        random_of = random.Random(one_seed)
        original = random_of.choice(originals)
        changed = mutated(original, random_of)
        began = time.monotonic()
        try:
            verdict = judge(changed, trust, AT)
        except Exception as error:  # the very thing that is looked for
            findings.append(Finding(one_seed, repr(error), changed))
        else:
            if verdict.indication is Indication.TOTAL_PASSED and not _is_honest(changed, originals):
                findings.append(Finding(one_seed, "passed", changed))
        if time.monotonic() - began > BOUND_S:
            findings.append(Finding(one_seed, "late", changed))
        count += 1
    return count, findings


def _is_honest(changed: bytes, originals: tuple[bytes, ...]) -> bool:
    """Tell whether what somebody signed is whole: white space may follow, nobody signs padding."""
    return any(_VALUE.sub(b"<>", changed).rstrip() == _VALUE.sub(b"<>", one).rstrip() for one in originals)


if __name__ == "__main__":
    asked = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    first = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    logging.disable(logging.CRITICAL)  # the library tells of every odd byte
    judged, found = fuzz(asked, first)
    print(f"seed {first}: {judged} files judged, {len(found)} findings")
    for finding in found:
        place = Path(f"finding-{finding.seed}.pdf")
        place.write_bytes(finding.data)
        print(place, finding.what)
    sys.exit(1 if found else 0)
