from __future__ import annotations

from vpin_protocol import BEFORE_LOGIN, Command, Framing, Status


def test_numbers_that_clients_rely_on():
    assert (Command.HARDWARE, Command.HARDWARE_LOGIN, Command.APP_SYNC, Command.RESET_PASSWORD) == (20, 29, 25, 81)
    assert Command.GROUP is Command.CREATE_DASH
    assert Command.DEBUG_PRINT is Command.CREATE_APP
    assert Command.EVENT_CLEAR is Command.BLUETOOTH_RESEND
    assert {c.value for c in Command} == set(range(82)) - {52, 53, 54}
    assert {s.value for s in Status} == set(range(1, 25)) - {10} | {200}


def test_before_login():
    assert set(BEFORE_LOGIN[Framing.HARDWARE]) == {2, 29}
    assert set(BEFORE_LOGIN[Framing.APP]) == {1, 2, 29, 32, 40, 81}
    assert set(BEFORE_LOGIN[Framing.WEB]) == {1, 2, 40}
    assert BEFORE_LOGIN[Framing.APP][29].command is Command.LOGIN
    refused = {(f, c): a.refusal for f, table in BEFORE_LOGIN.items() for c, a in table.items() if a.refusal}
    assert refused == {(Framing.WEB, 1): Status.NOT_ALLOWED}
