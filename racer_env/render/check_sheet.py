"""A contact sheet of the camera check: the original's pictures above ours."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from racer_env.camera_check import Agreement, Renderer
from racer_env.camera_recording import Recording, poses_at
from racer_env.render import palette
from racer_env.render.lettering import write
from racer_env.track import Track

PAIRS = 12
COLUMNS = 4
_GAP, _HEAD = 12, 40  #: px


def draw_check_sheet(recording: Recording, track: Track, agreement: Agreement) -> Image.Image:
    """Draw twelve pairs, evenly spread over the recording, ours after the delay of `agreement`."""
    poses = poses_at(recording, recording.times + agreement.delay_s) if agreement.delay_s else recording.poses
    possible = np.flatnonzero(np.isfinite(poses[:, 0]))
    count = min(PAIRS, len(possible))
    chosen = possible[((np.arange(count) + 0.5) * len(possible) / count).astype(np.int64)]
    ours = Renderer(track).colour(poses[chosen])
    height, width = ours.shape[1:3]
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    size = (_GAP + columns * (width + _GAP), _HEAD + rows * (2 * height + _GAP))
    sheet = Image.new("RGB", size, palette.NIGHT)
    words = f"Above the original, below ours: {agreement.grey_difference:.1f} of 255 apart"
    write(ImageDraw.Draw(sheet), (_GAP, _HEAD - 13), words, 17)
    for k, i in enumerate(chosen):
        left, up = _GAP + k % columns * (width + _GAP), _HEAD + k // columns * (2 * height + _GAP)
        sheet.paste(Image.fromarray(recording.pictures[i]), (left, up))
        sheet.paste(Image.fromarray(ours[k]), (left, up + height))
    return sheet
