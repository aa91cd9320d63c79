"""Draws strips.jpg: single sliders from 0 to 1, and says whether faces follow them.

python docs/strips.py [MODEL]

On three renders of people whom no training sees, and on two photographs in the public
domain that other packages carry (pip install scikit-image matplotlib): the astronaut
(NASA) and Grace Hopper (US Navy). The landmarker finds the face anew in every picture:
how wide the mouth and the eyes stand at both ends, and τ, which is 1 where every step
goes the right way. `changed` is the part of the face's square that differs at all.
"""

import argparse

import numpy as np
from editing_limits import photographs, points
from PIL import Image

from slider_jax import photo, strips
from slider_jax.edit import Editor
from slider_jax.face.sessions import Renderer
from slider_jax.measures import landmarks

VALUES = np.linspace(0, 1, 7)
SLIDERS = {
    "jawOpen": landmarks.mouth_opening,
    "eyeBlink": landmarks.eye_opening,
    "eyeBlinkLeft": None,
    "mouthSmile": None,
    "browInnerUp": None,
}
PEOPLE = (5, 11, 17)  # every sixth is for testing


def pictures():
    yield from photographs()
    for person in PEOPLE:
        face = next(Renderer(512, 5).rows(person, 0, 1))["image"]
        yield f"render {person}", Image.fromarray(face)


def row(editor, name, picture, slider, measure):
    """Cells of a strip; says what it measured."""
    session = editor.open(picture)
    now = session.measured.expression
    edits = [r.photo.pixels for r in strips.sweep(session, now, slider, VALUES)]
    if measure:
        seen = [measure(points(Image.fromarray(edit))[None])[0] for edit in edits]
        way = 1 if slider == "jawOpen" else -1
        tau = landmarks.monotonicity(way * np.array([seen]))[0]
        box = [round(side) for side in strips.square(session)]
        cut = np.s_[box[1] : box[3], box[0] : box[2]]
        changed = (edits[-1] != session.photo.pixels)[cut].any(-1).mean()
        print(
            f"{name:10}  {slider:8}  {seen[0]:.3f} to {seen[-1]:.3f}  τ {tau:5.2f}"
            f"  changed {changed:.0%}"
        )
    return [strips.look(session, edit, 96) for edit in edits]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--out", default="docs/strips.jpg")
    options = parser.parse_args()
    try:
        editor = Editor.load(options.model)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    cells, names = [], []
    for name, picture in pictures():
        for slider, measure in SLIDERS.items():
            cells += row(editor, name, picture, slider, measure)
            names.append(f"{name}, {slider}")
    columns = [f"{value:.2f}" for value in VALUES]
    sheet = strips.sheet(cells, columns, names, across=editor.model.id)
    photo.save(sheet, options.out, quality=80)


if __name__ == "__main__":
    main()
