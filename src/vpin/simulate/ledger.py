"""Who must have seen which number: the simulator's bookkeeping of one stream of increasing numbers. No IO.

A writer counts 1, 2, 3, …; what a broken connection may have swallowed is everything behind its last *fence* (a ping that
was answered). The reader's side says what came, and in what order; nothing else may be missing.
"""

from __future__ import annotations


class Stream:
    """Numbers of one pin from one writer to one reader."""

    def __init__(self) -> None:
        self.sent = 0  # last number that was written
        self.fenced = 0  # last number known to have been applied
        self.seen = 0  # last number that the reader got
        self.received = 0
        self.lost = 0
        self.reordered = 0
        self.swallowed = 0  # missing, as the network was lost at that moment
        self._doubtful: list[tuple[int, int]] = []

    def next(self) -> int:
        self.sent += 1
        return self.sent

    def broke(self) -> None:
        """The writer's connection broke: what is not fenced may not have arrived."""
        if self.sent > self.fenced:
            self._doubtful.append((self.fenced + 1, self.sent))

    def arrived(self, number: int) -> None:
        """The reader got a number."""
        self.received += 1
        if number <= self.seen:
            self.reordered += 1
            return
        self._skip(number)
        self.seen = number

    def caught_up(self, number: int) -> None:
        """The reader was told the last value after it had been away; what it missed meanwhile was not for it."""
        if number < self.seen:
            self.reordered += 1
        else:
            self.seen = number

    def end(self) -> None:
        """Everything has arrived that ever will: what is missing at the end is lost too."""
        self._skip(self.sent + 1)
        self.seen = self.sent

    def may_be(self, number: int, since: int) -> bool:
        """Whether a value that the server told is one that the last writes can have left.

        `since`: what was `fenced` when it was asked; a number that was applied behind the question need not be in the answer.
        """
        return since <= number <= self.sent

    def _skip(self, number: int) -> None:
        missing = number - self.seen - 1
        if missing > 0:
            doubtful = sum(
                max(0, min(last, number - 1) - max(first, self.seen + 1) + 1) for first, last in self._doubtful
            )
            self.swallowed += doubtful
            self.lost += missing - doubtful
        self._doubtful = [(first, last) for first, last in self._doubtful if last >= number]
