"""Failed attempts, counted per key."""

from __future__ import annotations

from vpin_runtime.failures import KEPT, MOST, SECONDS, Failures


def test_the_tenth_failure_of_a_minute_closes_the_door() -> None:
    failures = Failures()
    for n in range(MOST):
        assert failures.wait(["a", "b"], float(n)) == 0
        failures.add(["a"], float(n))
    assert failures.wait(["b"], MOST) == 0
    assert failures.wait(["a", "b"], MOST) == SECONDS - MOST
    assert failures.wait(["a"], SECONDS) == 0
    failures.add(["a"], SECONDS)
    assert failures.wait(["a"], SECONDS) == 1


def test_it_is_bounded() -> None:
    failures = Failures()
    for n in range(KEPT + 5):
        failures.add([str(n)] * MOST, 0.0)
    assert failures.wait(["0"], 0.0) == 0
    assert failures.wait([str(KEPT)], 0.0) == SECONDS


def test_failures_are_those_of_the_last_minute_and_of_so_many_accounts() -> None:
    failures = Failures()
    for second in range(MOST):
        assert not failures.are_many("a", second)
        failures.add(["a"], second)
    assert failures.are_many("a", SECONDS)
    assert not failures.are_many("a", SECONDS + 0.5)
    for number in range(KEPT):
        failures.add([f"{number}"], 100.0)
    assert len(failures._times) == KEPT
