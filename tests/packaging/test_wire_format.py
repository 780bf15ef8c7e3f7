"""What every call promises in its comment, and what every request carries."""

import re

import grpc
import pytest

from tests.packaging.wire_format import Call, WireFormat, read_wire_format

# Calls that change nothing that their caller would repeat by a request id: reading, and streams that carry their own
# order (UploadParts, VerifyFile) or whole requests with ids inside (UploadSmall).
READING = re.compile(r"(Get|List|Lookup|Batch|Wait|Read)[A-Z]|VerifyFile$|Upload[A-Z]")

# Reasons that no rpc comment names, and why.
UNNAMED = {
    "UNSPECIFIED": "never sent",
    "INTERNAL_FAULT": "a fault of the server can come from any call, and no caller can prepare for it",
    "REGISTRATION_EXISTS": "refuses one line of a registration, never the call",
}

STATUSES = {status.name for status in grpc.StatusCode}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> WireFormat:
    """Read the proto files once."""
    return read_wire_format(tmp_path_factory.mktemp("wire"))


def test_every_call_lists_its_errors(wire: WireFormat) -> None:
    """A comment has the line `Errors:` and at least one error below."""
    assert len(wire.calls) > 20
    assert [call.name for call in wire.calls if not call.errors.strip()] == []


def test_comments_name_only_reasons_there_are(wire: WireFormat) -> None:
    """Each name of a reason in a comment is a value of ErrorReason."""
    named = {(call.name, word) for call in wire.calls for _, word in call.reasons()}
    assert {each for each in named if each[1] not in wire.reasons} == set()


def test_reasons_stand_beside_their_status(wire: WireFormat) -> None:
    """A comment and the enum agree with which status a reason travels."""
    assert {status for name, status in wire.reasons.items() if name != "UNSPECIFIED"} <= STATUSES
    crossed = [
        f"{call.name}: {word} beside {status}, but travels with {wire.reasons[word]}"
        for call in wire.calls
        for status, word in call.reasons()
        if status != wire.reasons.get(word, status)
    ]
    assert crossed == []


def test_every_reason_is_named_by_a_call(wire: WireFormat) -> None:
    """A reason that no call gives is a promise that nobody keeps."""
    named = {word for call in wire.calls for _, word in call.reasons()}
    assert set(wire.reasons) - named == set(UNNAMED)


def test_every_list_comes_in_pages(wire: WireFormat) -> None:
    """List requests have page_size and page_token."""
    lists = [call for call in wire.calls if call.name.startswith("List")]
    assert lists
    assert [call.name for call in lists if not {"page_size", "page_token"} <= call.request] == []


def test_every_change_names_its_request_and_officer(wire: WireFormat) -> None:
    """Changing calls carry request_id and the acting officer."""
    changes = [call for call in wire.calls if not READING.match(call.name)]
    assert {"Begin", "Commit", "AddRendition", "CorrectDocument", "Reuse"} <= {call.name for call in changes}
    assert [call.name for call in changes if "request_id" not in call.request] == []
    assert [call.name for call in changes if not _names_officer(call)] == []


def _names_officer(call: Call) -> bool:
    """Tell whether a field of the request, or of a message in it, is the acting officer."""
    return any(field.rpartition(".")[2] in ("officer_id", "acting_officer_id") for field in call.request)
