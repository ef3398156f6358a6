"""Resident memory of the server's processes over a run: it may grow while a server warms up, and then has to stay flat."""

from __future__ import annotations

from vpin.bench.processes import Watch

EVERY_SECONDS = 5.0
WARM_SECONDS = 60.0
"""Buffers, caches and pools have their size after that."""
MORE = 1.10


class Memory:
    """Samples of all processes of a watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._samples: list[tuple[float, dict[str, int]]] = []  # (seconds since the start, bytes by process)

    def look(self, at: float) -> None:
        """Take a sample when it is time; `at`: seconds since the start."""
        if self._watch.pids and (not self._samples or at - self._samples[-1][0] >= EVERY_SECONDS):
            self._samples.append((at, self._watch.resident_bytes()))

    def figures(self) -> dict[str, str]:
        """Of each process: at the start, when it was warm, at the end, at most."""
        found: dict[str, str] = {}
        for name in self._watch.pids:
            first, warm, last = (_mib(sample[name]) for sample in self._marks())
            most = _mib(max(sample[name] for _, sample in self._samples))
            found[f"memory of {name}"] = f"{first} at first, {warm} warm, {last} at the end, {most} at most (MiB)"
        return found

    def faults(self) -> list[str]:
        """Processes that have grown by more than a tenth since they were warm; none for a short run."""
        if not self._samples or self._samples[-1][0] < 2 * WARM_SECONDS:
            return []
        _, warm, last = self._marks()
        return [
            f"{name} grew from {_mib(warm[name])} to {_mib(last[name])} MiB"
            for name in self._watch.pids
            if last[name] > warm[name] * MORE
        ]

    def _marks(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        samples = self._samples
        warm = next((sample for at, sample in samples if at >= WARM_SECONDS), samples[-1][1])
        return samples[0][1], warm, samples[-1][1]


def _mib(size: int) -> int:
    return round(size / (1 << 20))
