"""What the doctor looks at, and what it finds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from racer_env.kernel import Floats, Records, records
from training.analysis.curves import Curves
from training.analysis.evidence import EVALUATION, Evidence
from training.analysis.exits import late, stretches
from training.analysis.learning import most_entropy
from training.analysis.stages import quarter
from training.analysis.usage import commands, shares
from training.model_folder import Hyperparameters

WELL_LAPS = 0.5  #: share of the last quarter of episodes that are complete laps, from which a driver drives well
WELL_EVALUATED = 0.8  #: the same of the last evaluation


class Finding(NamedTuple):
    """Something the doctor noticed."""

    name: str  #: of the rule
    says: str  #: what is wrong, in a sentence, with its figures
    evidence: dict[str, float]  #: those figures
    advice: tuple[str, ...]  #: what to try, the most promising first
    is_problem: bool = True  #: False: only worth knowing


class Stretch(NamedTuple):
    """The metre of road on which most of the later episodes end."""

    begin: float  #: m along the centre line
    end: float
    came: int
    ended: int  #: of those
    ends: int  #: on the whole track


@dataclass(frozen=True, eq=False)
class Case:
    """A training, as rules see it."""

    episodes: Records  #: `drives.EPISODE` (e,)
    curves: Curves = field(default_factory=dict)
    evaluations: Records = field(default_factory=lambda: records(0, EVALUATION))
    rewards: Floats = field(default_factory=lambda: np.zeros(0))  #: (n,) of single steps
    shares: Floats = field(default_factory=lambda: np.zeros(0))  #: (a,) of listed actions in the last quarter
    commands: Floats = field(default_factory=lambda: np.zeros((0, 2)))  #: (a, 2) their steering, degrees, and m/s
    most_entropy: float | None = None  #: nat; None for continuous actions
    length: float | None = None  #: m, of the track
    worst: Stretch | None = None
    hyperparameters: Hyperparameters | None = None

    @classmethod
    def of(cls, evidence: Evidence) -> Case:
        """Make the case of what is known of a training."""
        drives = evidence.training
        known = bool(len(drives.rows))
        return cls(
            drives.episodes,
            evidence.curves,
            evidence.evaluations,
            drives.rows.reward[drives.chosen(drives.episodes)],
            shares(evidence, quarter(drives.episodes, -1)) if known else np.zeros(0),
            commands(evidence) if known and evidence.discrete else np.zeros((0, 2)),
            most_entropy(evidence),
            float(np.mean([place.length for place in drives.places])) if drives.places else None,
            _worst(evidence) if len(drives.places) == 1 else None,
            evidence.hyperparameters,
        )

    @property
    def first(self) -> Records:
        """The first quarter of the episodes."""
        return quarter(self.episodes, 0)

    @property
    def last(self) -> Records:
        """The last quarter."""
        return quarter(self.episodes, -1)

    @property
    def laps(self) -> float:
        """Share of the last quarter that are complete laps."""
        return float(np.mean(self.last.progress >= 100.0))

    @property
    def evaluated(self) -> float:
        """Share of complete laps in the last evaluation; 0 if there was none."""
        return float(self.evaluations.complete[-1] / self.evaluations.attempts[-1]) if len(self.evaluations) else 0.0

    @property
    def drives_well(self) -> bool:
        """Whether it completes its laps, so that nothing can be badly wrong."""
        return self.laps >= WELL_LAPS or self.evaluated >= WELL_EVALUATED

    def at_end(self, tag: str) -> float | None:
        """Median of the last quarter of a curve; None if it is unknown."""
        return self._part(tag, -0.25)

    def at_beginning(self, tag: str) -> float | None:
        """Median of the first quarter of a curve."""
        return self._part(tag, 0.25)

    def _part(self, tag: str, share: float) -> float | None:
        curve = self.curves.get(tag)
        return float(np.median(curve.part(share))) if curve is not None and len(curve.values) else None

    @property
    def iterations(self) -> int:
        """How many are known of."""
        return max((len(curve.values) for tag, curve in self.curves.items() if tag.startswith("train/")), default=0)

    @property
    def entropy_left(self) -> float | None:
        """How undecided the driver is at the end: 1 wholly, 0 not at all.

        For listed actions the entropy over that of a uniform choice; for continuous ones the geometric mean of the
        standard deviations, of which ranges of steering and speed are 2 wide (a normal distribution has the entropy
        ln σ + (1 + ln 2π) / 2 in each of its two dimensions).
        """
        entropy = self.at_end("train/entropy")
        if entropy is None:
            return None
        if self.most_entropy is not None:
            return entropy / self.most_entropy if self.most_entropy > 0.0 else None
        return math.exp(entropy / 2.0 - 0.5 * (1.0 + math.log(2.0 * math.pi)))


def _worst(evidence: Evidence) -> Stretch:
    drives = evidence.training
    edges, came, ended = stretches(drives, 0, late(drives.episodes))
    k = int(np.argmax(ended))
    return Stretch(float(edges[k]), float(edges[k + 1]), int(came[k]), int(ended[k]), int(ended.sum()))
