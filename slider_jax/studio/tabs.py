"""Everything that a browser tab keeps here: a photo, its faces, a few open sessions."""

import collections
import dataclasses
import secrets
import threading
import time

from slider_jax.edit import Editor
from slider_jax.photo import Face
from slider_jax.photo_file import Photo
from slider_jax.session import Result, Session
from slider_jax.studio import story as stories
from slider_jax.studio.story import Story

EXPIRE = 3600.0  # seconds without a request
MOST_TABS = 24
MOST_PIXELS = 400_000_000  # of the photos of all tabs
KEPT = 3  # sessions of a tab: this face now, before the last apply, at native size


class GoneError(Exception):
    """The tab is not here, or not any more."""


@dataclasses.dataclass(eq=False)
class Tab:
    photo: Photo | None = None
    faces: list[Face] = dataclasses.field(default_factory=list)
    opened: collections.OrderedDict = dataclasses.field(
        default_factory=collections.OrderedDict
    )
    newest: int = 0  # the highest number of a render that was asked for
    used: float = 0.0

    @property
    def pixels(self) -> int:
        return 0 if self.photo is None else self.photo.pixels[..., 0].size

    def load(self, opened: Photo, faces: list[Face]) -> None:
        self.photo, self.faces = opened, faces
        self.opened.clear()

    def session(self, editor: Editor, story: Story, side: int | None) -> Session:
        """The chosen face, on the photo with everything else done. No side: native."""
        key = (story.face, story.base, side)
        if key not in self.opened:
            self.opened[key] = self._open(editor, story, side)
            while len(self.opened) > KEPT:
                self.opened.popitem(last=False)
        self.opened.move_to_end(key)
        return self.opened[key]

    def _open(self, editor, story, side):
        if side is not None:
            return stories.preview(self.session(editor, story, None), side)
        done = self.edits(editor, story, beneath=True)
        base = done[-1].photo if done else self.photo
        return editor.open(base, self.faces[story.face])

    def edits(
        self, editor: Editor, story: Story, *, beneath: bool = False
    ) -> list[Result]:
        """One after the other; `beneath` leaves out the layer that is being edited."""
        steps = list(story.steps)
        if beneath:
            steps[-1] = stories.without(steps[-1], story.face)
        now, results = self.photo, []
        for step in steps:
            for face, layer in sorted(step.items()):
                if not layer.empty:
                    session = editor.open(now, self.faces[face])
                    results.append(stories.wear(session, layer))
                    now = results[-1].photo
        return results


class Tabs:
    """By secret names. The longest unused ones go when there are too many."""

    def __init__(self, clock=time.monotonic):
        self._tabs: dict[str, Tab] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tabs)

    def new(self) -> str:
        name = secrets.token_urlsafe(18)
        with self._lock:
            self._tabs[name] = Tab(used=self._clock())
            self._tidy(keep=name)
        return name

    def get(self, name: object) -> Tab:
        with self._lock:
            self._tidy(keep=name)
            tab = self._tabs.get(name) if isinstance(name, str) else None
            if tab is None:
                raise GoneError
            tab.used = self._clock()
        return tab

    def _tidy(self, keep):
        oldest = sorted(self._tabs, key=lambda name: self._tabs[name].used)
        total = sum(tab.pixels for tab in self._tabs.values())
        for name in oldest:
            tab = self._tabs[name]
            expired = self._clock() - tab.used > EXPIRE
            crowded = len(self._tabs) > MOST_TABS or total > MOST_PIXELS
            if expired or (crowded and name != keep):
                total -= tab.pixels
                del self._tabs[name]
