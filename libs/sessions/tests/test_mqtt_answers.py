"""Answers that wait for fences: in order, once, whatever gets lost or comes twice."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from vpin_protocol.mqtt import ReasonCode, encode
from vpin_sessions.mqtt.answers import NUMBERS, Answers

OK = ReasonCode.SUCCESS


def ids(answers: Answers, fence: int) -> list[int]:
    return [answer.packet_id for answer in answers.reached(fence)]


def test_a_fence_allows_what_was_asked_for_before_it() -> None:
    answers = Answers()
    fences = [answers.add(encode.puback, packet_id, OK, due=packet_id * 1.0) for packet_id in (5, 6, 7)]
    assert (len(answers), answers.due) == (3, 5.0)
    assert ids(answers, fences[1]) == [5, 6]
    assert (len(answers), answers.due) == (1, 7.0)
    assert ids(answers, fences[1]) == ids(answers, fences[0]) == []
    assert ids(answers, fences[2]) == [7]
    assert answers.due == inf


def test_a_refusal_is_about_what_is_next() -> None:
    answers = Answers()
    answers.refuse(5, ReasonCode.PAYLOAD_FORMAT_INVALID)
    answers.add(encode.puback, 5, OK, 1.0)
    last = answers.add(encode.puback, 6, OK, 1.0)
    answers.refuse(6, ReasonCode.PAYLOAD_FORMAT_INVALID)
    answers.refuse(5, ReasonCode.PAYLOAD_FORMAT_INVALID)
    assert [answer.reason for answer in answers.reached(last)] == [ReasonCode.PAYLOAD_FORMAT_INVALID, OK]


def test_numbers_begin_anew_and_leave_out_the_one_of_the_log_in() -> None:
    answers = Answers()
    for count in range(1, NUMBERS + 3):
        fence = answers.add(encode.puback, 1, OK, 1.0)
        assert fence == (count if count <= NUMBERS else count - NUMBERS)
        assert len(answers.reached(fence)) == 1


@given(st.lists(st.one_of(st.none(), st.integers(0, 30))))
def test_every_answer_is_allowed_once_and_in_order(steps: list[int | None]) -> None:
    """None: one more; a number: that fence is reached, perhaps again, perhaps one that nobody has set."""
    answers, added, allowed = Answers(), 0, []
    for step in steps:
        if step is None:
            added += 1
            answers.add(encode.puback, added, OK, 1.0)
        else:
            allowed += ids(answers, step)
            assert step > added or len(allowed) >= step
    assert allowed == list(range(1, len(allowed) + 1))
    assert len(answers) == added - len(allowed)
