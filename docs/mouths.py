"""Draws mouths.jpg, and says what drawing mouths from the 3D head is worth.

python docs/mouths.py [MODEL]

Renders of people whom no training sees open their mouths, and each picture is compared
with the truth within the window about the mouth: as the model alone paints it, and with
teeth and tongue drawn. LPIPS (fetched once) is how alike two pictures look, SSIM how
alike they are pixel by pixel; ± is the standard error over people.
"""

import argparse
import dataclasses

import jax.numpy as jnp
import numpy as np

from slider_jax import patch, photo, strips
from slider_jax.batch import to_float
from slider_jax.edit import Editor
from slider_jax.face.maps import load_maps
from slider_jax.face.sessions import Renderer
from slider_jax.face.sliders import vector
from slider_jax.judges import perceptual
from slider_jax.measures.pixels import ssim
from slider_jax.mouth import SIZE

# Every sixth is for testing; those before were looked at when mouth.py was written.
PEOPLE = range(149, 293, 6)
SHOWN = 149, 161, 185, 239
SMILE = {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6}
ASKED = {"jawOpen": 0.8}, {"jawOpen": 0.4}, {"jawOpen": 0.5, **SMILE}


@dataclasses.dataclass(frozen=True)
class Asking(Renderer):
    components: np.ndarray | None = None

    def draw_expression(self, rng, alone, worn=None):
        return self.components, np.zeros(10), "mixed"


def cases(editor, person):
    """A session at rest, and what it is asked with the truth, for each request."""
    for asked in ASKED:
        components = load_maps(30).components_of @ vector(asked)
        renderer = Asking(384, 36, components=components.clip(-1, 1))
        rest, truth = (row["image"] for row in renderer.rows(person, 0, 2))
        session = editor.open(rest)
        known = dataclasses.replace(session.measured, expression=np.zeros(30))
        session = dataclasses.replace(session, measured=known)
        yield session, renderer.components, truth


def window(session, pixels):
    seen = photo.looked_at(pixels, session.flipped)
    return patch.cut(np.ascontiguousarray(seen), session.finish.mouth.window, SIZE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--out", default="docs/mouths.jpg")
    options = parser.parse_args()
    try:
        editor = Editor.load(options.model)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    alike = {"LPIPS": perceptual.lpips(), "SSIM": ssim}
    found = {name: [] for name in alike}
    cells = []
    for person in PEOPLE:
        rows = [], [], []
        for session, asked, truth in cases(editor, person):
            if session.finish.mouth is None:
                continue
            plain = dataclasses.replace(session, finishes=False)
            edits = [s.edit(asked).photo.pixels for s in (plain, session)]
            if person in SHOWN and not rows[0]:
                faces = session.photo.pixels, *edits, truth
                cells += [strips.look(session, face, 160) for face in faces]
            for row, pixels in zip(rows, (*edits, truth), strict=True):
                row.append(window(session, pixels))
        if not rows[0]:
            print(f"person {person} is turned too far")
            continue
        painted, drawn, truth = (to_float(jnp.asarray(np.stack(r))) for r in rows)
        for name, measure in alike.items():
            of = [np.mean(measure(x, truth)) for x in (painted, drawn)]
            found[name].append(of)
    for name, values in found.items():
        values = np.array(values)
        error = values.std(0) / np.sqrt(len(values))
        words = [
            f"{m:.3f} ± {e:.3f}" for m, e in zip(values.mean(0), error, strict=True)
        ]
        fewer = (values[:, 1] < values[:, 0]).mean()
        print(f"{name}: painted {words[0]}, drawn {words[1]}; less in {fewer:.0%}")
    print(f"{len(values)} people, {len(ASKED)} requests each")
    columns = ["photo", "painted", "drawn", "truth"]
    names = [f"render {person}" for person in SHOWN]
    sheet = strips.sheet(cells, columns, names, across=editor.model.id)
    photo.save(sheet, options.out, quality=80)


if __name__ == "__main__":
    main()
