"""Tables, migrations and repositories on PostgreSQL and SQLite.

:mod:`vpin_store.store` is what services use, :mod:`vpin_store.rows` what they exchange with it. SQLAlchemy is loaded
by :mod:`vpin_store.tables` and by a migration that has something to do, never by a store.
"""

from vpin_store.errors import Conflict, Fenced, StoreUnavailable, WrongSchema
from vpin_store.migrations import check_schema, upgrade
from vpin_store.occupancy import in_use
from vpin_store.store import Store, open_store

__all__ = [
    "Conflict",
    "Fenced",
    "Store",
    "StoreUnavailable",
    "WrongSchema",
    "check_schema",
    "in_use",
    "open_store",
    "upgrade",
]
