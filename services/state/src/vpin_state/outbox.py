"""What leaves an owner: frames joined per session and slab, and everything that waits for a commit.

A *commit number* counts the commits of this process. What a handler sends after it changed something durable is held with
the number of the commit that will contain the change, and leaves when that commit is done. Anything that a session is sent
meanwhile waits behind it, so its frames keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vpin_messages.slab import DOWN, Down, down_entry

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Instance, Session

_FRAMES = int(Down.FRAMES)
_down = DOWN.pack


class Outbox:
    """Frames on their way out of one state process."""

    def __init__(self) -> None:
        self.next_commit = 1  # number of the commit that will hold what is changed now
        self.waited = False  # somebody waits for that commit
        self.touched: list[Session] = []
        self._holding: list[Session] = []
        self._replies: list[tuple[int, Instance, bytes]] = []

    def put(self, session: Session, frames: bytes) -> None:
        """Send frames to a session at the end of the slab, or behind what it already waits for."""
        if session.held is not None:
            session.held.append((session.held[-1][0], frames))
            return
        session.out.append(frames)
        if not session.queued:
            session.queued = True
            self.touched.append(session)

    def take(self, fx: Effects, durable: bool) -> None:
        """Carry out the sends of one handler call; `durable`: not before the next commit is done."""
        if fx.sends:
            for session, frames in fx.sends:
                if durable:
                    self._hold(session, frames)
                else:
                    self.put(session, frames)
            fx.sends.clear()
        if fx.entries:
            for session, entry in fx.entries:
                if durable:
                    self._hold(session, entry, is_entry=True)
                elif session.held is not None:
                    session.held.append((session.held[-1][0], (entry,)))
                else:
                    self._put_entry(session, entry)
            fx.entries.clear()

    def reply(self, instance: Instance, request: int, payload: bytes, durable: bool, kind: Down = Down.REPLY) -> None:
        """Answer a request of the API, or with ENTRY a connection that is not logged in."""
        entry = down_entry(kind, request, payload)
        if durable:
            self._replies.append((self.next_commit, instance, entry))
            self.waited = True
        else:
            instance.outlet.add(entry)

    def deliver(self) -> None:
        """Hand what sessions are to be sent to their instances: one entry a session."""
        for session in self.touched:
            session.queued = False
            out = session.out
            if out:
                frames = out[0] if len(out) == 1 else b"".join(out)
                session.instance.outlet.add(_down(_FRAMES, session.id, len(frames)) + frames)
                out.clear()
            if session.entries:
                for entry in session.entries:
                    session.instance.outlet.add(entry)
                session.entries.clear()
        self.touched.clear()

    def release(self, commit: int) -> None:
        """Commit `commit` is done: let go what waited for it."""
        holding, self._holding = self._holding, []
        for session in holding:
            held = session.held or []
            session.held = None
            for at, (number, item) in enumerate(held):
                if number > commit:
                    session.held = held[at:]
                    self._holding.append(session)
                    break
                if isinstance(item, tuple):
                    self._put_entry(session, item[0])
                else:
                    self.put(session, item)
        replies, self._replies = self._replies, []
        for reply in replies:
            number, instance, entry = reply
            if number > commit:
                self._replies.append(reply)
            else:
                instance.outlet.add(entry)
        self.deliver()

    def forget(self, instances: Iterable[Instance]) -> None:
        """Drop everything that waits for these instances of a shard: its new owner answers. Other shards' goes on waiting."""
        gone = set(instances)
        for session in self._holding:
            if session.instance in gone:
                session.held = None
        self._holding = [session for session in self._holding if session.instance not in gone]
        self._replies = [reply for reply in self._replies if reply[1] not in gone]

    def _hold(self, session: Session, item: bytes, *, is_entry: bool = False) -> None:
        self.waited = True
        if session.held is None:
            session.held = []
            self._holding.append(session)
        session.held.append((self.next_commit, (item,) if is_entry else item))

    def _put_entry(self, session: Session, entry: bytes) -> None:
        session.entries.append(entry)
        if not session.queued:
            session.queued = True
            self.touched.append(session)
