"""Draws finish.jpg, and says what drawing over the network's picture is worth.

python docs/finish.py [MODEL]

Renders of people whom no training sees open their mouths, shut their eyes, and open and
turn them, and each picture is compared with the truth within windows about mouth and
eyes: as the model alone paints it, and finished (finish.py), with teeth, tongue, the
lines of lids, the photo's own eyes, and noise.
LPIPS (fetched once) is how alike two pictures look, SSIM how alike they are pixel by
pixel; ± is the standard error over people.
"""

import argparse
import dataclasses

import jax.numpy as jnp
import numpy as np

from slider_jax import photo, strips
from slider_jax.batch import to_float
from slider_jax.edit import Editor
from slider_jax.face.maps import load_maps
from slider_jax.face.sessions import Renderer
from slider_jax.face.sliders import EMOTIONS, vector
from slider_jax.judges import perceptual
from slider_jax.measures.pixels import ssim

# Every sixth is for testing; those before were looked at when all that was written.
PEOPLE = range(149, 293, 6)
SMILE = {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6}
HAPPY = EMOTIONS["happiness"]
WINK, OTHER = {"eyeBlinkLeft": 1.0}, {"eyeBlinkRight": 1.0}
WIDE = {"eyeWideLeft": 1.0, "eyeWideRight": 1.0}
ASIDE = {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0}
DOWN = {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0}
ASKED = {
    "mouths": ({"jawOpen": 0.8}, {"jawOpen": 0.4}, {"jawOpen": 0.5, **SMILE}, HAPPY),
    "shut eyes": (WINK | OTHER, WINK, OTHER),
    "open eyes": (WIDE, ASIDE, DOWN),
}
SHOWN = {"mouths": (149, 185, 239), "shut eyes": (185, 239), "open eyes": (221, 263)}


@dataclasses.dataclass(frozen=True)
class Asking(Renderer):
    components: np.ndarray | None = None

    def draw_expression(self, rng, alone, worn=None):
        return self.components, np.zeros(10), "mixed"


def cases(editor, person, requests):
    """A session at rest, and what it is asked with the truth, for each request."""
    for asked in requests:
        components = load_maps(30).components_of @ vector(asked)
        renderer = Asking(384, 36, components=components.clip(-1, 1))
        rest, truth = (row["image"] for row in renderer.rows(person, 0, 2))
        session = editor.open(rest)
        known = dataclasses.replace(session.measured, expression=np.zeros(30))
        session = dataclasses.replace(session, measured=known)
        yield session, renderer.components, truth


def windows(session, what, pixels):
    finish = session.finish
    parts = [finish.mouth] if what == "mouths" else finish.eyes
    return np.stack([part.window.see(pixels) for part in parts])


def look(session, face, what):
    if what == "open eyes":  # which are small
        return strips.look(session, face, 320)[80:240, 80:240]
    return strips.look(session, face, 160)


def edits_of(editor, what, person):
    """Windows painted, drawn and in truth, of all requests; and cells of the first."""
    rows, cells = ([], [], []), []
    for session, asked, truth in cases(editor, person, ASKED[what]):
        if session.finish.mouth is None:
            print(f"person {person} is turned too far")
            break
        plain = dataclasses.replace(session, finishes=False)
        pictures = [s.edit(asked).photo.pixels for s in (plain, session)] + [truth]
        for row, pixels in zip(rows, pictures, strict=True):
            row.append(windows(session, what, pixels))
        if not cells:
            faces = session.photo.pixels, *pictures
            cells = [look(session, face, what) for face in faces]
    return [to_float(jnp.asarray(np.concatenate(r))) for r in rows if r], cells


def tell(name, values):
    """Of a measure, [people 2]: painted, and drawn."""
    error = values.std(0) / np.sqrt(len(values))
    painted, drawn = (
        f"{m:.3f} ± {e:.3f}" for m, e in zip(values.mean(0), error, strict=True)
    )
    fewer = (values[:, 1] < values[:, 0]).mean()
    print(f"{name}: painted {painted}, drawn {drawn}; less in {fewer:.0%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--out", default="docs/finish.jpg")
    options = parser.parse_args()
    try:
        editor = Editor.load(options.model)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    alike = {"LPIPS": perceptual.lpips(), "SSIM": ssim}
    cells = []
    for what, requests in ASKED.items():
        found = {name: [] for name in alike}
        for person in PEOPLE:
            pictures, shown = edits_of(editor, what, person)
            if not pictures:
                continue
            *edits, truth = pictures
            for name, measure in alike.items():
                found[name].append([np.mean(measure(x, truth)) for x in edits])
            cells += shown if person in SHOWN[what] else []
        print(f"{what}: {len(found['SSIM'])} people, {len(requests)} requests each")
        for name, values in found.items():
            tell(name, np.array(values))
    columns = ["photo", "painted", "drawn", "truth"]
    names = [f"render {person}" for people in SHOWN.values() for person in people]
    sheet = strips.sheet(cells, columns, names, across=editor.model.id)
    photo.save(sheet, options.out, quality=80)


if __name__ == "__main__":
    main()
