"""Protocol buffers' wire format, as far as a frozen TensorFlow graph needs it.

A message is a run of fields. A field is a key, ``number << 3 | wire type`` as a varint, and then its value:

====  ============  ==========================================================
wire  name          value
====  ============  ==========================================================
0     ``VARINT``    seven bits a byte, lowest first, the top bit says "more"
1     ``FIXED64``   eight bytes; only skipped here
2     ``BLOB``      a varint length and so many bytes: text, bytes, messages, packed numbers
5     ``FIXED32``   four bytes, little-endian: a float
====  ============  ==========================================================

Negative integers are varints of their 64-bit two's complement, so -1 takes ten bytes. Where a single value
appears twice, the last one counts, as the format says.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from racer_env.errors import BundleError

VARINT, FIXED64, BLOB, FIXED32 = 0, 1, 2, 5
MAX_TEXT = 400  #: bytes of one name

WIRE_NAMES = {VARINT: "a varint", FIXED64: "eight bytes", BLOB: "a blob", FIXED32: "four bytes"}


def varint(value: int) -> bytes:
    """Encode a signed 64-bit integer."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """Encode a field that holds an integer, a truth value or an enumeration."""
    return varint(number << 3 | VARINT) + varint(value)


def real(number: int, value: float) -> bytes:
    """Encode a field that holds a 32-bit float."""
    return varint(number << 3 | FIXED32) + struct.pack("<f", value)


def blob(number: int, value: bytes) -> bytes:
    """Encode a field that holds bytes: text, a message, packed numbers."""
    return varint(number << 3 | BLOB) + varint(len(value)) + value


class Limit:
    """A number of things that may still be read; hostile files run into it before memory or time run out."""

    def __init__(self, most: int, things: str) -> None:
        self.most, self.things, self._left = most, things, most

    def take(self, count: int = 1) -> None:
        """Count some as read. Raises `BundleError` when they are too many."""
        self._left -= count
        if self._left < 0:
            raise BundleError(f"the graph holds more than {self.most} {self.things}")


class Message:
    """The fields of one encoded message by number; a nested message is read only when asked for."""

    def __init__(self, data: memoryview, limit: Limit) -> None:
        self._limit = limit
        self._fields: dict[int, list[tuple[int, int | memoryview]]] = {}
        for number, wire, value in _fields(data):
            limit.take()
            self._fields.setdefault(number, []).append((wire, value))

    def __iter__(self) -> Iterator[int]:
        return iter(self._fields)

    def blobs(self, number: int) -> list[memoryview]:
        """Give the bytes of every field of that number."""
        return [value for value in self._values(number, BLOB) if isinstance(value, memoryview)]

    def blob(self, number: int) -> memoryview:
        """Give the bytes of the last field of that number, or none."""
        return (self.blobs(number) or [memoryview(b"")])[-1]

    def text(self, number: int) -> str:
        """Give the text of the last field of that number."""
        return _text(self.blob(number))

    def texts(self, number: int) -> list[str]:
        """Give the texts of every field of that number."""
        return [_text(value) for value in self.blobs(number)]

    def message(self, number: int) -> Message:
        """Read the last field of that number as a message; an absent one is empty."""
        return Message(self.blob(number), self._limit)

    def messages(self, number: int) -> Iterator[Message]:
        """Read every field of that number as a message."""
        return (Message(value, self._limit) for value in self.blobs(number))

    def integer(self, number: int) -> int:
        """Give the last integer of that number, or 0."""
        return ([_signed(value) for value in self._values(number, VARINT)] or [0])[-1]

    def integers(self, number: int) -> list[int]:
        """Give all integers of that number, packed or one by one."""
        out: list[int] = []
        for value in self._values(number, VARINT, BLOB):
            if isinstance(value, memoryview):
                for packed in _packed(value):
                    self._limit.take()
                    out.append(packed)
            else:
                out.append(_signed(value))
        return out

    def real(self, number: int) -> float:
        """Give the last float of that number, or 0."""
        return float(([0.0, *self.reals(number)])[-1])

    def reals(self, number: int) -> npt.NDArray[np.float32]:
        """Give all floats of that number, packed or one by one."""
        data = b"".join(bytes(v) for v in self._values(number, FIXED32, BLOB) if isinstance(v, memoryview))
        if len(data) % 4:
            raise BundleError(f"{len(data)} bytes are not a whole number of 32-bit floats")
        return np.frombuffer(data, "<f4")

    def _values(self, number: int, *wires: int) -> Iterator[int | memoryview]:
        for wire, value in self._fields.get(number, ()):
            if wire not in wires:
                raise BundleError(f"field {number} is {WIRE_NAMES[wire]}, but must be {WIRE_NAMES[wires[0]]}")
            yield value


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not number:
            raise BundleError("it holds a field of number 0, which no message has")
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == BLOB:
            size, at = _varint(data, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise BundleError(f"field {number} has wire type {wire}, but only 0, 1, 2 and 5 exist in a graph")
        if at + size > len(data):
            raise BundleError(f"it is cut off: field {number} says {size} bytes, but only {len(data) - at} follow")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise BundleError("it is cut off in the middle of a number")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise BundleError("it holds a number of more than ten bytes")


def _packed(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield _signed(value)


def _signed(value: int | memoryview) -> int:
    number = int(value)
    return number - (1 << 64) if number >> 63 else number


def _text(data: memoryview) -> str:
    if len(data) > MAX_TEXT:
        raise BundleError(f"a text of {len(data)} bytes is too long; at most {MAX_TEXT} are allowed")
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError(f"{bytes(data[:20])!r} is not UTF-8 text") from None
