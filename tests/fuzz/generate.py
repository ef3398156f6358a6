"""Frames and byte strings that no board should send, and some that it should. Seeded: the same seed gives the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from vpin_protocol import COMMANDS, Command, hardware_frame

KNOWN = [c for c in Command if c not in (Command.RESPONSE, Command.HARDWARE_LOGIN, Command.LOGIN)]
WORDS = (
    *(b"vw", b"vr", b"dw", b"dr", b"aw", b"ar", b"pm", b"vu", b"zw", b"v", b"w", b"VW", b"i", b"init"),
    *(b"rtc", b"utc", b"meta", b"get", b"set", b"time", b"tz_rule", b"dst_next", b"ver", b"mcu", b"h-beat", b"buff-in"),
    *(b"label", b"color", b"min", b"max", b"url", b"urls", b"labels", b"isOnPlay", b"clr", b"add", b"update", b"pick"),
    *(
        b"select",
        b"order",
        b"play",
        b"b",
        b"t",
        b"e",
        b"all",
        b"a@example.com",
        b"{DEVICE_NAME}",
        b"#23C48E",
        b"Auth Token",
    ),
)
NUMBERS = (
    *(b"0", b"1", b"5", b"10", b"255", b"256", b"-1", b"+5", b"05", b"1e3", b"1.5", b"2147483648", b"9" * 30, b"NaN"),
    *(b"0x10", b" 1", b"1 ", "٣".encode(), b"100000", b"200000"),
)
LONG = 2000
"""One field in so many is long."""
LONGEST = 60_000


class Generator:
    """Endless frames. `token` is one that boards may use in bridges."""

    def __init__(self, seed: int, token: str = "t" * 32) -> None:
        self._dice = random.Random(seed)
        self._token = token.encode()
        self._makers: Sequence[Callable[[], bytes]] = (
            lambda: self._dice.choice(WORDS),
            lambda: self._dice.choice(WORDS),
            lambda: self._dice.choice(NUMBERS),
            lambda: self._dice.choice(NUMBERS),
            lambda: b"",
            lambda: self._dice.randbytes(self._dice.randrange(12)),
            lambda: "żółć 😀".encode(),
            lambda: self._token,
        )

    def field(self) -> bytes:
        if self._dice.randrange(LONG) == 0:
            return self._dice.choice((b"x", b"\0", b"\xff", b"9")) * self._dice.randrange(LONGEST)
        return self._dice.choice(self._makers)()

    def body(self) -> bytes:
        fields = [self.field() for _ in range(self._dice.choice((0, 1, 2, 3, 3, 3, 4, 6)))]
        return b"\0".join(fields)[:65_535]

    def frame(self) -> bytes:
        """A whole frame of a command below 100, with any body; no log-in, no response."""
        dice = self._dice
        command = dice.choice(KNOWN) if dice.random() < 0.8 else dice.randrange(1, COMMANDS)
        if command in (Command.HARDWARE_LOGIN, Command.LOGIN):
            command = Command.HARDWARE
        return hardware_frame(command, dice.randrange(65_536), self.body())

    def write(self) -> bytes:
        """A write of a plain pin, what boards send all day: with such the server is busy while others' waits are compared."""
        body = b"vw\0%d\x00%d.%03d" % (self._dice.randrange(6), self._dice.randrange(100), self._dice.randrange(1000))
        return hardware_frame(Command.HARDWARE, self._dice.randrange(1, 65_536), body)

    def garbage(self, frames: int) -> bytes:
        """So many frames, then broken: bits turned over, parts cut out, doubled, replaced; or no frames at all."""
        data = bytearray(b"".join(self.frame() for _ in range(frames)))
        for _ in range(self._dice.randrange(1, 8)):
            at = self._dice.randrange(len(data) + 1)
            match self._dice.randrange(5):
                case 0 if at < len(data):
                    data[at] ^= 1 << self._dice.randrange(8)
                case 1:
                    del data[at : at + self._dice.randrange(20)]
                case 2:
                    data[at:at] = data[at : at + self._dice.randrange(200)]
                case 3:
                    data[at : at + 4] = self._dice.randbytes(self._dice.randrange(9))
                case _:
                    data = data[at:] if self._dice.random() < 0.1 else data
        return bytes(data)
