"""Places of a page where law and policy let something be entered between the officer's and the agency's signature."""

from dataclasses import dataclass

from pyhanko.pdf_utils import generic

from kho_server.verification.revision_view import Page, RevisionView, key_of, raw, rectangle

Box = tuple[float, float, float, float]
_TOLERANCE = 0.005  # of a page: writers round


@dataclass(frozen=True)
class DeclaredArea:
    """A rectangle in parts of the page as it is shown: left, bottom, right, top between 0 and 1.

    `is_first_page_only`: number and date stand on page 1 (NĐ 30/2020, appendix I).
    """

    name: str
    box: Box
    is_first_page_only: bool = True
    max_fraction: float = 1.0


@dataclass(frozen=True)
class DeclaredAreas:
    """All declared areas, and how much of a page the mark of a signature may cover (1 is all of it)."""

    areas: tuple[DeclaredArea, ...] = ()
    max_mark_fraction: float = 0.2

    def declares(self, view: RevisionView, annotation: generic.DictionaryObject, index: int | None = None) -> bool:
        """Tell whether an annotation lies wholly in a declared area; `index` is its page from 0, if known."""
        index = _page_of(view, annotation) if index is None else index
        if index is None or index >= len(view.pages):
            return False
        box = _shown_box(view, view.pages[index], annotation)
        if box is None:
            return False
        return any(
            _within(box, area.box) and _fraction(box) <= area.max_fraction
            for area in self.areas
            if index == 0 or not area.is_first_page_only
        )

    def mark_fraction(self, view: RevisionView, widget: generic.DictionaryObject) -> float:
        """Return how much of its page a mark covers, between 0 and 1; 0 for an invisible one."""
        index = _page_of(view, widget)
        if index is None or "/AP" not in widget:
            return 0.0
        box = _shown_box(view, view.pages[index], widget)
        return 0.0 if box is None else _fraction(box)


def _page_of(view: RevisionView, annotation: generic.DictionaryObject) -> int | None:
    own = annotation.container_ref
    own_key = (own.idnum, own.generation) if isinstance(own, generic.Reference) else None
    for index, page in enumerate(view.pages):
        for item in view.array(page.entries.get("/Annots")):
            if key_of(item) == own_key and own_key is not None:
                return index
    key = key_of(raw(annotation, "/P"))
    return None if key is None else view.page_numbers.get(key)


def _shown_box(view: RevisionView, page: Page, annotation: generic.DictionaryObject) -> Box | None:
    """Return where an annotation lies in parts of the page as it is shown, turned by /Rotate."""
    media = rectangle(view, page.entries.get("/CropBox")) or rectangle(view, page.entries.get("/MediaBox"))
    place = rectangle(view, raw(annotation, "/Rect"))
    if media is None or place is None or media[0] >= media[2] or media[1] >= media[3]:
        return None
    width, height = media[2] - media[0], media[3] - media[1]
    left, right = ((edge - media[0]) / width for edge in (place[0], place[2]))
    bottom, top = ((edge - media[1]) / height for edge in (place[1], place[3]))
    turned = view.resolve(page.entries.get("/Rotate"))
    turn = int(turned) % 360 if isinstance(turned, generic.NumberObject) else 0
    match turn:
        case 90:
            return bottom, 1 - right, top, 1 - left
        case 180:
            return 1 - right, 1 - top, 1 - left, 1 - bottom
        case 270:
            return 1 - top, left, 1 - bottom, right
    return left, bottom, right, top


def _within(inner: Box, outer: Box) -> bool:
    return (
        inner[0] >= outer[0] - _TOLERANCE
        and inner[1] >= outer[1] - _TOLERANCE
        and inner[2] <= outer[2] + _TOLERANCE
        and inner[3] <= outer[3] + _TOLERANCE
    )


def _fraction(box: Box) -> float:
    width = min(box[2], 1.0) - max(box[0], 0.0)
    height = min(box[3], 1.0) - max(box[1], 0.0)
    return max(width, 0.0) * max(height, 0.0)
