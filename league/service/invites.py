"""Invite codes of private races: drawn, chosen, compared. Whoever has one may race until the race closes.

A code is told to the organiser who asks for it and to nobody else: no view, list, export or audit entry has it.
"""

from __future__ import annotations

import re
import secrets

from league.errors import LeagueError
from league.models import Race, Racer

LENGTH = 12  #: of a code that is drawn: 59 bits
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  #: that nobody mixes up who reads them from a board


def drawn_code() -> str:
    """A code that nobody guesses."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def chosen_code(code: str) -> str:
    """A code that an organiser has chosen, or a `LeagueError`: of the form of AWS's access tokens."""
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,32}", code):
        raise LeagueError(f"an invite code has 1 to 32 of the characters a-z, A-Z, 0-9, '-' and '_', not {code!r}")
    return code


def check_invited(race: Race, racer: Racer, code: str | None) -> None:
    """Raise `LeagueError` if a race is private, and a racer who is not in it yet has not said its code."""
    if not race.settings.private:
        return
    if code is None:
        raise LeagueError(f"race {race.name!r} is private: racer {racer.name!r} needs its invite code, --invite CODE")
    if race.invite is None or not secrets.compare_digest(code.encode(errors="replace"), race.invite.encode()):
        raise LeagueError(f"race {race.name!r} is private and has another invite code; its organiser knows it")
