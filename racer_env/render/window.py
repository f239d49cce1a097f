"""The window: the scene on a screen at the pace of the car, and the keys. The one user of pygame."""

from __future__ import annotations

import os
import sys
import warnings

from racer_env.dynamics import CONTROL_RATE
from racer_env.errors import RacerError
from racer_env.render.driving import Keys
from racer_env.render.scene import SIZE, Scene
from racer_env.simulator import Simulator

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports pkg_resources, which warns that it is deprecated
    import pygame

HINTS = "C camera or close-up     Esc quits"
DRIVING_HINTS = "arrows or WASD drive     space brakes     R restarts     C camera or close-up     Esc quits"

_KEYS = {
    "left": (pygame.K_LEFT, pygame.K_a),
    "right": (pygame.K_RIGHT, pygame.K_d),
    "faster": (pygame.K_UP, pygame.K_w),
    "slower": (pygame.K_DOWN, pygame.K_s),
    "brake": (pygame.K_SPACE,),
}


class DisplayError(RacerError):
    """There is no screen to open a window on."""


class WindowClosed(KeyboardInterrupt):
    """The user closed the window or pressed Esc.

    It means what Ctrl-C means, so whatever deals with that (a training run that saves, a command that ends)
    deals with it.
    """


class Window:
    """A window on a simulator; pygame has room for one at a time.

    Args:
        simulator: what is shown.
        car: the followed one.
        hints: a line at the bottom of the map.
        rate: pictures a second at most, so that time passes as fast as in the world.

    Raises:
        DisplayError: there is no screen.
    """

    def __init__(self, simulator: Simulator, car: int = 0, hints: str = HINTS, rate: float = CONTROL_RATE):
        self.scene = Scene(simulator, car, hints)
        self.rate = rate
        _open(f"Racer: {simulator.track.name}")
        self._clock = pygame.time.Clock()
        self._held: set[int] = set()
        self._restart = False
        self._open = True

    def show(self) -> None:
        """Draw the state as it is now, and wait until the next picture is due.

        Raises:
            WindowClosed: the user closed the window, now or before.
        """
        self._take_events()
        picture = self.scene.draw()
        surface = pygame.image.frombuffer(picture.tobytes(), (picture.shape[1], picture.shape[0]), "RGB")
        screen = pygame.display.get_surface()  # another one after the window was resized
        room = screen.get_size()
        if room != SIZE:
            share = min(room[0] / SIZE[0], room[1] / SIZE[1])
            surface = pygame.transform.smoothscale(surface, (int(SIZE[0] * share), int(SIZE[1] * share)))
            screen.fill((0, 0, 0))
        left, top = ((a - b) // 2 for a, b in zip(room, surface.get_size(), strict=True))
        screen.blit(surface, (left, top))
        pygame.display.flip()
        self._clock.tick(self.rate)

    def keys(self) -> Keys:
        """Give the keys held at the last `show`, and whether R was pressed since this was last asked."""
        restart, self._restart = self._restart, False
        return Keys(restart=restart, **{name: not self._held.isdisjoint(keys) for name, keys in _KEYS.items()})

    def close(self) -> None:
        """Close the window; it may be closed already."""
        if self._open:
            self._open = False
            pygame.display.quit()

    def _take_events(self) -> None:
        if not self._open:
            raise WindowClosed
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                self.close()
                raise WindowClosed
            if event.type == pygame.KEYDOWN:
                self._press(event.key)
            elif event.type == pygame.KEYUP:
                self._held.discard(event.key)
            elif event.type == pygame.WINDOWFOCUSLOST:  # keys released elsewhere are not reported
                self._held.clear()

    def _press(self, key: int) -> None:
        self._held.add(key)
        if key == pygame.K_c:
            self.scene.toggle_camera()
        elif key == pygame.K_r:
            self._restart = True


def _open(title: str) -> None:
    """Open a window of the scene's size that may be resized."""
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))):
        raise DisplayError(_no_display("neither DISPLAY nor WAYLAND_DISPLAY is set"))
    try:
        pygame.display.init()
        pygame.display.set_caption(title)
        pygame.display.set_mode(SIZE, pygame.RESIZABLE)
    except pygame.error as error:
        raise DisplayError(_no_display(str(error))) from error
    if pygame.display.get_driver() == "offscreen" and os.environ.get("SDL_VIDEODRIVER") != "offscreen":
        pygame.display.quit()  # SDL draws into nowhere where it finds no screen
        raise DisplayError(_no_display("the display cannot be reached"))


def _no_display(why: str) -> str:
    return (
        f"there is no screen to open a window on ({why}); "
        "take pictures instead: render_mode 'rgb_array', or racer drive --frames 300 --save FOLDER"
    )
