"""What the endpoints do, without HTTP: plain values in, pictures out."""

import io
import threading
import time
from typing import Any

import numpy as np

from slider_jax import photo
from slider_jax.batch import EXPRESSION
from slider_jax.edit import Editor
from slider_jax.face import expressions, requests
from slider_jax.face.sliders import EMOTIONS, LIMITS, REGIONS, SLIDERS, VISEMES
from slider_jax.studio import browser, pictures
from slider_jax.studio import story as stories
from slider_jax.studio.tabs import Tab, Tabs

SIDES = (160, 1920)  # of a preview, pixels
FILM_SIDE = 480
MEDIA = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MEDIA |= {"TIFF": "image/tiff"}


class StaleError(Exception):
    """A newer request of the same tab waits."""


class Studio:
    """The model serves one request at a time, whoever asks."""

    def __init__(self, editor: Editor, model: str | None = None):
        self.editor, self.model, self.tabs = editor, model, Tabs()
        self.lock = threading.Lock()
        self.parameters = editor.model.parameters

    def describe(self) -> dict[str, Any]:
        k = self.parameters
        names = requests.names(k)
        components = [n for n in names if requests.component(n) is not None]
        return {
            "model": self.editor.model.id,
            "size": self.editor.model.size,
            "default": bool(self.editor.model.card.get("default")),
            "groups": {group: list(names) for group, names in REGIONS.items()},
            "limits": dict(zip(SLIDERS, LIMITS.tolist(), strict=True)),
            "visemes": [requests.VISEME + v for v in VISEMES if v != "sil"],
            "emotions": list(EMOTIONS),
            "components": components,
            "speech": k > EXPRESSION,
            "mirror": self.editor.painter.maps.mirror.tolist(),
        }

    def new_tab(self) -> dict[str, Any]:
        return {"tab": self.tabs.new()}

    def open(self, tab: Tab, content: bytes, name: str, box: str | None) -> dict:
        opened = _opened(content, name or "the photo")
        height, width = opened.pixels.shape[:2]
        with self.lock:
            faces = photo.find_faces(opened, box=_box(box, width, height))
        tab.load(opened, faces)
        return {
            "width": width,
            "height": height,
            "format": opened.format,
            "faces": [
                {"box": [round(v, 1) for v in f.box], "pose": f.pose} for f in faces
            ],
        }

    def story(self, tab: Tab, ask: dict) -> stories.Story:
        if tab.photo is None:
            raise ValueError("Send a photo first.")
        return stories.parse(ask.get("story", {}), self.parameters, len(tab.faces))

    def render(self, tab: Tab, ask: dict) -> bytes:
        story = self.story(tab, ask)
        number = _number(ask, "seq", tab.newest, 0, 2**53)
        tab.newest = max(tab.newest, number)
        asked = time.perf_counter()
        with self.lock:
            if number < tab.newest:
                raise StaleError
            waited = time.perf_counter() - asked
            session = tab.session(self.editor, story, _side(ask))
            result = stories.wear(session, story.layer)
        shown = stories.shown(session, story.layer)
        files = [pictures.jpeg(result.photo.pixels)]
        if ask.get("mask"):
            files.append(pictures.overlay(result.mask))
        answer = {
            "seq": number,
            "measured": session.measured.sliders,
            "measured_vector": session.measured.expression.tolist(),
            "shown": shown,
            "vector": result.requested.tolist(),
            "changed": result.pixels_changed / result.mask.size,
            "ms": {
                "model": round(result.timings["model"], 1),
                "waited": round(1e3 * waited, 1),
                "total": round(1e3 * (time.perf_counter() - asked), 1),
            },
        }
        return pictures.frames(answer, files)

    def face(self, tab: Tab, ask: dict) -> bytes:
        story = self.story(tab, ask)
        with self.lock:
            return browser.face(tab.session(self.editor, story, None))

    def original(self, tab: Tab, ask: dict) -> bytes:
        if tab.photo is None:
            raise ValueError("Send a photo first.")
        return pictures.jpeg(stories.shrink(tab.photo, _side(ask)).pixels)

    def blend(self, tab: Tab, ask: dict) -> dict:
        """Where a whole expression would take this face, as a vector."""
        story, wanted = self.story(tab, ask), ask.get("wanted")
        if isinstance(wanted, list):
            wanted = stories.checked_vector(wanted, self.parameters)
        elif not isinstance(wanted, dict):
            raise ValueError('"wanted" is a request or a vector.')
        amount = _number(ask, "amount", 1.0, 0.0, 1.0)
        region = str(ask.get("region", "all"))
        with self.lock:
            session = tab.session(self.editor, story, _side(ask))
        then = session.vector(wanted, region=region, strength=amount)
        return {"vector": then.tolist()}

    def random(self, tab: Tab, ask: dict) -> dict:
        rng = np.random.default_rng(int(_number(ask, "seed", 0, 0, 2**53)))
        sliders = np.zeros(1)
        while not sliders.any():
            sliders, _ = expressions.sample_expression(rng)
        values = zip(SLIDERS, sliders.round(2).tolist(), strict=True)
        return {"request": {"neutral": 1.0} | {n: v for n, v in values if v}}

    def transfer(self, tab: Tab, content: bytes, name: str) -> dict:
        """The expression of the largest face in another photo."""
        opened = _opened(content, name or "the second photo")
        with self.lock:
            try:
                faces = photo.find_faces(opened)
            except photo.FaceError as error:  # nobody draws a box in a second photo
                raise ValueError(f"{str(error).partition(';')[0]}.") from error
            face = max(faces, key=lambda face: face.box[2] - face.box[0])
            measured = self.editor.open(opened, face).measured
        return {"vector": measured.expression.tolist(), "sliders": measured.sliders}

    def thumbs(self, tab: Tab, ask: dict) -> bytes:
        story = self.story(tab, ask)
        index = requests.component(self._name(ask.get("component")))
        if index is None:
            raise ValueError("A thumbnail is of a component, such as component_1.")
        with self.lock:
            session = tab.session(self.editor, story, SIDES[0])
            files = pictures.thumbs(session, index)
        return pictures.frames({}, files)

    def strip(self, tab: Tab, ask: dict) -> bytes:
        story, name = self.story(tab, ask), self._name(ask.get("name"))
        steps = int(_number(ask, "steps", 7, 2, 15))
        with self.lock:
            session = tab.session(self.editor, story, SIDES[0])
            return pictures.strip(session, story.layer, name, steps)

    def gif(self, tab: Tab, ask: dict) -> bytes:
        story = self.story(tab, ask)
        with self.lock:
            session = tab.session(self.editor, story, FILM_SIDE)
            return pictures.film(session, story.layer)

    def download(self, tab: Tab, ask: dict) -> tuple[bytes, str]:
        story = self.story(tab, ask)
        with self.lock:
            results = tab.edits(self.editor, story)
        done = results[-1].photo if results else tab.photo
        format = str(ask.get("format") or done.format).upper()
        format = format if format in MEDIA else "PNG"
        done = done.replace(format=format)
        return photo.save(done, record=stories.record(results)), MEDIA[format]

    def command(self, tab: Tab, ask: dict) -> dict:
        story, maps = self.story(tab, ask), self.editor.painter.maps
        name = str(ask.get("name") or "photo.jpg")
        return {"command": stories.command(story, name, self.model, maps)}

    def _name(self, asked):
        found = requests.canonical({str(asked): 0.0}, parameters=self.parameters)
        return next(iter(found))


def _opened(content, name):
    file = io.BytesIO(content)
    file.name = name
    return photo.open_photo(file)


def _number(ask, key, usual, low, high):
    value = ask.get(key, usual)
    if not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} is {value!r}; it takes {low:g} to {high:g}.")
    return value


def _side(ask):
    """In steps, so that a window that changes a little keeps its sessions."""
    low, high = SIDES
    side = int(_number(ask, "side", 1024, 1, 1e6))
    return min(max(-(-side // 160) * 160, low), high)


def _box(text, width, height):
    """x,y,w,h as shares of the photo."""
    if not text:
        return None
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"box is {text!r}; give x,y,w,h as shares of 1.") from None
    return x * width, y * height, w * width, h * height
