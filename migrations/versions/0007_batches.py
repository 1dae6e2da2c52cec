"""Batches, the runs that are parts of them, and what runs cost.

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("request", Json, nullable=False),
        sa.Column("cells", Json, nullable=False),
        sa.Column("max_cost_usd", sa.Double(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("owner", "idempotency_key", name=op.f("uq_batches_owner_idempotency_key")),
    )
    # Added in place: SQLite would make the table anew for anything more, and the steps would go with the old one.
    op.add_column("runs", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("runs", sa.Column("cell", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("cost_usd", sa.Double(), server_default="0", nullable=False))
    op.create_index("ix_runs_batch_id", "runs", ["batch_id"])


def downgrade() -> None:
    op.drop_index("ix_runs_batch_id", "runs")
    for name in ("cost_usd", "cell", "batch_id"):
        op.drop_column("runs", name)
    op.drop_table("batches")
