"""`slider studio --browser`: the model itself goes to the page, which edits alone."""

import dataclasses
import pathlib

from slider_jax import fetch, patch, session
from slider_jax.face.sliders import EMOTIONS, SLIDERS
from slider_jax.model_file import Model
from slider_jax.session import Session
from slider_jax.studio import pictures


@dataclasses.dataclass(frozen=True)
class Browser:
    """What the page loads: the exported model, and the folder of onnxruntime-web."""

    model: pathlib.Path
    runtime: pathlib.Path


def runtime() -> pathlib.Path:
    """Fetched on first use."""
    return fetch.fetch("onnxruntime-web") / "package" / "dist"


def prepare(model: Model, folder: pathlib.Path) -> Browser:
    """Exports the model into `folder`."""
    from slider_jax import export

    path = folder / "model.onnx"
    export.onnx(model, path)
    return Browser(path, runtime())


def face(opened: Session) -> bytes:
    """All that page/paste.js must know of an open face: frames, the crop in RGB bytes.

    `looks` are expressions to start from, each with its vector and its sliders. From
    there a slider's change goes through `components_of` [30 52] to the vector.
    """
    painter, now = opened.painter, opened.measured.expression
    wearing = {name: opened.vector({name: 1.0}) for name in EMOTIONS}
    looks = {name: (v, painter.name(v)) for name, v in wearing.items()}
    looks["measured"] = now, opened.measured.sliders
    answer = {
        "frame": opened.frame.tolist(),
        "size": len(opened.crop),
        "flipped": opened.flipped,
        "mirror": painter.maps.mirror.tolist(),
        "looks": {
            name: {"vector": vector.tolist(), "sliders": sliders}
            for name, (vector, sliders) in looks.items()
        },
        "names": SLIDERS,
        "components_of": painter.maps.components_of.tolist(),
        "fade": session.FADE,
        "open": session.OPEN,
        "feather": patch.FEATHER,
        "painted": patch.PAINTED,
        "record": opened.edit(now).record,
    }
    return pictures.frames(answer, [opened.crop.tobytes()])
