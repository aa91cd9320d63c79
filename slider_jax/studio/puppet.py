"""The 3D head for the page, sent once: it follows the sliders there by itself.

Its colours are page/head.webp, which `python -m slider_jax.studio.puppet` made.

Little-endian: the length of a line of JSON as uint32, the line (padded to four bytes),
then `mean` [v 3] and `units` [52 v 3] as int16 hundredths of a millimetre, `triangles`
[f 3] as uint16, `uv` [f 3 2] of the corners as uint16, 65535 being 1, and `sky` [v],
how much light reaches a vertex, as uint8, 255 being 1.
"""

import functools
import gzip
import io
import json
import pathlib

import jax
import numpy as np
from PIL import Image

from slider_jax.face import atlas, people
from slider_jax.face.appearance import bake
from slider_jax.face.head import load_head
from slider_jax.face.sliders import SLIDERS

FINE = 100  # steps to a millimetre
TEXELS = 512
SOMEBODY = 21  # seed of the look


@functools.cache
def mesh() -> bytes:
    """Gzipped. Long hair is left out; short hair is painted on the scalp."""
    head = load_head()
    lashes, long_hair = (atlas.PARTS.index(part) for part in ("lash", "long hair"))
    solid = ~np.isin(head.part, (lashes, long_hair))
    # Lashes come last, because one looks through them.
    drawn = np.append(np.flatnonzero(solid), np.flatnonzero(head.part == lashes))
    triangles = head.face.triangles[drawn]
    kept, local = np.unique(triangles, return_inverse=True)
    fine = lambda x: np.rint(FINE * np.asarray(x)).astype("<i2")
    mean = np.asarray(head.face.mean)[kept]
    arrays = {
        "mean": fine(mean - [0, mean[:, 1].mean(), 0]),
        "units": fine(np.asarray(head.face.units)[:, kept]),
        "triangles": local.reshape(-1, 3).astype("<u2"),
        "uv": np.rint(65535 * head.corner_uv[drawn].clip(0, 1)).astype("<u2"),
        "sky": np.rint(255 * (1.2 * head.visibility[kept, 0]).clip(0.25, 1)).astype(
            "u1"
        ),
    }
    shapes = {name: array.shape for name, array in arrays.items()}
    about = {"fine": FINE, "sliders": SLIDERS, "shapes": shapes}
    line = json.dumps(about | {"solid": int(solid.sum())}).encode()
    line += b" " * (-len(line) % 4)
    body = b"".join(array.tobytes() for array in arrays.values())
    whole = len(line).to_bytes(4, "little") + line + body
    return gzip.compress(whole, 6, mtime=0)


def colours() -> bytes:
    """The atlas of somebody, as WebP; alpha where there are lashes."""
    head, rng = load_head(), np.random.default_rng(SOMEBODY)
    _, traits = people.sample_identity(head, rng)
    look = people.sample_look(traits, rng)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        sheet = np.array(jax.jit(bake, static_argnums=2)(head, look, TEXELS))
    alpha = np.full(sheet.shape[:2], 255, np.uint8)
    rows, columns = atlas.block_slices("lash", TEXELS)
    alpha[rows, columns] = sheet[rows, columns, 3]
    out = io.BytesIO()
    image = Image.fromarray(np.dstack([sheet[..., :3], alpha]))
    image.save(out, "WEBP", quality=88, exact=True)
    return out.getvalue()


if __name__ == "__main__":
    (pathlib.Path(__file__).parent / "page" / "head.webp").write_bytes(colours())
