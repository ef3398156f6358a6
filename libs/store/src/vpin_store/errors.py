"""Errors of the store that a caller handles."""

from __future__ import annotations


class StoreUnavailable(Exception):  # noqa: N818  a state of the world, not a fault of the caller
    """The database can't be reached or can't write now: the same call may be repeated later.

    A commit that raised it may have been stored all the same; since its rows are upserts, repeating it is harmless.
    """


class Fenced(Exception):  # noqa: N818  a state of the world as well
    """Another process has claimed a shard: the commit is refused as a whole, what the caller knows is outdated."""


class Conflict(Exception):  # noqa: N818  a state of the world as well
    """Somebody else has taken a name that has to be unique (an e-mail in an app): the commit is refused as a whole."""


class WrongSchema(Exception):  # noqa: N818  a state of the world as well
    """The database is not one that this version can work with; the message says what to do."""
