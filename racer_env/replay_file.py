"""Replays as bytes: small, the same for the same drive, and safe to read from strangers.

A file is the line ``RACER-REPLAY 1`` and then zlib's compression of: the length of a header (4 bytes), the header
(JSON, keys sorted), the points of a track that is not shipped, and the columns of numbers, one after the other. A
column is whole numbers of its unit (`UNITS`), each as the difference of what the one or two before it lead to expect,
modulo 2^32, its sign moved to the lowest bit, and all lowest bytes before all second ones, and so on: what changes
evenly becomes zeros. Everything is little-endian. Nothing in a file is code, and how large it becomes is known from its
header before anything is unpacked.

**Precision.** Numbers come back within half a unit: places to 0.05 mm, angles of the car to 0.05 mrad, speeds to 0.5
mm/s, progress to 0.0005 %, and whole numbers as they are. What was read is written as the same bytes again by the same
zlib; another version of it may pack the same content into other bytes, which `digest` does not see.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from racer_env.errors import ReplayError
from racer_env.kernel import Floats, Records, as_records, records
from racer_env.race import Status
from racer_env.replay import DRIVEN, GRID, THING, Header, Replay

MAGIC = b"RACER-REPLAY 1\n"
SUFFIX = ".replay"

MAX_BYTES = 16 * 2**20  #: of a file
MAX_HEADER = 2**20  #: bytes
MAX_NUMBERS = 16 * 2**20  #: of all columns

FARTHEST, FASTEST = 1e4, 100.0  #: m and m/s, beyond which nothing was driven by a car

_LEVEL = 9  #: of zlib
_Numbers = npt.NDArray[np.uint32]


class _Unit(NamedTuple):
    """How the numbers of a column are kept."""

    size: float  #: of one
    order: int  #: how many numbers before one say what to expect: 1 the same, 2 the same change


_PLACE, _ANGLE, _SPEED, _WHOLE = _Unit(1e-4, 2), _Unit(1e-4, 2), _Unit(1e-3, 1), _Unit(1.0, 1)

#: Of the fields of `DRIVEN` and `THING`.
UNITS: dict[str, _Unit] = {
    "x": _PLACE,
    "y": _PLACE,
    "yaw": _ANGLE,
    "speed": _SPEED,
    "steering": _Unit(1e-4, 1),
    "steering_command": _Unit(1e-2, 1),
    "speed_command": _SPEED,
    "progress": _Unit(1e-3, 2),
    **dict.fromkeys(("status", "laps", "lap_milliseconds", "pause", "resets", "present"), _WHOLE),
}
_POINT = _Unit(GRID, 2)


def encode(replay: Replay) -> bytes:
    """Write a replay as bytes.

    Raises:
        ReplayError: it is longer, or has larger numbers or other names, than a file may.
    """
    data = MAGIC + zlib.compress(_content(replay), _LEVEL)
    if len(data) > MAX_BYTES:
        raise ReplayError(f"the replay has {len(data)} bytes, but at most {MAX_BYTES} are allowed")
    return data


def digest(replay: Replay) -> str:
    """SHA-256 of what a replay's file holds, whatever packs it."""
    return hashlib.sha256(_content(replay)).hexdigest()


def decode(data: bytes, name: str = "the replay") -> Replay:
    """Read a replay from bytes.

    Args:
        data: of anybody.
        name: of it in errors.

    Raises:
        ReplayError: it is none, is damaged, or passes a limit.
    """
    try:
        return _decode(data)
    except ReplayError as error:
        raise ReplayError(f"{name}: {error}") from error


def write(replay: Replay, path: Path) -> None:
    """Write a replay to a file, whole or not at all. Raises `ReplayError`."""
    data, temporary = encode(replay), path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise ReplayError(f"the replay {path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> Replay:
    """Read a replay from a file. Raises `ReplayError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read ({error.strerror})") from error
    return decode(data, str(path))


def _content(replay: Replay) -> bytes:
    header = json.dumps(asdict(replay.header), sort_keys=True, separators=(",", ":")).encode()
    _header(header)
    points = [_column(replay.route[:, k : k + 1], _POINT, "the track") for k in range(6)] if len(replay.route) else []
    columns = points + _columns(replay.driven) + _columns(replay.things)
    if sum(column.size for column in columns) > MAX_NUMBERS or len(header) > MAX_HEADER:
        raise ReplayError(f"the replay has {len(replay)} frames, which are more than fit into a file")
    return b"".join([struct.pack("<I", len(header)), header, *(_packed(column) for column in columns)])


def _columns(frames: Records) -> list[_Numbers]:
    """Columns (t, k) of records (t, k), in the order of their fields; none of none."""
    names = frames.dtype.names if frames.size else ()
    return [_column(np.asarray(frames[name]), UNITS[name], name) for name in names]


def _column(values: npt.NDArray[Any], unit: _Unit, name: str) -> _Numbers:
    whole = np.round(values.astype(np.float64) / unit.size)
    if not (np.abs(whole) < 2**31).all():
        raise ReplayError(f"{name} holds a number that a replay cannot keep: {values[~(np.abs(whole) < 2**31)][0]}")
    out = whole.astype(np.int64).astype(np.uint32)
    for _ in range(unit.order):
        out = np.diff(out, axis=0, prepend=np.zeros((1, out.shape[1]), np.uint32))
    return out


def _packed(column: _Numbers) -> bytes:
    """A column, car by car, with signs in the lowest bit and bytes of equal weight side by side."""
    signed = np.ascontiguousarray(column.T).view(np.int32)
    folded = ((signed << 1) ^ (signed >> 31)).astype("<u4")
    return folded.reshape(-1, 1).view(np.uint8).T.tobytes()


def _unpacked(data: bytes, rows: int, unit: _Unit) -> npt.NDArray[np.int64]:
    """The whole numbers (rows, k) of a column."""
    folded = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(4, -1).T).view("<u4").ravel()
    out: _Numbers = ((folded >> 1) ^ (np.uint32(0) - (folded & 1))).astype(np.uint32).reshape(-1, rows).T
    for _ in range(unit.order):
        out = np.cumsum(out, axis=0, dtype=np.uint32)
    return np.ascontiguousarray(out).view(np.int32).astype(np.int64)


def _decode(data: bytes) -> Replay:
    if len(data) > MAX_BYTES:
        raise ReplayError(f"it has more than the {MAX_BYTES} bytes that are allowed")
    if not data.startswith(MAGIC):
        raise ReplayError("it is no replay, or one of another version; a replay begins with RACER-REPLAY 1")
    packed = _Packed(data[len(MAGIC) :])
    header = _header(packed.take(_length(packed.take(4))))
    frames, points = sum(header.runs), header.course.points
    counts = ((frames, len(header.racers), DRIVEN), (frames, len(header.things), THING))
    if 6 * points + sum(frames * k * len(layout.names or ()) for _, k, layout in counts) > MAX_NUMBERS:
        raise ReplayError(f"it says that it has {frames} frames and {points} points, which are too many")
    route = np.hstack([np.zeros((points, 0)), *(_points(packed, points) for _ in range(6 if points else 0))])
    driven, things = (_records(packed, *count) for count in counts)
    packed.end()
    _check(header, driven, things)
    return Replay(header, driven, things, route.reshape(points, 6))


def _length(data: bytes) -> int:
    length = int(struct.unpack("<I", data)[0])
    if length > MAX_HEADER:
        raise ReplayError(f"its header has {length} bytes, but at most {MAX_HEADER} are allowed")
    return length


@cache
def _headers() -> TypeAdapter[Header]:
    return TypeAdapter(Header)


def _header(data: bytes) -> Header:
    try:
        return _headers().validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ReplayError(f"its header cannot be used: {place + ': ' if place else ''}{first['msg']}") from error


def _points(packed: _Packed, points: int) -> Floats:
    out: Floats = _unpacked(packed.take(4 * points), points, _POINT) * np.float64(GRID)
    return out


def _records(packed: _Packed, frames: int, count: int, layout: np.dtype[Any]) -> Records:
    out = records((frames, count), layout)
    for name in layout.names or () if count else ():
        out[name] = _unpacked(packed.take(4 * frames * count), frames, UNITS[name]) * (
            UNITS[name].size if layout[name].kind == "f" else 1
        )
    return as_records(out)


def _check(header: Header, driven: Records, things: Records) -> None:
    """Make sure that the numbers can be those of a drive."""
    for what in (driven, things):
        for name, most in (("x", FARTHEST), ("y", FARTHEST), ("speed", FASTEST)):
            if what.size and np.abs(what[name]).max() > most:
                raise ReplayError(f"its {name} reaches {np.abs(what[name]).max():g}, but {most:g} is the most")
    for name, most in (("status", max(Status)), ("laps", len(driven)), ("pause", 2**31), ("resets", 2**31)):
        if driven[name].min() < 0 or driven[name].max() > most:
            raise ReplayError(f"its {name} reaches {driven[name].max()}, but must be from 0 to {most}")
    if driven.lap_milliseconds.min() < 0:
        raise ReplayError("a lap in it took less than no time")
    starts = np.cumsum((0, *header.runs[:-1]))
    returns = np.diff(driven.present.astype(np.int8), axis=0, prepend=1) > 0
    returns[starts] = ~driven.present[starts]
    if returns.any():
        raise ReplayError("a car in it is not there at the start of a run, or comes back during one")


class _Packed:
    """Compressed content that is unpacked piece by piece, and never further than asked for."""

    def __init__(self, data: bytes):
        self._stream, self._rest = zlib.decompressobj(), data

    def take(self, count: int) -> bytes:
        """Unpack exactly so many bytes."""
        parts, missing = [], count
        while missing:
            try:
                part = self._stream.decompress(self._rest, missing)
            except zlib.error as error:
                raise ReplayError(f"it is damaged ({error})") from error
            self._rest = self._stream.unconsumed_tail
            if not part:
                raise ReplayError("it is cut off")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Make sure that nothing follows."""
        try:
            more = self._stream.decompress(self._rest, 1)
        except zlib.error as error:
            raise ReplayError(f"it is damaged ({error})") from error
        if more or not self._stream.eof or self._stream.unused_data:
            raise ReplayError("it is cut off" if not more and not self._stream.eof else "something follows its end")
