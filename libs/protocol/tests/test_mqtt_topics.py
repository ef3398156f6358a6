"""Topics and filters, MQTT section 4.7: its own examples, and the rules in another form."""

from __future__ import annotations

import re

import mqtt5
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vpin_protocol.mqtt import ReasonCode, filter_fault, matches, topic_valid

names = st.text("a/$b+#", min_size=1, max_size=8)  # mqtt5 takes an empty one
levels = st.lists(st.sampled_from(["", "a", "b", "$a"]), min_size=1, max_size=4).map("/".join)
patterns = st.tuples(
    st.lists(st.sampled_from(["", "a", "b", "$a", "+"]), max_size=4), st.sampled_from([[], ["#"]])
).map(lambda parts: "/".join(parts[0] + parts[1]))


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/tennis/player1/#", "sport/tennis/player10", False),
        ("sport/#", "sport", True),
        ("#", "a", True),
        ("#", "/", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("+/tennis/#", "sport/tennis", True),
        ("#", "$SYS/broker", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/broker", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("a/+", "a/$b", True),
        ("a/#", "a/$b", True),
        ("ACCOUNTS", "Accounts", False),
        ("a", "a/", False),
        ("/a", "a", False),
        ("a/b", "a", False),
        ("a/+/#", "a", False),
        ("a.b", "axb", False),
    ],
)
def test_examples(pattern: str, topic: str, expected: bool):
    assert matches(pattern, topic) is expected


def expression(pattern: str) -> str:
    """The filter as a regular expression."""
    if pattern == "#":
        return r"[^$][^\0]*|"
    head = r"(?!\$)" if pattern.startswith("+") else ""
    tail = ""
    if pattern.endswith("/#"):
        pattern, tail = pattern[:-2], r"(/.*)?"
    return head + "/".join("[^/]*" if level == "+" else re.escape(level) for level in pattern.split("/")) + tail


@given(patterns, levels)
@example("+/#", "$a")
@example("+/#", "")
def test_a_filter_is_an_expression(pattern: str, topic: str):
    assert matches(pattern, topic) is (re.fullmatch(expression(pattern), topic) is not None)


@given(names)
def test_filters_are_as_valid_as_elsewhere(pattern: str):
    if pattern.startswith("$share/"):
        return
    try:
        mqtt5.TopicFilter(pattern)
    except ValueError:
        assert filter_fault(pattern) is ReasonCode.TOPIC_FILTER_INVALID
    else:
        assert filter_fault(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("#", None),
        ("+", None),
        ("+/tennis/#", None),
        ("/", None),
        ("sport+", ReasonCode.TOPIC_FILTER_INVALID),
        ("sport/tennis#", ReasonCode.TOPIC_FILTER_INVALID),
        ("sport/tennis/#/ranking", ReasonCode.TOPIC_FILTER_INVALID),
        ("#/a", ReasonCode.TOPIC_FILTER_INVALID),
        ("", ReasonCode.TOPIC_FILTER_INVALID),
        ("a\0", ReasonCode.TOPIC_FILTER_INVALID),
        ("$share/group/a/+", ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("$share/group/", ReasonCode.TOPIC_FILTER_INVALID),
        ("$share/group", ReasonCode.TOPIC_FILTER_INVALID),
        ("$share//a", ReasonCode.TOPIC_FILTER_INVALID),
        ("$share/g+/a", ReasonCode.TOPIC_FILTER_INVALID),
        ("$share/group/a#", ReasonCode.TOPIC_FILTER_INVALID),
        ("$share", None),
        ("$shared/a", None),
    ],
)
def test_filters(pattern: str, reason: ReasonCode | None):
    assert filter_fault(pattern) is reason


def test_topics():
    assert all(map(topic_valid, ("a", "/", "$SYS/a", "ds/Temp 1", "ü")))
    assert not any(map(topic_valid, ("", "+", "a/#", "a+b", "a\0")))
