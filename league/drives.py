"""What a drive in a process of its own gives back, of a submission or a heat: its runs and their replays, as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from league.store import Store
    from racer_env.replay import Replay


class DrivenRun(Protocol):
    """A run of a submission or of a heat: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seed(self) -> int:
        """What everything random came from."""

    @property
    def replay_sha256(self) -> str:
        """The hash of what its replay holds, or nothing."""


Kind = TypeVar("Kind", bound=DrivenRun)


@dataclass(frozen=True)
class Driven(Generic[Kind]):
    """What came out of a drive."""

    runs: tuple[Kind, ...]
    replays: Mapping[str, bytes]  #: their files by hash; runs that are the same have one

    def keep(self, store: Store) -> None:
        """Keep the replays. To be done before a result is written, which never names one that is not there.

        Raises:
            ValueError: one is missing.
        """
        if missing := {run.replay_sha256 for run in self.runs} - {"", *self.replays}:
            raise ValueError(f"there is no replay {missing.pop()}")
        for sha256, replay in self.replays.items():
            store.keep_replay(replay, sha256)


def as_json(runs: Sequence[DrivenRun], replays: Sequence[Replay] = ()) -> dict[str, Any]:
    """Runs, and the replays of the first of them, as `driven_of` takes them."""
    from racer_env.replay_file import encode  # noqa: PLC0415 (loads the simulator)

    files = {
        run.replay_sha256: base64.b64encode(encode(replay)).decode() for run, replay in zip(runs, replays, strict=False)
    }
    return {"runs": [asdict(run) for run in runs], "replays": files}


def driven_of(kind: type[Kind], value: Any) -> Driven[Kind]:
    """What `as_json` gave, as values. Raises `ValueError` if it is something else."""
    from racer_env.replay_file import MAX_BYTES  # noqa: PLC0415

    try:
        runs = runs_of(kind, value["runs"])
        replays = {sha256: base64.b64decode(file, validate=True) for sha256, file in value["replays"].items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this did not come from a drive: {error}") from error
    if not set(replays) <= {run.replay_sha256 for run in runs} - {""}:
        raise ValueError("a replay is of none of its runs")
    if any(len(file) > MAX_BYTES for file in replays.values()):
        raise ValueError(f"a replay has more than {MAX_BYTES} bytes")
    return Driven(runs, replays)


def runs_of(kind: type[Kind], values: Any) -> tuple[Kind, ...]:
    """Runs from plain values. Raises `ValueError` if they are something else."""
    made: tuple[Kind, ...] = _runs(kind).validate_python(values)
    return made


@cache
def _runs(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(tuple[kind, ...])
