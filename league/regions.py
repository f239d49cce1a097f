"""Regions: one board, looked at by where its racers race, and the seats that each region has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from league.rules import Standing, among


def regional(board: Sequence[Standing], region_of: Mapping[str, str]) -> dict[str, tuple[Standing, ...]]:
    """The board of every region by its name; who has no region is on none."""
    return {region: among(board, racers) for region, racers in sorted(members(board, region_of).items())}


def members(board: Sequence[Standing], group_of: Mapping[str, str]) -> dict[str, set[str]]:
    """Who on a board belongs to which region, team, or whatever racers belong to."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for s in board:
        if s.racer in group_of:
            found[group_of[s.racer]].add(s.racer)
    return found
