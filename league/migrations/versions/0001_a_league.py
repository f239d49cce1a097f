"""The tables of a league, and the triggers that keep what must not change."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
STATUSES = ("QUEUED", "RUNNING", "SCORED", "DNF", "REJECTED", "ERROR", "WITHDRAWN")
STATUS = sa.Enum(*STATUSES, name="status", native_enum=False, create_constraint=True, length=16)

_ANOTHER = (
    "NEW.race_id <> OLD.race_id OR NEW.racer_id <> OLD.racer_id OR NEW.bundle_sha256 <> OLD.bundle_sha256 "
    "OR NEW.submitted_at <> OLD.submitted_at"
)
_SECOND_RESULT = (
    "OLD.progress_percentage IS NOT NULL AND (NEW.progress_percentage {differs} OLD.progress_percentage "
    "OR NEW.score_ms {differs} OLD.score_ms OR NEW.trace_sha256 {differs} OLD.trace_sha256 "
    "OR NEW.status NOT IN (OLD.status, 'WITHDRAWN'))"
)

#: A name, the table, what happens to a row, a condition in which {differs} is "is not the same as", and what is said.
GUARDS = (
    ("audit_stays", "audit", "UPDATE", "", "an entry of the audit log cannot be changed"),
    ("audit_is_kept", "audit", "DELETE", "", "an entry of the audit log cannot be removed"),
    ("result_stays", "results", "UPDATE", "", "a result cannot be changed"),
    ("result_is_kept", "results", "DELETE", "", "a result cannot be removed"),
    ("bundle_stays", "bundles", "UPDATE", "", "a bundle cannot be changed"),
    ("submission_is_kept", "submissions", "DELETE", "", "a submission cannot be removed"),
    (
        "submission_stays",
        "submissions",
        "UPDATE",
        _ANOTHER,
        "a submission cannot become another one",
    ),
    (
        "score_stays",
        "submissions",
        "UPDATE",
        _SECOND_RESULT,
        "a submission has one result, ever",
    ),
)


def upgrade() -> None:
    """Make the tables and the triggers."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("race", sa.String(length=64), nullable=True),
        sa.Column("racer", sa.String(length=64), nullable=True),
        sa.Column("submission", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_race", "audit", ["race"])
    op.create_table(
        "bundles",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("archive_sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_bundles"),
        sa.UniqueConstraint("archive_sha256", name="uq_bundles_archive_sha256"),
    )
    op.create_table(
        "racers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_racers"),
        sa.UniqueConstraint("key", name="uq_racers_key"),
    )
    op.create_table(
        "races",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("route_sha256", sa.String(length=64), nullable=False),
        sa.Column("opens_at", TIME, nullable=True),
        sa.Column("closes_at", TIME, nullable=True),
        sa.Column("final_at", TIME, nullable=True),
        sa.Column("cancelled_at", TIME, nullable=True),
        sa.Column("seeds", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_races"),
        sa.UniqueConstraint("key", name="uq_races_key"),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("race_id", sa.Integer(), nullable=False),
        sa.Column("racer_id", sa.Integer(), nullable=False),
        sa.Column("bundle_sha256", sa.String(length=64), nullable=False),
        sa.Column("submitted_at", TIME, nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("score_ms", sa.Integer(), nullable=True),
        sa.Column("progress_percentage", sa.Double(), nullable=True),
        sa.Column("laps", sa.Integer(), nullable=True),
        sa.Column("off_track_count", sa.Integer(), nullable=True),
        sa.Column("trace_sha256", sa.String(length=64), nullable=True),
        sa.Column("copy_of", sa.Integer(), nullable=True),
        sa.Column("disqualified", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["bundle_sha256"], ["bundles.sha256"], name="fk_submissions_bundle_sha256"),
        sa.ForeignKeyConstraint(["race_id"], ["races.id"], name="fk_submissions_race_id"),
        sa.ForeignKeyConstraint(["racer_id"], ["racers.id"], name="fk_submissions_racer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
    )
    op.create_index("ix_submissions_bundle_sha256", "submissions", ["bundle_sha256"])
    op.create_index(
        "ix_submissions_race_id_racer_id_submitted_at", "submissions", ["race_id", "racer_id", "submitted_at"]
    )
    op.create_index("ix_submissions_status_id", "submissions", ["status", "id"])
    op.create_index("ix_submissions_trace_sha256", "submissions", ["trace_sha256"])
    op.create_table(
        "participants",
        sa.Column("race_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("racer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("best_id", sa.Integer(), nullable=True),
        sa.Column("driven", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["best_id"], ["submissions.id"], name="fk_participants_best_id"),
        sa.ForeignKeyConstraint(["race_id"], ["races.id"], name="fk_participants_race_id"),
        sa.ForeignKeyConstraint(["racer_id"], ["racers.id"], name="fk_participants_racer_id"),
        sa.PrimaryKeyConstraint("race_id", "racer_id", name="pk_participants"),
    )
    op.create_table(
        "results",
        sa.Column("submission_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_results_submission_id"),
        sa.PrimaryKeyConstraint("submission_id", name="pk_results"),
    )
    _guard()


def downgrade() -> None:
    """Remove everything."""
    op.drop_table("results")
    op.drop_table("participants")
    op.drop_index("ix_submissions_trace_sha256", table_name="submissions")
    op.drop_index("ix_submissions_status_id", table_name="submissions")
    op.drop_index("ix_submissions_race_id_racer_id_submitted_at", table_name="submissions")
    op.drop_index("ix_submissions_bundle_sha256", table_name="submissions")
    op.drop_table("submissions")
    op.drop_table("races")
    op.drop_table("racers")
    op.drop_table("bundles")
    op.drop_index("ix_audit_race", table_name="audit")
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION league_refuse()")


def _guard() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION league_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$"
        )
        for table in ("audit", "results"):
            op.execute(
                f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table} "
                f"EXECUTE FUNCTION league_refuse('{table} cannot be emptied')"
            )
    for guard in GUARDS:
        _make_trigger(*guard)


def _make_trigger(name: str, table: str, event: str, condition: str, message: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        condition, rows = condition.format(differs="IS DISTINCT FROM"), "FOR EACH ROW "
        does = f"EXECUTE FUNCTION league_refuse('{message}')"
    else:
        condition, rows = condition.format(differs="IS NOT"), ""
        does = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    when = f"WHEN ({condition}) " if condition else ""
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} {rows}{when}{does}")
