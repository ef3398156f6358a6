"""Accounts with dashboards, widgets, devices, tokens; pin values and properties; applied slabs and jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BODY = sa.JSON().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("app_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("is_super_admin", sa.Boolean, nullable=False),
        sa.Column("is_facebook_user", sa.Boolean, nullable=False),
        sa.Column("energy", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_login_at", sa.BigInteger, nullable=False),
        sa.Column("last_login_ip", sa.Text, nullable=False),
        sa.Column("body", BODY, nullable=False),
        sa.UniqueConstraint("email", "app_name", name="account_email_app_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "dashboard",
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("body", BODY, nullable=False),
    )
    op.create_table(
        "widget",
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("dash_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("body", BODY, nullable=False),
    )
    op.create_table(
        "device",
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("dash_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("template_id", sa.Text, nullable=False),
        sa.Column("connect_time", sa.BigInteger, nullable=False),
        sa.Column("first_connect_time", sa.BigInteger, nullable=False),
        sa.Column("disconnect_time", sa.BigInteger, nullable=False),
        sa.Column("data_received_at", sa.BigInteger, nullable=False),
        sa.Column("last_logged_ip", sa.Text, nullable=False),
        sa.Column("body", BODY, nullable=False),
    )
    op.create_table(
        "token",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("dash_id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("body", BODY, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("token_account_id", "token", ["account_id"])
    op.create_table(
        "pin_value",
        *_pin(),
        sa.Column("value", sa.LargeBinary, nullable=True),
        sa.Column("lines", sa.LargeBinary, nullable=True),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pin_property",
        *_pin(),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "applied_slab",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sender", sa.LargeBinary, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shard_owner",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notification_job",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("notification_job_shard", "notification_job", ["shard"])
    if op.get_context().dialect.name == "postgresql":
        # Overwritten all the time: room in the page keeps updates out of the index (HOT), vacuum comes early.
        op.execute("ALTER TABLE pin_value SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)")
        op.execute("ALTER TABLE device SET (fillfactor = 70)")
        op.execute("ALTER TABLE applied_slab SET (fillfactor = 50)")


def _pin() -> list[sa.Column[int]]:
    return [
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("dash_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("device_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pin_type", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pin", sa.Integer, primary_key=True, autoincrement=False),
    ]
