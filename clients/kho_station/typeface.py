"""Where the letters come from: a typeface that has every Vietnamese letter.

The wheel `font-source-serif-pro` (SIL Open Font License) carries one for machines without fonts; Debian's
`fonts-dejavu-core` is the second choice. The wheel's module is never run: only its folder is looked up.
"""

import enum
from importlib.util import find_spec
from pathlib import Path


class Weight(enum.Enum):
    """Upright text in two weights, with the file names of the wheel and of Debian's package."""

    REGULAR = ("SourceSerifPro-Regular.ttf", "DejaVuSerif.ttf")
    BOLD = ("SourceSerifPro-Bold.ttf", "DejaVuSerif-Bold.ttf")


class TypefaceMissingError(Exception):
    """No typeface with Vietnamese letters is installed."""

    def __init__(self) -> None:
        """Say what to install."""
        super().__init__("no typeface with Vietnamese letters: install kho[station], or Debian's fonts-dejavu-core")


_DEBIAN = Path("/usr/share/fonts/truetype/dejavu")


def typeface(weight: Weight = Weight.REGULAR, debian: Path = _DEBIAN) -> Path:
    """Return a TrueType file; raises TypefaceMissingError when none is installed."""
    of_wheel, of_debian = weight.value
    spec = find_spec("font_source_serif_pro")
    places = [Path(place) / "files" / of_wheel for place in (spec and spec.submodule_search_locations) or ()]
    for path in (*places, debian / of_debian):
        if path.is_file():
            return path
    raise TypefaceMissingError
