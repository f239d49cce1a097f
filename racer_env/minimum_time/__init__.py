"""The fastest line around a track for a car's limits."""

from racer_env.minimum_time.limits import Limits
from racer_env.minimum_time.line import Line, minimum_curvature_line, minimum_time_line

__all__ = ["Limits", "Line", "minimum_curvature_line", "minimum_time_line"]
