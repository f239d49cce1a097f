"""An analysis: sections with a table and a picture each, and what the doctor says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.analysis.best_laps import laps
from training.analysis.case import Case, Finding
from training.analysis.comparison import comparison
from training.analysis.doctor import examine, verdict
from training.analysis.evidence import Evidence
from training.analysis.exits import exits
from training.analysis.learning import SHOWN, learning
from training.analysis.section import Section
from training.analysis.stages import completion, lap_times, reward
from training.analysis.usage import usage


@dataclass(frozen=True, eq=False)
class Analysis:
    """What is known of a training, ready to be shown."""

    evidence: Evidence
    facts: dict[str, str]  #: what was trained, in a few words each
    verdict: str
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]

    def as_dict(self) -> dict[str, Any]:
        """The analysis as JSON has it."""
        return {
            "run": str(self.evidence.path),
            "facts": self.facts,
            "verdict": self.verdict,
            "findings": [finding._asdict() for finding in self.findings],
            "missing": list(self.evidence.missing),
            "tables": {section.name: section.table.as_dicts() for section in self.sections},
        }


def analyse(evidence: Evidence, against: Sequence[Evidence] = ()) -> Analysis:
    """Analyse a training, and compare it with others."""
    case = Case.of(evidence)
    findings = examine(case)
    sections = (*_sections(evidence), *((comparison([evidence, *against]),) if against else ()))
    return Analysis(evidence, _facts(evidence), verdict(case, findings), tuple(findings), sections)


def _sections(evidence: Evidence) -> Iterator[Section]:
    yield completion(evidence)
    yield reward(evidence)
    yield lap_times(evidence)
    places = range(len(evidence.training.places))
    yield from (exits(evidence.training, which) for which in places)
    if len(evidence.training.rows):
        yield usage(evidence)
    yield from (laps(evidence, which) for which in places)
    if any(tag in evidence.curves for tag in SHOWN):
        yield learning(evidence)


def _facts(evidence: Evidence) -> dict[str, str]:
    episodes, h = evidence.training.episodes, evidence.hyperparameters
    best = episodes.seconds[evidence.training.complete]
    found = {
        "track": ", ".join(place.name for place in evidence.training.places),
        "trained": f"{int(episodes.trained[-1]):,} steps, {len(episodes):,} episodes",
        "simulated": f"{float(episodes.seconds.sum()) / 60:.0f} minutes",
        "laps": f"{len(best)} complete in training" + (f", the best in {np.min(best):.2f} s" if len(best) else ""),
        "hyperparameters": (
            f"lr {h.lr:g}, batch {h.batch_size}, epochs {h.num_epochs}, entropy {h.beta_entropy:g}, "
            f"discount {h.discount_factor:g}, {h.loss_type}"
            if h
            else ""
        ),
    }
    return {name: text for name, text in found.items() if text}
