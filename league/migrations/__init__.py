"""How the tables of a league came about, step by step, for Alembic."""

#: The step that this version of the package works with.
NEWEST = "0004"
