"""What is left of a picture that was sent as JPEG.

Of the steps of baseline JPEG (ITU-T T.81) only the cosine transform of blocks of 8 by 8 pixels and the rounding of its
coefficients to multiples of a table lose anything; the coding of what is left, which takes most of the time, loses
nothing and is left out for grey pictures. The transforms are the integer ones that libjpeg takes if nothing else is
said, of Loeffler, Ligtenberg and Moschytz (*Practical fast 1-D DCT algorithms with 11 multiplications*, 1989): tests
compare with Pillow to the bit. Pictures in colour, whose colours are also thinned out, go through Pillow.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from racer_env.kernel import COMPILED, Ints, inlined_kernel, kernel

Pictures = npt.NDArray[np.uint8]  #: (n, h, w, channels)
_Whole = npt.NDArray[np.int32]

#: Of brightness, at a quality of 50: table K.1 of T.81, from the lowest frequency across and down.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_SIDE = 8  #: pixels of a block
_AT_ONCE = 32  #: blocks that are computed side by side, so that vector units do
_DOWN = _SIDE * _AT_ONCE  #: numbers from a row of these blocks to the next one
_POINT = 13  #: binary places of the constants
_KEPT = 2  #: binary places that are kept between the transforms of rows and columns
_narrow = np.int32 if COMPILED else int  # 32 bits are what vector units do fast
_single = np.float32 if COMPILED else float


def through_jpeg(pictures: Pictures, which: Ints, qualities: Ints) -> None:
    """Pack and unpack some pictures (k,) of several (n, h, w, channels), in place.

    Args:
        pictures: in colour if they have three channels; else each channel is a grey one.
        which: of them (k,).
        qualities: of each (k,), 1 to 95 as in libjpeg.
    """
    if pictures.shape[3] == 3:
        for i, quality in zip(which.tolist(), qualities.tolist(), strict=True):
            pictures[i] = _in_colour(pictures[i], quality)
    else:
        _lose(pictures, which, np.stack([_table(quality) for quality in qualities.tolist()]))


def _in_colour(picture: Pictures, quality: int) -> Pictures:
    packed = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(packed, "JPEG", quality=quality)
    return np.asarray(Image.open(packed, formats=("JPEG",)))


@cache
def _table(quality: int) -> _Whole:
    """What coefficients (64,) are rounded to multiples of, as libjpeg scales it."""
    per_cent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: _Whole = np.clip((_LUMINANCE * per_cent + 50) // 100, 1, 255).astype(np.int32).ravel()
    return table


@inlined_kernel
def _turn_odd(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """Rotate what is odd, in either direction."""
    e, f, g, h = a + d, b + c, a + c, b + d
    both = (g + h) * 9633  # 1.175875602
    e, f = e * -7373, f * -20995  # 0.899976223, 2.562915447
    g, h = g * -16069 + both, h * -3196 + both  # 1.961570560, 0.390180644
    return a * 2446 + e + g, b * 16819 + f + h, c * 25172 + f + g, d * 12299 + e + h


@inlined_kernel
def _forward(work: _Whole, first: int, step: int, places: int) -> None:
    """Transform the eight numbers that begin at `first` and are `step` apart, of each block; drop binary places."""
    half = 1 << (places - 1)
    for k in range(first, first + _AT_ONCE):
        x0, x1, x2, x3 = work[k], work[k + step], work[k + 2 * step], work[k + 3 * step]
        x4, x5, x6, x7 = work[k + 4 * step], work[k + 5 * step], work[k + 6 * step], work[k + 7 * step]
        a, b, c, d = x0 + x7, x1 + x6, x2 + x5, x3 + x4
        o7, o5, o3, o1 = _turn_odd(x3 - x4, x2 - x5, x1 - x6, x0 - x7)
        turned = (b - c + a - d) * 4433  # 0.541196100
        work[k] = _narrow(((a + d + b + c) << _POINT) + half) >> places
        work[k + 4 * step] = _narrow(((a + d - b - c) << _POINT) + half) >> places
        work[k + 2 * step] = _narrow(turned + (a - d) * 6270 + half) >> places  # 0.765366865
        work[k + 6 * step] = _narrow(turned - (b - c) * 15137 + half) >> places  # 1.847759065
        work[k + step] = _narrow(o1 + half) >> places
        work[k + 3 * step] = _narrow(o3 + half) >> places
        work[k + 5 * step] = _narrow(o5 + half) >> places
        work[k + 7 * step] = _narrow(o7 + half) >> places


@inlined_kernel
def _back(work: _Whole, first: int, step: int, places: int) -> None:
    """Undo `_forward`."""
    half = 1 << (places - 1)
    for k in range(first, first + _AT_ONCE):
        x0, x1, x2, x3 = work[k], work[k + step], work[k + 2 * step], work[k + 3 * step]
        x4, x5, x6, x7 = work[k + 4 * step], work[k + 5 * step], work[k + 6 * step], work[k + 7 * step]
        turned = (x2 + x6) * 4433
        c, d = turned - x6 * 15137, turned + x2 * 6270
        a, b = ((x0 + x4) << _POINT) + half, ((x0 - x4) << _POINT) + half
        o3, o2, o1, o0 = _turn_odd(x7, x5, x3, x1)
        work[k], work[k + 7 * step] = _narrow(a + d + o0) >> places, _narrow(a + d - o0) >> places
        work[k + step], work[k + 6 * step] = _narrow(b + c + o1) >> places, _narrow(b + c - o1) >> places
        work[k + 2 * step], work[k + 5 * step] = _narrow(b - c + o2) >> places, _narrow(b - c - o2) >> places
        work[k + 3 * step], work[k + 4 * step] = _narrow(a - d + o3) >> places, _narrow(a - d - o3) >> places


@kernel
def _round(work: _Whole, table: _Whole) -> None:
    """Round coefficients, which the transforms have made eight times as large, to multiples of a table (64,)."""
    for number in range(_SIDE * _SIDE):
        unit, half = _single(_SIDE * table[number]), _narrow(_SIDE // 2 * table[number])
        for k in range(number * _AT_ONCE, (number + 1) * _AT_ONCE):
            size = _narrow(_single(_narrow(abs(work[k]) + half)) / unit)  # exact: both are less than 2^16
            work[k] = _narrow((size if work[k] >= 0 else -size) * table[number])


@kernel
def _lose_in_blocks(work: _Whole, table: _Whole) -> None:
    """Do to blocks, number by number and each number of all of them side by side, what JPEG does."""
    for r in range(_SIDE):
        _forward(work, r * _DOWN, _AT_ONCE, _POINT - _KEPT)
    for c in range(_SIDE):
        _forward(work, c * _AT_ONCE, _DOWN, _POINT + _KEPT)
    _round(work, table)
    for c in range(_SIDE):
        _back(work, c * _AT_ONCE, _DOWN, _POINT - _KEPT)
    for r in range(_SIDE):
        _back(work, r * _DOWN, _AT_ONCE, _POINT + _KEPT + 3)


@kernel
def _lose(pictures: Pictures, which: Ints, tables: _Whole) -> None:
    """Do to each channel of pictures `which` (k,), with a table (64,) each, what JPEG does; edges go on as they end."""
    _, height, width, channels = pictures.shape
    work, across = np.zeros(_SIDE * _DOWN, np.int32), -(-width // _SIDE)
    blocks = across * -(-height // _SIDE)
    for j in range(which.size):
        for channel in range(channels):
            plane = pictures[which[j], :, :, channel]
            for start in range(0, blocks, _AT_ONCE):
                count = min(_AT_ONCE, blocks - start)
                for b in range(count):
                    top, left = (start + b) // across * _SIDE, (start + b) % across * _SIDE
                    for r in range(_SIDE):
                        row = plane[min(top + r, height - 1)]
                        for c in range(_SIDE):
                            work[r * _DOWN + c * _AT_ONCE + b] = int(row[min(left + c, width - 1)]) - 128
                _lose_in_blocks(work, tables[j])
                for b in range(count):
                    top, left = (start + b) // across * _SIDE, (start + b) % across * _SIDE
                    for r in range(min(_SIDE, height - top)):
                        row = plane[top + r]
                        for c in range(min(_SIDE, width - left)):
                            row[left + c] = min(max(work[r * _DOWN + c * _AT_ONCE + b] + 128, 0), 255)
