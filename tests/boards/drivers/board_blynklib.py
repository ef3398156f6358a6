"""A board with blynklib 0.2.6: ``board_blynklib.py host port token``. The library reconnects by itself."""

from __future__ import annotations

import sys

import blynklib
from events import Commands, tell

host, port, token = sys.argv[1:]
blynk = blynklib.Blynk(token, server=host, port=int(port), heartbeat=2)
commands = Commands()


@blynk.handle_event("connect")
def connected() -> None:
    tell("connected")


@blynk.handle_event("write V*")
def written(pin: int, value: list[str]) -> None:
    tell("write", pin=pin, value=value)


while not commands.ended:
    blynk.run()
    if blynk.connected() and (command := commands.take()):
        match command:
            case ["write", pin, *values]:
                blynk.virtual_write(int(pin), *values)
            case ["sync", pin]:
                blynk.virtual_sync(int(pin))
