"""What is logged, as TensorBoard reads it.

Written at once and by the thread that logs, so that a full disk is noticed where it can be told; tensorboard's own
writer has a thread that dies with a traceback.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, Logger
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]


class EventFile(KVWriter):
    """An event file in a folder, which is made when the first values are written."""

    def __init__(self, folder: Path):
        self._path = folder / f"events.out.tfevents.{time.time_ns()}.{platform.node()}.{os.getpid()}"

    def write(self, key_values: Mapping[str, Any], key_excluded: Mapping[str, tuple[str, ...]], step: int = 0) -> None:
        """Append the scalars of a step."""
        shown = {key: value for key, value in key_values.items() if "tensorboard" not in (key_excluded[key] or ())}
        values = [Summary.Value(tag=key, simple_value=float(value)) for key, value in shown.items()]
        events = [Event(wall_time=time.time(), step=step, summary=Summary(value=values))]
        if not self._path.exists():
            events.insert(0, Event(wall_time=time.time(), file_version="brain.Event:2"))
        with self._path.open("ab") as file:
            for event in events:
                RecordWriter(file).write(event.SerializeToString())

    def close(self) -> None:
        """Nothing is open."""


def logger(folder: Path) -> Logger:
    """A logger of stable-baselines3 that writes into a folder."""
    return Logger(str(folder), [EventFile(folder)])
