"""Makes the signature vectors: `python -m tests.vectors.signatures.make FOLDER` writes every file with its answer.

The tests make them in memory; keys are new in each run, names and answers are not.
"""

import json
import sys
from pathlib import Path

from tests.vectors.signatures.document_cases import document_cases
from tests.vectors.signatures.good_cases import good_cases
from tests.vectors.signatures.path_cases import path_cases
from tests.vectors.signatures.value_cases import value_cases
from tests.vectors.signatures.vector import Vector


def all_vectors() -> list[Vector]:
    """Return every vector, by row."""
    found = [*document_cases(), *value_cases(), *path_cases(), *good_cases()]
    return sorted(found, key=lambda vector: (vector.row, vector.name))


def write(folder: Path) -> int:
    """Write the files, what is trusted beside each, and a list of answers; return how many."""
    manifest = []
    vectors = all_vectors()
    for vector in vectors:
        material = vector.material()
        stem = f"{vector.row:02}-{vector.name}"
        place = folder / stem
        trust = place / "trust"
        trust.mkdir(parents=True, exist_ok=True)
        kind = "pdf" if material.data.startswith(b"%PDF") else "bin"
        (place / f"{stem}.{kind}").write_bytes(material.data)
        if material.content is not None:
            (place / "content").write_bytes(material.content)
        certificates = [*(anchor.certificate for anchor in material.trust.anchors), *material.trust.intermediates]
        for number, certificate in enumerate(certificates):
            (trust / f"{number:03}.cer").write_bytes(certificate.dump())
        for number, revocations in enumerate(material.trust.crls):
            (trust / f"{number:03}.crl").write_bytes(revocations.dump())
        for number, answer in enumerate(material.trust.ocsps):
            (trust / f"{number:03}.ors").write_bytes(answer.dump())
        row = {"row": vector.row, "name": vector.name, "expected": vector.expected, "remark": vector.remark}
        manifest.append({**row, "at": material.at.isoformat()})
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return len(vectors)


if __name__ == "__main__":
    print(write(Path(sys.argv[1])), "vectors written")
