"""What deepracer-log-guru takes from a log, asserted line by line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Imported:
    """What deepracer-log-guru takes from a log; its ``src/log/parse.py`` and ``log.py`` in our words."""

    date: str = ""
    model: str = ""
    world: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    hyperparameters: dict[str, str] = field(default_factory=dict)
    sensors: list[str] = field(default_factory=list)
    agent: str = ""
    actions: Any = None
    episodes: list[list[list[str]]] = field(default_factory=lambda: [[]])
    evaluations: list[tuple[int, list[float], list[float]]] = field(default_factory=list)

    def introduce(self, line: str) -> None:
        if "passing arg to libvncserver" in line:
            self.date = line[:10]
        elif line.startswith("{'") and "JOB_TYPE" in line and "WORLD_NAME" in line:
            self.world = json.loads(line.replace("'", '"'))
        elif found := re.match(r" \* /(\w+): (.*)\n", line):
            self.parameters[found[1]] = found[2]
        elif line.startswith("Successfully downloaded model metadata from model-metadata/"):
            self.model = line.split("/")[1]
        elif line.startswith("Sensor list ['"):
            self.agent, self.sensors = line, json.loads(line[12 : line.index("]") + 1].replace("'", '"'))
        elif line.startswith("Action space from file: "):
            assert self.agent, "how actions are read must be known before"
            self.actions = json.loads(line[24:].replace("'", '"'))
        elif line.startswith('  "') and ":" in line:
            key, value = line[3:].split('": ')
            self.hyperparameters[key] = value.split(",")[0].strip()

    def step(self, line: str) -> None:
        values = line.removesuffix("\n")[14:].split(",")[:16]
        assert (int(values[0]), int(values[1])) == (len(self.episodes) - 1, len(self.episodes[-1]) + 1)
        if "discrete" in self.agent:
            assert 0 <= int(values[7]) < len(self.actions)
        self.episodes[-1].append(values)
        if values[9] == "True":
            self.episodes.append([])


def imported(text: str) -> Imported:
    """Import a log as log-guru does: what an export must satisfy is asserted on the way."""
    log, rewards = Imported(), []
    begin = "## agent: Finished evaluation phase. Success rate = 0.0, Avg Total Reward = "
    for line in text.splitlines(keepends=True):
        if line.startswith("SIM_TRACE_LOG"):
            log.step(line)
        elif log.episodes == [[]]:
            log.introduce(line)
        elif line.startswith(begin):
            rewards.append(float(line[len(begin) :]))
        elif line.startswith("[BestModelSelection] Number of evaluations: "):
            count, listed = int(line[44:].split(" ")[0]), line[:-2].split("[")[2].split(",")
            assert count == len(listed) == len(rewards)
            log.evaluations.append((len(log.episodes) - 1, rewards, [float(p) for p in listed]))
            rewards = []
    assert log.episodes.pop() == []
    return log
