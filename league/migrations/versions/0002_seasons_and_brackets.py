"""Seasons with their rounds and members; brackets with their entrants and heats."""

import sqlalchemy as sa
from alembic import op

from league.migrations.guards import guard

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
PART = sa.Enum(
    "qualifier", "finale", "wildcard", "knockout", name="part", native_enum=False, create_constraint=True, length=16
)
ELIMINATION = sa.Enum("single", "double", name="elimination", native_enum=False, create_constraint=True, length=16)

GUARDS = (
    ("heat_stays", "heats", "UPDATE", "", "a heat that is decided cannot be changed"),
    ("heat_is_kept", "heats", "DELETE", "", "a heat that is decided cannot be removed"),
    ("entrant_stays", "entrants", "UPDATE", "", "who races in a bracket cannot be changed"),
    ("entrant_is_kept", "entrants", "DELETE", "", "who races in a bracket cannot be removed"),
)


def upgrade() -> None:
    """Make the tables and the triggers."""
    op.create_table(
        "seasons",
        *_named(),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_seasons"),
        sa.UniqueConstraint("key", name="uq_seasons_key"),
    )
    op.create_table(
        "rounds",
        sa.Column("race_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("season_id", sa.Integer(), nullable=False),
        sa.Column("part", PART, nullable=False),
        sa.Column("month", sa.Integer(), nullable=True),
        sa.Column("division", sa.String(length=64), nullable=True),
        sa.Column("group_number", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["race_id"], ["races.id"], name="fk_rounds_race_id"),
        sa.ForeignKeyConstraint(["season_id"], ["seasons.id"], name="fk_rounds_season_id"),
        sa.PrimaryKeyConstraint("race_id", name="pk_rounds"),
    )
    op.create_index("ix_rounds_season_id", "rounds", ["season_id"])
    op.create_table(
        "members",
        sa.Column("season_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("racer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("region", sa.String(length=64), nullable=True),
        sa.Column("team", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["racer_id"], ["racers.id"], name="fk_members_racer_id"),
        sa.ForeignKeyConstraint(["season_id"], ["seasons.id"], name="fk_members_season_id"),
        sa.PrimaryKeyConstraint("season_id", "racer_id", name="pk_members"),
    )
    op.create_table(
        "brackets",
        *_named(),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("route_sha256", sa.String(length=64), nullable=False),
        sa.Column("seeds", sa.JSON(), nullable=False),
        sa.Column("elimination", ELIMINATION, nullable=False),
        sa.Column("third_place", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_brackets"),
        sa.UniqueConstraint("key", name="uq_brackets_key"),
    )
    op.create_table(
        "entrants",
        sa.Column("bracket_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seed", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("racer_id", sa.Integer(), nullable=False),
        sa.Column("bundle_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["bracket_id"], ["brackets.id"], name="fk_entrants_bracket_id"),
        sa.ForeignKeyConstraint(["bundle_sha256"], ["bundles.sha256"], name="fk_entrants_bundle_sha256"),
        sa.ForeignKeyConstraint(["racer_id"], ["racers.id"], name="fk_entrants_racer_id"),
        sa.PrimaryKeyConstraint("bracket_id", "seed", name="pk_entrants"),
        sa.UniqueConstraint("bracket_id", "racer_id", name="uq_entrants_bracket_id_racer_id"),
    )
    op.create_table(
        "heats",
        sa.Column("bracket_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("winner_id", sa.Integer(), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["bracket_id"], ["brackets.id"], name="fk_heats_bracket_id"),
        sa.ForeignKeyConstraint(["winner_id"], ["racers.id"], name="fk_heats_winner_id"),
        sa.PrimaryKeyConstraint("bracket_id", "name", name="pk_heats"),
    )
    for each in GUARDS:
        guard(*each)


def downgrade() -> None:
    """Remove them."""
    for table in ("heats", "entrants", "brackets", "members"):
        op.drop_table(table)
    op.drop_index("ix_rounds_season_id", table_name="rounds")
    op.drop_table("rounds")
    op.drop_table("seasons")


def _named() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    ]
