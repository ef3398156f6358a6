"""docs/protocol.md says of each command where it is handled: it must agree with what is registered."""

from __future__ import annotations

import re
from pathlib import Path

from vpin_protocol import Command
from vpin_state import registry

PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (board|app) \| `handlers/(\w+)\.py` \| \d\d, [^|]+ \|$", re.MULTILINE)


def test_every_handler_is_in_the_table_with_its_module() -> None:
    registry.load()
    tables = {"board": registry.hardware, "app": registry.app}
    registered = {
        (number, side, handler.__module__.rpartition(".")[2])
        for side, table in tables.items()
        for number, handler in table.items()
    }
    listed = {(int(number), side, module) for number, side, module in ROW.findall(PAGE.read_text())}
    assert listed == registered


def test_every_command_is_mentioned() -> None:
    numbers = {int(number) for number in re.findall(r"\b\d+\b", PAGE.read_text())}
    assert {int(command) for command in Command} <= numbers
