"""Sessions as an owner sees them, and the instances (gateways, API processes) that they come through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages.slab import Side

if TYPE_CHECKING:
    from vpin_bus import Outlet

    from vpin_state.device import Device
    from vpin_state.model import Account, Dashboard


SLAB = 1 << 24
"""One slab in `Instance.applied`: more than it has bytes."""


class Instance:
    """One sending process: its sessions in one shard, how far its slabs are applied, the way back to it.

    `applied` only grows: `SLAB` for each slab of the sender, and the bytes of the next one that are applied already.
    """

    __slots__ = ("applied", "heard_at_tick", "outlet", "saved", "sender", "sessions")

    def __init__(self, sender: bytes, outlet: Outlet, applied: int = 0) -> None:
        self.sender = sender
        self.outlet = outlet
        self.applied = applied
        self.saved = applied  # what the tables say
        self.sessions: dict[int, Session] = {}
        self.heard_at_tick = 0


class Session:
    """One logged-in connection. Frames to it are appended to `out` and leave when the slab is through.

    While an answer to it waits for a commit, everything that comes later waits behind it in `held`, so that a client sees
    its answers in order (spec 07, 10.4).
    """

    __slots__ = (
        "account",
        "answered",
        "bridges",
        "closing",
        "credential",
        "dash",
        "device",
        "entries",
        "group_time",
        "held",
        "id",
        "instance",
        "metered_at",
        "mqtt",
        "notified_at",
        "os",
        "out",
        "queued",
        "shared",
        "side",
        "uid",
        "version",
    )

    def __init__(self, instance: Instance, id: int, side: Side, account: Account, device: Device | None = None) -> None:  # noqa: A002
        self.instance = instance
        self.id = id
        self.mqtt = side is Side.MQTT  # nothing is sent to it but answers, see `Effects.to_device`
        self.side = Side.HARDWARE if self.mqtt else side  # as far as the framing goes
        self.account = account
        self.device = device
        self.dash: Dashboard | None = (
            device.dash if device else None
        )  # of the device, or the one that a shared session may see
        self.shared = False
        self.credential = 0
        self.os = ""
        self.version = ""
        self.uid = ""
        self.out: list[bytes] = []
        self.held: list[tuple[int, bytes | tuple[bytes]]] | None = None  # (commit to wait for, frames or (down entry,))
        self.entries: list[bytes] = []  # down entries behind the frames: CLOSE, IDLE
        self.queued = False
        self.closing = False
        self.bridges: dict[bytes, Device] | None = None
        self.notified_at: dict[str, float] | None = None  # kind of notification -> ms since 1970
        self.metered_at = self.answered = 0  # ms, and bytes of large answers since then (vpin_state.appetite)
        self.group_time = 0  # ms: the moment that all writes of a board's open group share; 0: no group

    def hears(self, dash: Dashboard) -> bool:
        """Whether an app session is told what happens on a dashboard: its own account's, or the one shared with it now.

        One who was thrown out is not, however long the connection takes to end.
        """
        return not self.shared or (self.dash is dash and bool(dash.settings.get("isShared")) and not self.closing)
