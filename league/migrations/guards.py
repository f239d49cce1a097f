"""Triggers that keep rows from being changed or removed, in both kinds of database."""

from __future__ import annotations

from alembic import op


def guard(name: str, table: str, event: str, condition: str, message: str) -> None:
    """Let a table refuse something with a message; PostgreSQL needs the function `league_refuse` for it.

    Args:
        name: of the trigger.
        table: that is guarded.
        event: ``UPDATE`` or ``DELETE`` of a row.
        condition: when, in terms of OLD and NEW, where {differs} is "is not the same as"; always, if it is empty.
        message: why not.
    """
    if op.get_bind().dialect.name == "postgresql":
        condition, rows = condition.format(differs="IS DISTINCT FROM"), "FOR EACH ROW "
        does = f"EXECUTE FUNCTION league_refuse('{message}')"
    else:
        condition, rows = condition.format(differs="IS NOT"), ""
        does = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    when = f"WHEN ({condition}) " if condition else ""
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} {rows}{when}{does}")
