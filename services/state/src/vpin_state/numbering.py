"""The running number of an account's writes (spec 08, 5; 07, 10), given without a word on the hot way.

A pin that was written is among the account's dirty pins until the next commit. It gets its number when somebody looks: at
that commit, when the API reads the account's values, or at the end of a slab while the account is watched. So of several
writes of a pin between two looks only the last has a number; the earlier ones nobody has seen here, nor ever will. What
was numbered and is not committed yet is remembered in `Account.numbered`, by the very objects that the pin held then: any
write puts new ones there (or, twice the same value in the same slab, leaves nothing to tell).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpin_state.model import Account
    from vpin_state.pins import Pin


def number_writes(account: Account) -> None:
    """Number all writes so far, and show them to whoever watches."""
    numbered, watch = account.numbered, account.watch
    for pin in account.dirty.pins:
        held = numbered.get(pin)
        if held is not None and held[0] is pin.value and held[1] is pin.updated_at and held[2] is pin.lines:
            continue
        numbered[pin] = (pin.value, pin.updated_at, pin.lines)
        account.seq += 1
        pin.seq = account.seq
        if watch is not None:
            watch.show_value(pin)


def number_for_commit(account: Account) -> None:
    """The same for the pins of a commit: from now on another write makes them dirty anew."""
    if account.numbered or account.watch is not None:
        number_writes(account)
        account.numbered.clear()
        return
    for pin in account.dirty.pins:
        account.seq += 1
        pin.seq = account.seq


def number_erased(account: Account, pin: Pin) -> None:
    """A pin is about to become never written."""
    account.seq += 1
    pin.seq = account.seq
    account.numbered.pop(pin, None)
    if account.watch is not None:
        account.watch.show_value(pin)
