"""Draws editing_limits.jpg: hard faces, and what a model makes of them.

python docs/editing_limits.py [MODEL]

With --photos, two photographs in the public domain, which other packages carry, come
on top (pip install scikit-image matplotlib). Look at them, and write elsewhere (--out).
"""

import argparse
import dataclasses
import io

import numpy as np
from PIL import Image, ImageDraw

from slider_jax import photo, strips
from slider_jax.edit import Editor
from slider_jax.face.sessions import Renderer

SIDE, ROOM = 88, 1.2  # pixels of a cell; of it about a face, in widths of the face
ASKED = {
    "at rest": {"neutral": 1.0},
    "jawOpen": {"jawOpen": 0.8},
    "mouthSmile": {"mouthSmile": 0.9},
    "mouthFrown": {"mouthFrown": 0.9},
    "browInnerUp": {"browInnerUp": 1.0},
    "eyeBlink": {"eyeBlink": 1.0},
}


@dataclasses.dataclass(frozen=True)
class Turned(Renderer):
    yaw: float = 0.0  # degrees

    def session(self, identity, session):
        drawn = super().session(identity, session)
        rotation = np.array([np.radians(self.yaw), 0, 0], np.float32)
        return drawn.replace(camera=drawn.camera.replace(rotation=rotation))


def render(person, yaw=0.0):
    face = next(Turned(384, 5, yaw=yaw).rows(person, 0, 1))["image"]
    wide = Image.new("RGB", (640, 640), (128, 128, 128))
    wide.paste(Image.fromarray(face), (128, 128))
    return wide


def points(image):
    return photo.find_faces(photo.open_photo(image))[0].landmarks


def fringe(image):
    """Hair over the brows."""
    seen, rng = points(image), np.random.default_rng(0)
    low, left, right = seen[17:27, 1].max() + 10, seen[17, 0] - 25, seen[26, 0] + 25
    draw = ImageDraw.Draw(image)
    for x in rng.uniform(left, right, 500):
        top = seen[27, 1] - rng.uniform(105, 125)
        end = top + (low - top) * rng.uniform(0.75, 1.05)
        colour = tuple((rng.uniform(0.4, 1.1) * np.array([60, 45, 35])).astype(int))
        draw.line([x, top, x + 5, (top + end) / 2, x + 16, end], colour, 2)
    return image


def frames(image):
    """Dark glasses' frames."""
    seen, draw = points(image), ImageDraw.Draw(image)
    eyes = seen[36:42], seen[42:48]
    half = 0.95 * np.ptp(eyes[0][:, 0])
    (x0, y0), (x1, y1) = (eye.mean(0) for eye in eyes)
    for x, y in ((x0, y0), (x1, y1)):
        box = (x - half, y - 0.7 * half, x + half, y + 0.8 * half)
        draw.rounded_rectangle(box, 9, outline=(15, 15, 15), width=7)
    draw.line([x0 + half, y0, x1 - half, y1], (15, 15, 15), 7)
    return image


def squeezed(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=10)
    return Image.open(file).convert("RGB")


def photographs():
    from matplotlib import cbook
    from skimage import data

    yield "astronaut", Image.fromarray(data.astronaut())
    hopper = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    yield "Hopper", Image.open(hopper).convert("RGB")


def pictures(photos):
    if photos:
        yield from photographs()
    yield "plain", render(8)
    yield "beard", render(351)
    yield "dark skin", render(94)
    yield "fringe", fringe(render(8))
    yield "glasses", frames(render(8))
    yield "yaw -25", render(8, -25)
    yield "yaw -45", render(8, -45)
    yield "40 pixels", render(8).resize((103, 103), Image.Resampling.LANCZOS)
    yield "JPEG 10", squeezed(render(8))


def look(session, pixels):
    x0, y0, x1, y1 = session.measured.face.box
    x, y, half = (x0 + x1) / 2, (y0 + y1) / 2, ROOM * max(x1 - x0, y1 - y0) / 2
    face = Image.fromarray(pixels).crop((x - half, y - half, x + half, y + half))
    return np.asarray(face.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?")
    parser.add_argument("--out", default="docs/editing_limits.jpg")
    parser.add_argument("--photos", action="store_true")
    options = parser.parse_args()
    editor = Editor.load(options.model)
    names, cells = [], []
    for name, picture in pictures(options.photos):
        session = editor.open(picture)
        edited = [session.edit(asked).photo.pixels for asked in ASKED.values()]
        shown = [session.photo.pixels, *edited]
        cells += [look(session, pixels) for pixels in shown]
        names.append(name)
    sheet = strips.sheet(cells, ["photo", *ASKED], names, across=editor.model.id)
    photo.save(sheet, options.out, quality=85)


if __name__ == "__main__":
    main()
