"""Accounts that do something by the clock; images of firmware and the campaigns that offer them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody has looked yet: their owners will, and correct it.
    op.add_column("account", sa.Column("timed", sa.Boolean, nullable=False, server_default=sa.true()))
    op.create_index(
        "account_timed", "account", ["id"], postgresql_where=sa.text("timed"), sqlite_where=sa.text("timed")
    )
    op.create_table(
        "firmware",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("build", sa.Text, nullable=False),
        sa.Column("uploaded_at", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "campaign",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("build", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
    )
