"""What an agent keeps besides its decisions: notes of a step, lessons of an episode.

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("episodes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lessons_before", Json, nullable=True))
        batch_op.add_column(sa.Column("lessons", Json, nullable=True))
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("notes", Json, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.drop_column("notes")
    with op.batch_alter_table("episodes", schema=None) as batch_op:
        batch_op.drop_column("lessons")
        batch_op.drop_column("lessons_before")
