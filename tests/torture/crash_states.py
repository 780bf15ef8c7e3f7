"""Every state in which a cut of power may leave a recorded disk."""

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.recorded_disk import Cut, Named, Step, Synced, Told, Unnamed, Written

# Of an unsynced write: nothing, all, its first half, or room without bytes. Of everything else: nothing, or all.
_FATES = {Written: ("lost", "whole", "half", "zeros"), Cut: ("lost", "whole")}
_NAME_FATES = ("lost", "whole")
# So many combinations of one moment are tried one by one; of more, so many are drawn.
_EXHAUSTIVE = 96


@dataclass
class Left:
    """What is on the disk after the cut, and what was promised before it."""

    folders: dict[int, dict[str, tuple[int, bool]]] = field(default_factory=lambda: {0: {}})
    files: dict[int, bytearray] = field(default_factory=dict)
    promises: dict[tuple[object, ...], object] = field(default_factory=dict)
    moment: int = 0
    fates: str = ""

    def digest(self) -> bytes:
        """Return a digest of all that can be found, to try each state once."""
        hasher = hashlib.sha256(repr(sorted(self.promises.items(), key=repr)).encode())
        self._digest(0, hasher)
        return hasher.digest()

    def _digest(self, folder: int, hasher: "hashlib._Hash") -> None:
        for name, (thing, is_folder) in sorted(self.folders.get(folder, {}).items()):
            hasher.update(f"/{name}/{is_folder}/".encode())
            if is_folder:
                self._digest(thing, hasher)
                hasher.update(b"..")
            else:
                hasher.update(hashlib.sha256(self.files.get(thing, b"")).digest())

    def make(self, place: Path, folder: int = 0) -> None:
        """Write it down as real files and folders; hard links stay links."""
        made: dict[int, Path] = {}
        self._make(place, folder, made)

    def _make(self, place: Path, folder: int, made: dict[int, Path]) -> None:
        place.mkdir(exist_ok=True)
        for name, (thing, is_folder) in self.folders.get(folder, {}).items():
            if is_folder:
                self._make(place / name, thing, made)
            elif thing in made:
                (place / name).hardlink_to(made[thing])
            else:
                (place / name).write_bytes(self.files.get(thing, b""))
                made[thing] = place / name


def crash_states(steps: Sequence[Step], draw: random.Random, at_most: int | None = None) -> Iterator[Left]:
    """Yield states after each step, each different one once; `at_most`: at so many moments only, drawn."""
    moments: Sequence[int] = range(len(steps) + 1)
    if at_most is not None and at_most < len(moments):
        moments = sorted(draw.sample(moments, at_most))
    seen: set[bytes] = set()
    for moment in moments:
        before = steps[:moment]
        open_ones = _unsynced(before)
        for fates in _combinations(before, open_ones, draw):
            left = _left(before, dict(zip(open_ones, fates, strict=True)))
            key = left.digest()
            if key not in seen:
                seen.add(key)
                yield left


def _unsynced(steps: Sequence[Step]) -> list[int]:
    """Return the steps that no sync is sure to have covered."""
    covered: dict[int, int] = {}
    for step in steps:
        if isinstance(step, Synced):
            covered[step.thing] = max(covered.get(step.thing, 0), step.began)
    found = []
    for number, step in enumerate(steps):
        if isinstance(step, Written | Cut):
            things: tuple[int, ...] = (step.file,)
        elif isinstance(step, Named):
            things = (step.folder,) if step.old is None else (step.folder, step.old[0])
        elif isinstance(step, Unnamed):
            things = (step.folder,)
        else:
            continue
        if all(number >= covered.get(thing, 0) for thing in things):
            found.append(number)
    return found


def _combinations(steps: Sequence[Step], numbers: Sequence[int], draw: random.Random) -> Iterator[tuple[str, ...]]:
    choices = [_FATES.get(type(steps[number]), _NAME_FATES) for number in numbers]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count <= _EXHAUSTIVE:
        yield from itertools.product(*choices)
        return
    yield tuple("lost" for _ in choices)
    yield tuple("whole" for _ in choices)
    # As a journal would have it, in order up to a point, and then as nobody would.
    for _ in range(_EXHAUSTIVE // 4):
        kept = draw.randrange(len(choices))
        yield tuple("whole" if place < kept else "lost" for place in range(len(choices)))
    for _ in range(_EXHAUSTIVE // 2):
        yield tuple(draw.choice(choice) for choice in choices)


def _left(steps: Sequence[Step], fates: dict[int, str]) -> Left:
    left = Left(moment=len(steps), fates=", ".join(f"{number} {fate}" for number, fate in fates.items()))
    for number, step in enumerate(steps):
        if isinstance(step, Told):
            if step.what is None:
                for key in [each for each in left.promises if each[: len(step.key)] == step.key]:
                    del left.promises[key]
            else:
                left.promises[step.key] = step.what
            continue
        fate = fates.get(number, "whole")
        if fate != "lost":
            _apply(left, step, fate)
    return left


def _apply(left: Left, step: Step, fate: str) -> None:
    if isinstance(step, Named):
        if step.old is not None:
            left.folders.get(step.old[0], {}).pop(step.old[1], None)
        left.folders.setdefault(step.folder, {})[step.name] = (step.thing, step.is_folder)
    elif isinstance(step, Unnamed):
        left.folders.get(step.folder, {}).pop(step.name, None)
    elif isinstance(step, Cut):
        content = left.files.setdefault(step.file, bytearray())
        del content[step.length :]
        content.extend(b"\0" * (step.length - len(content)))
    elif isinstance(step, Written):
        content = left.files.setdefault(step.file, bytearray())
        data = step.data[: len(step.data) // 2] if fate == "half" else step.data
        data = b"\0" * len(data) if fate == "zeros" else data
        content.extend(b"\0" * (step.offset - len(content)))
        content[step.offset : step.offset + len(data)] = data
