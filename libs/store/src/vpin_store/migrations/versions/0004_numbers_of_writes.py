"""The running number of an account's writes, and who wrote a value."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("pin_value", sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("pin_value", sa.Column("source", sa.Integer, nullable=False, server_default="0"))
