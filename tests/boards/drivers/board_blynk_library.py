"""A board with blynk-library-python 0.2.0: ``board_blynk_library.py host port token``.

The library says when it is disconnected; connecting again is one call of the sketch.
"""

from __future__ import annotations

import sys
import time

import BlynkLib
from events import Commands, tell

host, port, token = sys.argv[1:]
blynk = BlynkLib.Blynk(token, server=host, port=int(port), heartbeat=2)
commands = Commands()
blynk.on("connected", lambda ping=0: tell("connected"))
blynk.on("V*", lambda pin, value: tell("write", pin=int(pin), value=value))

while not commands.ended:
    try:
        blynk.run()
    except OSError:  # the library does not look after writes to a closed connection
        blynk.disconnect()
    if blynk.state == BlynkLib.DISCONNECTED:
        try:
            blynk.connect()
        except ValueError:
            time.sleep(0.2)
    elif blynk.state == BlynkLib.CONNECTED and (command := commands.take()):
        match command:
            case ["write", pin, *values]:
                blynk.virtual_write(int(pin), *values)
            case ["sync", pin]:
                blynk.sync_virtual(int(pin))
