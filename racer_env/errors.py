"""What can go wrong by the user's doing: one clear sentence each, shown without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RacerError(Exception):
    """A sentence for the user: which file, which value, what is allowed. Commands print it and exit with 2."""


class TrackError(RacerError):
    """A track that does not exist, cannot be read or breaks a rule."""


class MetadataError(RacerError):
    """A ``model_metadata.json`` or ``hyperparameters.json`` that cannot be used."""


class RewardError(RacerError):
    """A reward function that is missing, fails, or returns what is not a usable number."""


class TraceError(RacerError):
    """A simtrace file or log that cannot be read."""


class BundleError(RacerError):
    """A trained-driver file that cannot be read, checked or written."""


class ReplayError(RacerError):
    """A replay that cannot be read, written or shown."""


def told(value: object) -> str:
    """A value of a file as a sentence of ours tells it: not without end."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}..."


def briefly(error: Exception) -> str:
    """What another's error says, as part of a sentence of ours: in one line, and not without end."""
    return " ".join(str(error).split())[:200]


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of `known` was probably meant: ``; did you mean 'oval'?``, or list what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"
