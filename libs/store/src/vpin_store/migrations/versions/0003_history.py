"""History: streams, points that came and wait for the roll-up, raw points, minutes, hours and days.

What differs between the databases is how the bulky tables lie on the disk; :mod:`vpin_store.history` says why.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SLOTS = 32
STEPS = ("minute", "hour", "day")
POINT = "stream_id integer NOT NULL, at bigint NOT NULL, value double precision NOT NULL"
PASSING = f"shard integer NOT NULL, seq bigint NOT NULL, {POINT}"
RAW = f"day integer NOT NULL, {POINT}"
SUMS = (
    "count integer NOT NULL, total double precision NOT NULL, least double precision NOT NULL,"
    " greatest double precision NOT NULL, last double precision NOT NULL"
)
ROLLUP = f"stream_id integer NOT NULL, period integer NOT NULL, {SUMS}, last_at bigint NOT NULL"


def upgrade() -> None:
    op.create_table(
        "stream",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("dash_id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("pin_type", sa.Integer, nullable=False),
        sa.Column("pin", sa.Integer, nullable=False),
        sa.UniqueConstraint("account_id", "dash_id", "device_id", "pin_type", "pin", name="stream_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "dropped_stream",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dropped_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "history_commit",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "history_rolled",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _upgrade_postgres()
    else:
        _upgrade_sqlite()


def _upgrade_postgres() -> None:
    op.execute("CREATE SEQUENCE history_batch")
    op.execute(f"CREATE TABLE passing ({PASSING})")
    for slot in range(SLOTS):  # emptied by TRUNCATE long before anything of them is worth a vacuum
        op.execute(f"CREATE TABLE passing_{slot} () INHERITS (passing) WITH (autovacuum_enabled = false)")
    op.execute(f"CREATE TABLE raw_point ({RAW}) PARTITION BY RANGE (day)")
    op.execute("CREATE INDEX raw_point_stream_id_at ON raw_point (stream_id, at)")
    for step in STEPS:
        covered = " INCLUDE (count, total, least, greatest, last)" if step == "minute" else ""
        op.execute(
            f"CREATE TABLE {step}_rollup ({ROLLUP},"
            f" CONSTRAINT {step}_rollup_pkey PRIMARY KEY (stream_id, period){covered})"
        )
    # A minute is written once or twice and read by thousands: its index has all that is read, lies in the order of a
    # reading, and needs pages that vacuum has seen. An hour or day is written each minute: room for that on its page.
    op.execute("ALTER TABLE minute_rollup SET (autovacuum_vacuum_insert_scale_factor = 0.02)")
    op.execute("ALTER TABLE hour_rollup SET (fillfactor = 50)")
    op.execute("ALTER TABLE day_rollup SET (fillfactor = 50)")


def _upgrade_sqlite() -> None:
    for name, columns in (("passing", PASSING), ("raw_point", RAW)):
        op.execute(f"CREATE TABLE {name} ({columns})".replace("double precision", "double"))
    op.execute("CREATE INDEX raw_point_stream_id_at ON raw_point (stream_id, at)")
    for step in STEPS:
        table = f"CREATE TABLE {step}_rollup ({ROLLUP}, PRIMARY KEY (stream_id, period)) WITHOUT ROWID"
        op.execute(table.replace("double precision", "double"))
