"""A model made ready to read faces and to paint them."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from slider_jax import onnx_graph
from slider_jax.batch import to_float
from slider_jax.face.maps import Maps, Vector, load_maps, tidy
from slider_jax.face.sliders import SLIDERS
from slider_jax.model_file import Model


@dataclasses.dataclass(frozen=True, eq=False)
class Painter:
    """Crops are bytes [size size 3]; vectors are of components, in [-1, 1].

    `paint(crop, vector)` is the face wearing the vector, floats in [-1, 1], the mask
    [size size 1] and the flow [size size 2]; `read(crop)` is the vector that a face
    wears.
    """

    model: Model
    maps: Maps
    paint: Callable
    read: Callable

    def name(self, vector: Vector) -> dict[str, float]:
        """The sliders of a vector."""
        values = self.maps.sliders(vector)
        return dict(zip(SLIDERS, values.tolist(), strict=True))

    def warm_up(self) -> None:
        """Compiles everything, so that the first edit is as quick as the others."""
        blank = np.zeros((self.model.size, self.model.size, 3), np.uint8)
        self.paint(blank, self.read(blank))


def make_painter(model: Model, paint: Callable | None = None) -> Painter:
    """`paint` is one of those below, or else our own."""
    maps = load_maps(model.parameters)
    return Painter(model, maps, paint or paint_by_jax(model), _reader(model, maps))


def paint_by_jax(model: Model) -> Callable:
    """The weights are constants of the program: XLA lays them out once, for good."""

    generator = jax.device_put(model.generator)

    @jax.jit
    def program(crop, vector):
        image = to_float(crop)[None]
        painted = model.system.paint(generator, image, vector[None])
        return jax.tree.map(lambda x: x[0], painted)

    return lambda crop, vector: jax.device_get(program(crop, vector.astype(np.float32)))


def paint_by_onnxruntime(model: Model) -> Callable:
    """The same network by another program, in its default session."""
    import onnxruntime

    content = onnx_graph.editor(model)
    running = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def paint(crop, vector):
        inputs = {"image": to_float(crop), "expression": vector.astype(np.float32)}
        inputs = {name: value[None] for name, value in inputs.items()}
        return tuple(x[0] for x in running.run(["edited", "mask", "flow"], inputs))

    return paint


def _reader(model, maps):
    """Mean over the face and its mirror image: a mirrored face reads mirrored."""

    @jax.jit
    def read(critic, crop):
        image = to_float(crop)
        both = jnp.stack([image, image[:, ::-1]])
        return model.system.critic.apply(critic, both)[1]

    critic = jax.device_put(model.critic)

    def measure(crop):
        seen, mirrored = np.asarray(read(critic, crop), np.float64)
        return tidy((seen + maps.mirror @ mirrored) / 2)

    return measure
