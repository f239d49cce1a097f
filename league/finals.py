"""From qualifiers to a bracket: seats that roll down, the order of a finale, and knockout groups.

As in the AWS League of 2021: each month's qualifier fills a finale with its best sixteen who have no seat in the
championship yet; the best three of the finale who have none get one; a last race gives wildcards to the best five
left; then groups are raced, and the best four of each make the bracket.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from league.errors import LeagueError
from league.rules import Standing


def roll_down(board: Sequence[Standing], seats: int, taken: Container[str] = ()) -> tuple[str, ...]:
    """The best `seats` finishers of a board, best first; a seat of somebody in `taken` goes to the next.

    Equal scores do not make more seats: the earlier submission has it.
    """
    return tuple(s.racer for s in board if s.finished and s.racer not in taken)[:seats]


def running_order(board: Sequence[Standing], racers: Container[str]) -> tuple[str, ...]:
    """The order in which racers start who race one after the other: the last on the board first.

    A finale's first round goes by the qualifier, its second by the first.
    """
    return tuple(s.racer for s in reversed(board) if s.racer in racers)


def groups(racers: Sequence[str], count: int) -> tuple[tuple[str, ...], ...]:
    """Spread racers, best first, over `count` groups: the first to each, then back from the last group, and so on.

    Raises:
        LeagueError: there are fewer racers than groups, or no group.
    """
    if not 1 <= count <= len(racers):
        raise LeagueError(f"{len(racers)} racers cannot be in {count} groups: a group needs at least one racer")
    made: list[list[str]] = [[] for _ in range(count)]
    for start in range(0, len(racers), count):
        across = made if start // count % 2 == 0 else made[::-1]
        for group, racer in zip(across, racers[start : start + count], strict=False):
            group.append(racer)
    return tuple(map(tuple, made))


def through(boards: Sequence[Sequence[Standing]], each: int) -> tuple[str, ...]:
    """Who goes through from the boards of groups: the best `each` of each, as seeds of a bracket.

    Group winners come first, by their scores, then the seconds, and so on. A DNF goes through where fewer finish.
    """
    places = [(place, s.entry.order, s.racer) for board in boards for place, s in enumerate(board[:each])]
    return tuple(racer for _, _, racer in sorted(places))
