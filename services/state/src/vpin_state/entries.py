"""The entries of a slab: whom each concerns, and what is done about it. The frames themselves: :mod:`vpin_state.walk`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import structlog
from msgspec import MsgspecError
from vpin_messages.entry import decode_opening
from vpin_messages.slab import HEAD, UP, SlabError, Up, UpEntry
from vpin_messages.stream import decode_interest

from vpin_state import metrics, sessions
from vpin_state.origins import ByApp
from vpin_state.requests import answer_request
from vpin_state.walk import app_frames, hardware_frames

if TYPE_CHECKING:
    from vpin_state.shard import Shard

log = structlog.get_logger()

_FRAMES = int(Up.FRAMES)
_unpack = UP.unpack_from
_SIZE = UP.size


def walk(shard: Shard, body: bytes, at: int) -> int:
    """Apply the entries of a slab from `at` on; returns where it stopped.

    That is the end, an entry whose account is not in memory, or wherever it was others' turn (`owner.tired`): then perhaps
    between two frames of an entry, see :func:`cut`. An entry that can't be read is left out; SlabError or struct.error where
    one does not end in the slab.
    """
    end = len(body)
    if at >= end:
        return end
    owner = shard.owner
    now = owner.tell_time()
    instance = shard.instances[body[1:17]]
    found = instance.sessions
    accounts = owner.accounts
    outbox = owner.outbox
    slow = owner.slow
    while at < end:
        kind, side, number, account_id, dash, device, credential, length = _unpack(body, at)
        start = at + _SIZE
        stop = start + length
        if stop > end:
            raise SlabError("slab ends inside an entry")
        try:
            if kind == _FRAMES:
                session = found.get(number)
                if session is None:
                    if account_id not in accounts:
                        break
                    entry = UpEntry(kind, side, number, account_id, dash, device, credential, b"")
                    session = sessions.resume(instance, accounts[account_id], entry, None)
                if session is not None and not session.closing:
                    if session.device is not None:
                        at = hardware_frames(session, body, start, stop, now, outbox, slow)
                    else:
                        at = app_frames(session, body, start, stop, ByApp(now), outbox, slow)
                    if at != stop:
                        if at > stop:
                            raise SlabError("frames end behind their entry")
                        break
            elif kind >= Up.HEARTBEAT and kind not in (Up.REQUEST, Up.TASK, Up.WATCH):
                shard.instance_entry(kind, instance, number, body[start:stop])
            else:
                if account_id not in accounts:
                    break
                account = accounts[account_id]
                entry = UpEntry(kind, side, number, account_id, dash, device, credential, body[start:stop])
                if kind == Up.REQUEST:
                    answer_request(owner, instance, account, entry)
                elif kind == Up.TASK:
                    shard.perform(account, number, entry.payload)
                elif kind == Up.WATCH:
                    owner.watches.take(instance, account, account_id, number, decode_interest(entry.payload))
                elif kind == Up.CLOSED:
                    if (session := found.get(number)) is not None:
                        sessions.end(owner, session)
                else:
                    opening = decode_opening(entry.payload)
                    if kind == Up.OPEN:
                        sessions.open_session(owner, instance, account, entry, opening)
                    elif number not in found:
                        sessions.resume(instance, account, entry, opening)
                if owner.is_others_turn():
                    at = stop
                    break
        except (SlabError, MsgspecError, struct.error) as fault:
            metrics.entries_malformed.inc()
            log.error("an entry is broken", shard=shard.number, kind=kind, account=account_id, fault=repr(fault))
        at = stop
    if owner.watches:
        owner.watches.gather(shard.number)
    outbox.deliver()
    return at


def cut(body: bytes, at: int) -> tuple[bytes, int]:
    """What is left of a slab behind `at`, as a slab, and where to go on in it: `at` may be between two frames of an entry."""
    look = HEAD.size
    while look < at and look + _SIZE <= len(body):
        *entry, length = _unpack(body, look)
        stop = look + _SIZE + length
        if stop > at:
            return body[: HEAD.size] + UP.pack(*entry, stop - at) + body[at:], HEAD.size
        look = stop
    return body, at
