"""Topic names and topic filters (MQTT 5 and 3.1.1, section 4.7)."""

from __future__ import annotations

from vpin_protocol.mqtt.reasons import ReasonCode

SHARE = "$share/"


def topic_valid(topic: str) -> bool:
    """Whether it can be published to: not empty, no wildcard, no NUL."""
    return bool(topic) and "+" not in topic and "#" not in topic and "\0" not in topic


def filter_fault(pattern: str) -> ReasonCode | None:
    """Why a filter is refused: TOPIC_FILTER_INVALID (0x8F), SHARED_SUBSCRIPTIONS_NOT_SUPPORTED (0x9E), or None.

    A wildcard stands for a whole level, ``#`` for the last ones. SUBACK in MQTT 3.1.1 says 0x80 for either.
    """
    if pattern.startswith(SHARE):
        name, _, rest = pattern[len(SHARE) :].partition("/")
        if not name or "+" in name or "#" in name or not rest or not _well_formed(rest):
            return ReasonCode.TOPIC_FILTER_INVALID
        return ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    return None if pattern and _well_formed(pattern) else ReasonCode.TOPIC_FILTER_INVALID


def matches(pattern: str, topic: str) -> bool:
    """Whether a valid filter selects a valid topic. ``a/#`` selects ``a`` too; a leading wildcard selects no ``$…``."""
    if pattern == topic:
        return True
    if topic[:1] == "$" and pattern[:1] in ("+", "#"):
        return False
    levels = topic.split("/")
    wanted = pattern.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position == len(levels):
            return False
        if level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def _well_formed(pattern: str) -> bool:
    if "\0" in pattern:
        return False
    if "+" not in pattern and "#" not in pattern:
        return True
    *levels, last = pattern.split("/")
    return (
        (last == "#" or "#" not in last)
        and all("#" not in level and (level == "+" or "+" not in level) for level in levels)
        and (last == "+" or "+" not in last)
    )
