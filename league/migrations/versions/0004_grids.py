"""Heats of several: the race that a bracket decides, and who does not start in a heat."""

import sqlalchemy as sa
from alembic import op

from league.migrations.guards import guard

revision = "0004"
down_revision = "0003"

GUARDS = (
    ("scratch_stays", "scratches", "UPDATE", "", "who does not start in a heat cannot be changed"),
    ("scratch_is_kept", "scratches", "DELETE", "", "who does not start in a heat cannot be removed"),
)


def upgrade() -> None:
    """Add the column and the table."""
    op.execute(
        "ALTER TABLE brackets ADD COLUMN race_id INTEGER CONSTRAINT fk_brackets_race_id REFERENCES races (id)"
    )  # Alembic cannot add one with a reference in SQLite, which can
    op.create_index("ix_brackets_race_id", "brackets", ["race_id"], unique=True)
    op.create_table(
        "scratches",
        sa.Column("bracket_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("heat", sa.String(length=16), nullable=False),
        sa.Column("racer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bracket_id"], ["brackets.id"], name="fk_scratches_bracket_id"),
        sa.ForeignKeyConstraint(["racer_id"], ["racers.id"], name="fk_scratches_racer_id"),
        sa.PrimaryKeyConstraint("bracket_id", "heat", "racer_id", name="pk_scratches"),
    )
    for each in GUARDS:
        guard(*each)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("scratches")
    op.drop_index("ix_brackets_race_id", table_name="brackets")
    op.drop_column("brackets", "race_id")
