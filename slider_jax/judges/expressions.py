"""Which of seven expressions is it? The net of `fer`, which learnt from FER-2013."""

import functools
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from jaxtyping import Array, Float

from slider_jax import fetch
from slider_jax.nets.identity import Crop, warp_crop

PACKAGE, FILE = "fer", "fer/data/emotion_model_quantized.tflite"
# In the net's order, by the names of our sliders' tables.
CLASSES = tuple("anger disgust fear happiness sadness surprise neutral".split())
GREY = (0.299, 0.587, 0.114)  # of RGB
# The box of the landmarks of an aligned picture: 0.72 of its width, from (0.14, 0.2).
CROP = Crop(64, 64 / 0.72, -0.14 * 64 / 0.72, -0.2 * 64 / 0.72)

Judge = Callable[[Float[Array, "b h h 3"]], Float[np.ndarray, "b 7"]]


def recogniser() -> Judge:
    """Aligned images in [-1, 1] to probabilities, in the order of CLASSES.

    It is weak on renders (39 % where chance is 14): print its score on true ones beside
    that of edits.
    """
    path = pathlib.Path(fetch.fetch(PACKAGE), FILE)
    # One thread: the same picture gives the same numbers on any machine.
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return functools.partial(probabilities, interpreter)


def probabilities(
    interpreter: Interpreter, images: Float[Array, "b h h 3"]
) -> Float[np.ndarray, "b 7"]:
    """One face after the other: the net was made for that."""
    place = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    found = []
    for face in np.asarray(grey_faces(images)):
        interpreter.set_tensor(place, face[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer)[0])
    return np.array(found, np.float32).reshape(-1, len(CLASSES))


@jax.jit
def grey_faces(images: Float[Array, "b h h 3"]) -> Float[Array, "b 64 64 1"]:
    """In [-1, 1] too, which is what the net wants."""
    grey = (images * jnp.array(GREY)[None, None, None]).sum(axis=3, keepdims=True)
    return warp_crop(grey, CROP)
