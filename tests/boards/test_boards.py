"""Unmodified clients log in, write, receive, synchronise, and go on after a restart of the server."""

from __future__ import annotations

from importlib.metadata import version

import pytest

pytestmark = pytest.mark.integration

RECONNECT_SECONDS = 40
"""The JavaScript client tries again after 5 s, or 10 s when the server was not there."""


def test_the_clients_are_the_pinned_ones():
    assert version("blynklib") == "0.2.6"
    assert version("blynk-library-python") == "0.2.0"


def test_both_ways_sync_and_restart(embedded_server, app, make_board):
    board = make_board(app.register())
    board.expect("connected")
    board.tell("write", 1, 42)
    app.expect_write(1, 42)
    app.write(2, 7)
    board.expect("write", pin=2, value=["7"])
    board.tell("sync", 2)
    board.expect("write", pin=2, value=["7"])

    embedded_server.stop()
    embedded_server.start()
    app.connect()
    board.expect("connected", seconds=RECONNECT_SECONDS)
    board.tell("sync", 2)
    board.expect("write", pin=2, value=["7"])
    board.tell("write", 1, 43)
    app.expect_write(1, 43)
    app.write(1, 44)
    board.expect("write", pin=1, value=["44"])
