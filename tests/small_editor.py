"""A model of random weights that edits in milliseconds, and photos with a face in them.

Its mask is wide open in some places and shut in others, as a trained one's is.
"""

import jax
import numpy as np

from slider_jax import model_file, patch, photo, systems
from slider_jax.batch import Batch
from slider_jax.face import landmarks
from slider_jax.face.head import load_head
from slider_jax.photo_file import Photo

FIELDS = dict(size=32, width=4, blocks=1, depth=3, initial="torch", warped=True)


def weights(parameters=30, seed=0, **fields):
    """Drawn by NumPy: to compile the networks' own initialisers takes long."""
    system = systems.create("slidergan", **FIELDS | {"parameters": parameters} | fields)
    shape = jax.ShapeDtypeStruct
    image = shape((1, system.size, system.size, 3), "float32")
    vector = shape((1, parameters), "float32")
    batch = Batch(image, vector, image, vector, shape((1,), "bool"))
    key = jax.eval_shape(lambda: jax.random.key(0))
    rng = np.random.default_rng(seed)

    def draw(leaf):
        if len(leaf.shape) == 1:
            return np.ones(leaf.shape, np.float32)
        fan_in = np.prod(leaf.shape[:3])
        return rng.normal(0, fan_in**-0.5, leaf.shape).astype(np.float32)

    params = jax.tree.map(draw, jax.eval_shape(system.init, key, batch))
    params["generator"]["params"]["heads"]["mask"] *= 20
    return params


def model(parameters=30, seed=0, fields=None, **card):
    fields = FIELDS | {"parameters": parameters} | (fields or {})
    given = weights(seed=seed, **fields)
    return model_file.make_model("slidergan", fields, given, **card)


def photo_with_face(seed=0, height=90, width=120, scale=1.6):
    """Smooth noise, and where a face is said to be: turned, and not in the middle."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (height // 6 + 2, width // 6 + 2, 3))
    pixels = np.kron(coarse, np.ones((6, 6, 1)))[:height, :width].astype(np.uint8)
    head = load_head()
    angle = rng.uniform(-0.4, 0.4)
    turn = scale * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    goal = np.column_stack([turn, np.array([width, height]) / 2 - turn @ [16, 14]])
    points = 32 * landmarks.reference(head.face.mean[head.landmarks]).astype(float)
    points = np.rint(patch.move(goal, points) * photo.GRID) / photo.GRID
    box = tuple(float(v) for v in (*points.min(0), *points.max(0)))
    face = photo.Face(box, 1.0, points.astype(np.float32), (0.0, 0.0, 0.0))
    return Photo(pixels), face
