"""A model for other programs, as ONNX or as StableHLO. What is written was tried first.

The file edits: `image` [batch size size 3] in [-1, 1], RGB, and `expression` [batch n]
to `edited`, `mask` and `flow`. Or it reads: `image` to `expression`. What a program
must know beside that is with it as JSON, see `describe`.
"""

import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from PIL import Image

import slider_jax
from slider_jax import data, files, onnx_graph, ops, session
from slider_jax.batch import to_float
from slider_jax.face import landmarks
from slider_jax.face.head import load_head
from slider_jax.face.maps import load_maps
from slider_jax.face.requests import limits
from slider_jax.face.sliders import SLIDERS
from slider_jax.model_file import Model
from slider_jax.prepare import TINY

CLOSE = 1e-4  # of what JAX says, in [-1, 1]
PLATFORMS = ("cpu", "cuda", "tpu")


def onnx(model: Model, path: str | os.PathLike, *, reader: bool = False) -> dict:
    """One file; `describe` is its metadata entry "slider_jax". Returns what to tell."""
    told = {"opset": onnx_graph.OPSET}
    notes = {"slider_jax": json.dumps(describe(model) | told)}
    try:
        import onnxruntime

        if reader:
            mirror = load_maps(model.parameters).mirror
            content = onnx_graph.reader(model, mirror, **notes)
        else:
            content = onnx_graph.editor(model, **notes)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"ONNX needs {error.name}: `pip install 'slider_jax[export]'`."
        ) from error
    running = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [value.name for value in running.get_inputs()]
    run = lambda *values: running.run(None, dict(zip(names, values, strict=True)))
    told |= {"difference": _check(run, model, reader, "onnxruntime")}
    with files.whole(path) as scratch:
        scratch.write_bytes(content)
    return told


def stablehlo(model: Model, path: str | os.PathLike, *, reader: bool = False) -> dict:
    """For `jax.export.deserialize`; `describe` lies beside it, with .json behind."""
    inputs = [(model.size, model.size, 3), (model.parameters,)][: 1 if reader else 2]
    (batch,) = jax.export.symbolic_shape("batch")
    shapes = [jax.ShapeDtypeStruct((batch, *shape), "float32") for shape in inputs]
    with ops.using("plain"):
        program = jax.jit(_function(model, reader))
        content = jax.export.export(program, platforms=PLATFORMS)(*shapes).serialize()
    run = jax.export.deserialize(content).call
    told = {
        "platforms": " ".join(PLATFORMS),
        "difference": _check(run, model, reader, "XLA"),
    }
    beside = pathlib.Path(f"{path}.json")
    with files.whole(path) as scratch, files.whole(beside) as words:
        words.write_text(json.dumps(describe(model), indent=1))
        scratch.write_bytes(content)
    return told


def describe(model: Model) -> dict[str, Any]:
    """Plain values: what is in the file, and how to come to its inputs."""
    maps, head = load_maps(model.parameters), load_head()
    goal = landmarks.reference(head.face.mean[head.landmarks])
    return {
        "slider_jax": slider_jax.__version__,
        "model": model.id,
        "licence": model.card.get("licence", "not stated"),
        "card": model.card,
        "sliders": {name: limits(name) for name in SLIDERS},
        # components += components_of @ (change of sliders), clipped to [-1, 1];
        # vectors are the components, then those of speech where the model has them.
        "maps": {
            name: getattr(maps, name).round(6).tolist()
            for name in ("components_of", "sliders_of", "speech_of", "mirror")
        },
        "preprocessing": {
            "size": model.size,
            "layout": "NHWC",
            "colours": "RGB",
            "range": [-1, 1],  # byte / 127.5 - 1
            "alignment": {
                # A similarity, by least squares, of the `used` of 68 points to where
                # they belong, in picture widths from the top left.
                "of_mediapipe": landmarks.IBUG_OF_DENSE,
                "used": list(range(68))[landmarks.RIGID],
                "goal": goal.round(5).tolist(),
            },
        },
        # A change of the vector fades in up to this length; the mask is pasted from
        # the first value of `open` on, and whole at the second.
        "pasting": {"fade": session.FADE, "open": session.OPEN},
    }


def _function(model, reader) -> Callable:
    """What is exported, in JAX: arrays of a batch to arrays of a batch."""
    generator, critic = jax.device_put((model.generator, model.critic))
    if not reader:
        return lambda *inputs: model.system.paint(generator, *inputs)
    mirror = load_maps(model.parameters).mirror.astype(np.float32)
    read = lambda image: model.system.critic.apply(critic, image)[1]

    def both(image):
        seen, mirrored = read(image), read(image[:, :, ::-1])
        return (((seen + mirrored @ mirror.T) / 2).clip(-1, 1),)

    return both


def _check(run, model, reader, runtime) -> float:
    """The largest difference from JAX, of three faces together and one by one."""
    inputs = _faces(model)[: 1 if reader else 2]
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.default_device(cpu), ops.using("plain"):
        expected = jax.jit(_function(model, reader))(*inputs)
        together = run(*inputs)
        alone = [run(*(x[i : i + 1] for x in inputs)) for i in range(len(inputs[0]))]
    alone = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
    gaps = [
        np.abs(np.asarray(found) - wanted).max()
        for outputs in (together, alone)
        for found, wanted in zip(outputs, expected, strict=True)
    ]
    worst = float(np.max(gaps))
    if not worst <= CLOSE:  # nor NaN
        raise ValueError(
            f"{runtime} differs from JAX by {worst:.1g}, more than {CLOSE:g}, so "
            "nothing was written: another version of it may do better."
        )
    return float(f"{worst:.0e}")


def _faces(model) -> Sequence[Float[np.ndarray, "3 ..."]]:
    """Three renders of the tiny set, and vectors that are no face's."""
    crops = data.open_split(TINY, "test_unpaired")[np.arange(3)]
    size = (model.size, model.size)
    images = np.stack(
        [np.asarray(Image.fromarray(crop).resize(size)) for crop in crops]
    )
    vectors = np.random.default_rng(0).uniform(-1, 1, (3, model.parameters))
    return to_float(images), vectors.astype(np.float32)
