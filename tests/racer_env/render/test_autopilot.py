from dataclasses import replace

import numpy as np
import pytest

from racer_env.kernel import COMPILED
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import EVALUATION, Race
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS, Hand, Keys, Run
from racer_env.render.rivals import ScriptedRivals
from racer_env.simulator import Simulator
from racer_env.track import find_track

ONE_LAP = replace(EVALUATION, laps=1)
AMONG = {
    "nothing": ONE_LAP,
    "boxes": replace(ONE_LAP, obstacles=Obstacles()),
    "bot cars": replace(ONE_LAP, bots=Bots(lane_changes=True)),
}


@pytest.mark.parametrize("among", AMONG)
def test_it_drives_a_lap_without_a_penalty(among: str) -> None:
    track = find_track("oval")
    run, driver = Run(Simulator(track, race=AMONG[among], actions=ACTIONS)), Autopilot(track)
    while not run.over:
        run.step(driver.commands(run.simulator))
    assert [lap.resets for lap in run.laps] == [0]


@pytest.mark.skipif(not COMPILED, reason="three races are slow as plain Python")
@pytest.mark.parametrize("name", ["technical", "kidney", "speedway"])
def test_it_gets_past_boxes_on_other_tracks_too(name: str) -> None:
    track = find_track(name)
    run, driver = Run(Simulator(track, race=AMONG["boxes"], actions=ACTIONS)), Autopilot(track)
    while not run.over:
        run.step(driver.commands(run.simulator))
    (lap,) = run.laps
    assert lap.resets <= 1


def test_it_slows_down_in_bends_and_beside_what_it_passes() -> None:
    track = find_track("oval")

    def speed_at(share: float, race: Race) -> float:
        world = Simulator(track, race=replace(race, start=share), actions=ACTIONS)
        world.reset()
        return float(ACTIONS.commands(Autopilot(track).commands(world)).speed[0])

    straight, bend = speed_at(0.98, EVALUATION), speed_at(0.2, EVALUATION)
    assert bend < straight == pytest.approx(2.8)
    assert speed_at(0.98, AMONG["boxes"]) < straight


def test_a_rival_drives_on_while_the_hand_does_nothing() -> None:
    track = find_track("oval")
    race = replace(EVALUATION, cars=2)
    run = Run(Simulator(track, race=race, actions=ACTIONS), ScriptedRivals(track))
    hand = Hand()
    for _ in range(30):
        run.step(hand.act(Keys()))
    own, rival = run.simulator.state.motion.speed
    assert own < 0.3
    assert rival > 1.0
    command = run.simulator.command
    assert command.speed[0] == pytest.approx(hand.speed)


def test_a_rival_does_not_know_what_the_hand_does_until_it_is_done() -> None:
    track = find_track("oval")
    ends = []
    for keys in (Keys(), Keys(faster=True, left=True)):
        race = replace(EVALUATION, cars=2)
        run, hand = Run(Simulator(track, race=race, actions=ACTIONS), ScriptedRivals(track)), Hand()
        run.step(hand.act(keys))
        ends.append(run.simulator.command[1].copy())
    assert np.array_equal(ends[0], ends[1])
