"""Where runs come from: forked off others, imported; what played them.

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # No batches: SQLite adds columns by itself, and a copy of all steps may take long.
    for name in ("versions", "parent", "imported_from"):
        op.add_column("runs", sa.Column(name, Json, nullable=True))
    op.add_column("steps", sa.Column("inherited", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("steps", "inherited")
    for name in ("imported_from", "parent", "versions"):
        op.drop_column("runs", name)
