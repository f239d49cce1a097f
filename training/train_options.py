"""The options of ``racer train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.options import finite

ModelDir = Annotated[
    Path | None,
    typer.Argument(help="Folder with reward_function.py, and perhaps the two JSON files.", show_default=False),
]
Tracks = Annotated[
    list[str] | None,
    typer.Option("--track", "-t", help="A track, a .npy route, or random:SEED; of several, every episode draws one."),
]
BothDirections = Annotated[bool, typer.Option("--both-directions", help="Drive every track forwards and in reverse.")]
Randomise = Annotated[str, typer.Option(help="What differs from episode to episode: none, original, mild or strong.")]
Jitter = Annotated[bool, typer.Option("--jitter", help="Let control periods end as unevenly as the original's.")]

Steps = Annotated[int | None, typer.Option(help="Stop after so many steps, in whole iterations.", min=1)]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes.", min=0.0, callback=finite)]
UntilLaps = Annotated[int | None, typer.Option(help="Stop after so many complete evaluation laps in a row.", min=1)]
UntilLapTime = Annotated[
    float | None,
    typer.Option(
        help="For --until-laps (5 if not given) count only laps of at most so many seconds.",
        min=0.0,
        callback=finite,
    ),
]
UntilProgress = Annotated[
    float | None,
    typer.Option(
        help="For --until-laps (5 if not given) count laps of at least so many per cent, instead of complete ones.",
        min=0.0,
        max=100.0,
        callback=finite,
    ),
]

Best = Annotated[
    str,
    typer.Option(
        help="What makes a checkpoint the best: progress (the most; then the fastest laps), reward, or lap-time "
        "(the lowest mean, in which an incomplete lap counts as 999.999 s)."
    ),
]
EvaluateEvery = Annotated[
    int, typer.Option(help="Drive evaluation laps, and save, after every so many iterations.", min=1)
]
RunDir = Annotated[Path | None, typer.Option(help="Folder of the run; by default runs/NAME of the model.")]
Resume = Annotated[Path | None, typer.Option(help="Go on with this run instead of starting one.")]
From = Annotated[
    Path | None,
    typer.Option("--from", help="Begin with the driver of this bundle or virtual model.", show_default=False),
]
Clone = Annotated[
    Path | None,
    typer.Option(
        help="Begin with the driver of this run; model, tracks, car and race are its own if not given.",
        show_default=False,
    ),
]

NetworkName = Annotated[
    str | None,
    typer.Option(help="compact (the default), or one of DeepRacer's, such as DEEP_CONVOLUTIONAL_NETWORK_SHALLOW."),
]
Critic = Annotated[
    str, typer.Option(help="What the critic sees while training: STATE, or SENSORS for what the driver sees.")
]
Cars = Annotated[int, typer.Option(help="Cars that gather experience at the same time.", min=1, max=4096)]
Workers = Annotated[
    int | None, typer.Option(help="Of --engine ray, which share the cars; by default one a CPU.", min=1)
]
