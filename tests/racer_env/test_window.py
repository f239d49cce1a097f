import subprocess
import sys
import time
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest

import racer_env  # noqa: F401 (registers the environment)
from racer_env.car import MAX_SPEED, MAX_STEERING_DEGREES, MIN_SPEED
from racer_env.driver import PurePursuit
from racer_env.errors import RacerError
from racer_env.race import EVALUATION, Race
from racer_env.render import window as window_module
from racer_env.render.driving import ACTIONS, Hand, Keys, Run
from racer_env.render.scene import SIZE
from racer_env.render.window import DisplayError, Window, WindowClosed
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.track import find_track

pygame = vars(window_module)["pygame"]  # which it imports silently


@pytest.fixture(autouse=True)
def no_screen_needed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture
def world() -> Simulator:
    made = Simulator(find_track("oval"), race=EVALUATION, actions=ACTIONS)
    made.reset()
    return made


def press(*keys: int, kind: int = pygame.KEYDOWN) -> None:
    for key in keys:
        pygame.event.post(pygame.event.Event(kind, key=key))


def test_the_window_shows_the_scene(world: Simulator) -> None:
    window = Window(world)
    window.show()
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    assert np.array_equal(shown, window.scene.draw())
    window.close()
    window.close()


def test_a_larger_window_shows_the_scene_larger_and_in_its_middle(world: Simulator) -> None:
    window = Window(world)
    pygame.display.set_mode((SIZE[0] * 2, SIZE[1] * 2 + 100), pygame.RESIZABLE)
    window.show()
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    assert shown[:50].max() == shown[-50:].max() == 0
    small = shown[50:-50].reshape(SIZE[1], 2, SIZE[0], 2, 3).mean(axis=(1, 3))
    assert np.abs(small - window.scene.draw()).mean() < 2.0


def test_pictures_come_at_the_pace_of_the_car(world: Simulator) -> None:
    window = Window(world)
    window.show()
    began = time.perf_counter()
    for _ in range(5):
        window.show()
    assert 0.28 < time.perf_counter() - began < 1.0


@pytest.mark.parametrize("close", ["button", "escape"])
def test_closing_the_window_ends_the_showing_as_ctrl_c_would(world: Simulator, close: str) -> None:
    window = Window(world)
    window.show()
    if close == "button":
        pygame.event.post(pygame.event.Event(pygame.QUIT))
    else:
        press(pygame.K_ESCAPE)
    for _ in range(2):
        with pytest.raises(WindowClosed):
            window.show()
    assert issubclass(WindowClosed, KeyboardInterrupt)
    assert not pygame.display.get_init()


def test_keys_are_held_from_press_to_release(world: Simulator) -> None:
    window = Window(world)
    assert window.keys() == Keys()
    press(pygame.K_UP, pygame.K_a)
    window.show()
    assert window.keys() == window.keys() == Keys(left=True, faster=True)
    press(pygame.K_UP, kind=pygame.KEYUP)
    press(pygame.K_SPACE, pygame.K_s)
    window.show()
    assert window.keys() == Keys(left=True, slower=True, brake=True)
    pygame.event.post(pygame.event.Event(pygame.WINDOWFOCUSLOST))
    window.show()
    assert window.keys() == Keys()


def test_a_restart_is_told_once(world: Simulator) -> None:
    window = Window(world)
    press(pygame.K_r)
    window.show()
    assert window.keys().restart
    assert not window.keys().restart


def test_c_changes_between_camera_and_close_up() -> None:
    world = Simulator(find_track("oval"), sensors=find_sensors(["FRONT_FACING_CAMERA"]), actions=ACTIONS)
    world.reset()
    window = Window(world)
    for expected in (False, True):
        press(pygame.K_c)
        window.show()
        assert window.scene.show_camera is expected


def test_without_a_screen_one_sentence_says_what_to_do(world: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DisplayError, match=r"no screen .* DISPLAY .*'rgb_array'"):
        Window(world)
    monkeypatch.setenv("SDL_VIDEODRIVER", "no_such_driver")
    with pytest.raises(RacerError, match=r"no screen .*no_such_driver"):
        Window(world)


def test_an_environment_opens_and_closes_a_window() -> None:
    env = gymnasium.make("racer_env/TimeTrial-v0", track="oval", sensors=["STATE"], render_mode="human")
    env.reset(seed=0)
    assert pygame.display.get_surface().get_size() == SIZE
    env.step(2)
    press(pygame.K_ESCAPE)
    with pytest.raises(WindowClosed):
        env.step(2)
    env.close()
    assert not pygame.display.get_init()


def test_pygame_is_imported_without_a_word() -> None:
    code = "import racer_env.render.window"
    said = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("", "")


def test_a_hand_steers_smoothly_and_alike_to_both_sides() -> None:
    left, right = Hand(), Hand()
    angles = []
    for _ in range(10):
        a, b = left.act(Keys(left=True)), right.act(Keys(right=True))
        assert a[0, 0] == -b[0, 0]
        angles.append(left.steering_degrees)
    assert angles[0] < 10.0
    assert np.all(np.diff(angles) >= 0.0)
    assert angles[-1] == MAX_STEERING_DEGREES
    for _ in range(5):
        left.act(Keys())
    assert left.steering_degrees == 0.0


def test_a_hand_speeds_up_to_the_top_and_brakes_faster_than_it_rolls_out() -> None:
    hand = Hand()
    for _ in range(60):
        action = hand.act(Keys(faster=True))
    assert hand.speed == MAX_SPEED
    assert action[0, 1] == 1.0
    steps = {}
    for name, keys in {"brake": Keys(brake=True), "slower": Keys(slower=True), "roll": Keys()}.items():
        hand.speed, steps[name] = MAX_SPEED, 0
        while hand.speed > MIN_SPEED:
            hand.act(keys)
            steps[name] += 1
    assert steps["brake"] < steps["slower"] < steps["roll"]
    assert Hand().act(Keys(brake=True, faster=True))[0, 1] == -1.0


def test_a_hand_commands_the_car_what_it_says(world: Simulator) -> None:
    hand = Hand()
    for _ in range(8):
        step = world.step(hand.act(Keys(right=True, faster=True)))
        assert step.command[0].steering_degrees == pytest.approx(hand.steering_degrees)
        assert step.command[0].speed == pytest.approx(hand.speed)
    assert hand.steering_degrees < 0.0 < hand.speed


def test_a_run_notes_its_laps_and_can_be_driven_again() -> None:
    track = find_track("oval")
    run = Run(Simulator(track, race=EVALUATION, actions=ACTIONS))
    driver = PurePursuit(track, speed=2.5, look_ahead=0.8)
    for again in (1, 2):
        while not run.over:
            run.step(driver.commands(run.simulator))
        assert [lap.number for lap in run.laps] == list(range(1, 3 * again + 1))
        run.restart()
        assert not run.over
    assert run.laps[3].time_ms == run.laps[0].time_ms
    assert all(lap.resets == 0 for lap in run.laps)


def test_a_lap_counts_how_often_the_car_was_put_back() -> None:
    track = find_track("technical")
    race = Race(laps=2, continuous=True, resets=20, off_track_penalty=0.2)
    run, driver = Run(Simulator(track, race=race, actions=ACTIONS)), PurePursuit(track, speed=3.4)
    while not run.over:
        run.step(driver.commands(run.simulator))
    first, second = (lap.resets for lap in run.laps)
    assert first > 0 < second
    assert first + second == run.simulator.state.episode[0].resets
