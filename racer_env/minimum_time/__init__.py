"""The fastest line around a track for what a car can do: `minimum_time_line`.

From the bottom up: `jet` differentiates, `band` solves, `interior_point` minimises, `corridor` cuts a track into
cross-sections, `limits` says what a car can do, `road` states what is minimised, `line` is what comes out.
"""

from racer_env.minimum_time.limits import Limits
from racer_env.minimum_time.line import Line, minimum_curvature_line, minimum_time_line

__all__ = ["Limits", "Line", "minimum_curvature_line", "minimum_time_line"]
