"""The table of reasons is whole, and what travels stays small."""

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from kho.v1 import error_reason_pb2
from kho_server.archive.refusal_texts import TEXTS
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rpc.rule_reasons import REASON_OF_RULE
from kho_server.rpc.status import DETAILS_BYTES, RETRY_AFTER, STATUS_OF, rich_status, told_of
from kho_server.rules.errors import RuleViolation
from kho_server.rules.reasons import Reason as Rule
from kho_server.verification.errors import VerifierBusy

PROTO = "proto/kho/v1/error_reason.proto"


def test_every_reason_has_texts_a_status_and_a_value_of_the_same_name_on_the_wire() -> None:
    names = {reason.value for reason in Reason}
    on_the_wire = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert names == on_the_wire - {"UNSPECIFIED"}
    assert set(TEXTS) == set(STATUS_OF) == set(Reason)


def test_each_status_is_the_one_that_the_proto_file_promises() -> None:
    comment = ""
    promised = {}
    with open(PROTO, encoding="utf-8") as lines:
        for line in map(str.strip, lines):
            if line.startswith("//"):
                comment += line.removeprefix("//").strip() + " "
            elif line.startswith("ERROR_REASON_"):
                promised[line.split(" ")[0].removeprefix("ERROR_REASON_")] = comment.split(".")[0]
                comment = ""
            else:
                comment = ""
    del promised["UNSPECIFIED"]
    assert promised == {reason.value: code.name for reason, code in STATUS_OF.items()}


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_a_reason(rule: Rule) -> None:
    assert REASON_OF_RULE[rule.value] in Reason


def test_a_broken_rule_is_told_in_its_own_words() -> None:
    told = told_of(RuleViolation("document.dossier_code", Rule.DOSSIER_CODE_MALFORMED, example="H46-1"))
    assert (told.reason, told.code) == (Reason.CODE_MALFORMED, grpc.StatusCode.INVALID_ARGUMENT)
    assert "H46-1" in told.text_vi
    assert told.facts == {"field": "document.dossier_code", "rule": "DOSSIER_CODE_MALFORMED"}


def test_what_passes_says_when_to_come_back() -> None:
    assert told_of(VerifierBusy(256, 7.5)).retry_after == timedelta(seconds=7.5)
    for reason, after in RETRY_AFTER.items():
        assert told_of(Refusal(reason)).retry_after == after


@pytest.mark.parametrize("reason", list(Reason))
def test_details_stay_small_whatever_the_facts(reason: Reason) -> None:
    facts: dict[str, Any] = {f"fact_{number}": "ữ" * 10_000 for number in range(100)}
    facts |= dict.fromkeys(("part", "missing", "kind"), "ữ" * 10_000)
    refusal = Refusal(reason, field="f" * 10_000, **facts)
    status = rich_status(told_of(refusal), "0" * 36)
    info = ErrorInfo()
    assert status.ByteSize() <= DETAILS_BYTES
    assert status.details[0].Unpack(info)
    assert (info.reason, info.metadata["request_id"]) == (reason.value, "0" * 36)


def test_a_control_character_in_a_text_cannot_break_the_answer() -> None:
    status = rich_status(told_of(Refusal(Reason.FIELD_MALFORMED, field="a\r\nb\x00\ud800")), "0" * 36)
    assert status.message.isprintable()
