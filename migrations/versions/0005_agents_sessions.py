"""Registered agents; sessions, whose steps may wait for their reward.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
OrderedJson = sa.JSON(none_as_null=True)

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("agent", Json, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_agents_owner_name")),
    )
    # Added in place: SQLite would make the table anew for anything more, and the steps would go with the old one.
    op.add_column("runs", sa.Column("kind", sa.String(length=16), server_default="run", nullable=False))
    with op.batch_alter_table("steps") as steps:
        steps.alter_column("reward", existing_type=sa.Double(), nullable=True)
    op.create_table(
        "sessions",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("definition", OrderedJson, nullable=True),
        sa.Column("observation", OrderedJson, nullable=True),
        sa.Column("ttl_s", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_sessions_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "session_calls",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", OrderedJson, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_session_calls_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "request_id", name=op.f("pk_session_calls")),
    )


def downgrade() -> None:
    op.drop_table("session_calls")
    op.drop_index("ix_sessions_expires_at", "sessions")
    op.drop_table("sessions")
    op.execute("DELETE FROM steps WHERE run_id IN (SELECT id FROM runs WHERE kind = 'session')")
    op.execute("DELETE FROM episodes WHERE run_id IN (SELECT id FROM runs WHERE kind = 'session')")
    op.execute("DELETE FROM runs WHERE kind = 'session'")
    with op.batch_alter_table("steps") as steps:
        steps.alter_column("reward", existing_type=sa.Double(), nullable=False)
    op.drop_column("runs", "kind")
    op.drop_table("agents")
