"""The invite codes of private races, and the running orders of live ones."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; the queue is what has no turn in a live race."""
    op.add_column("races", sa.Column("invite", sa.String(length=32), nullable=True))
    op.add_column("submissions", sa.Column("turn", sa.Integer(), nullable=True))
    op.add_column("submissions", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_submissions_status_id", table_name="submissions")
    op.create_index("ix_submissions_status_turn_id", "submissions", ["status", "turn", "id"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_submissions_status_turn_id", table_name="submissions")
    op.create_index("ix_submissions_status_id", "submissions", ["status", "id"])
    op.drop_column("submissions", "released_at")
    op.drop_column("submissions", "turn")
    op.drop_column("races", "invite")
