"""Who is it? A recogniser for evaluation; better not the one that was trained with."""

import json
import math
import pathlib

import numpy as np

from slider_jax import fetch, identity_weights
from slider_jax.nets import mobilenet
from slider_jax.nets.identity import Crop, Recogniser

PACKAGE, FOLDER = "@vladmandic/human", "package/models"
NAMES = ("faceres", "dlib")
# All of an aligned picture: of cuts of .5 to 1 of it, this told renders apart best.
CROP = Crop(mobilenet.SIZE, float(mobilenet.SIZE), 0.0, 0.0)
TYPES = {"float16": "<f2", "float32": "<f4", "int32": "<i4"}


def recogniser(name: str = "faceres") -> Recogniser:
    """Aligned images [b h h 3] in [-1, 1] to embeddings of length one."""
    if name not in NAMES:
        raise ValueError(f"Unknown identity judge {name!r}; choose from {NAMES}.")
    return faceres() if name == "faceres" else identity_weights.dlib()


def faceres() -> Recogniser:
    """A MobileNet that learnt people from VGGFace2 (Savchenko, HSE_FaceRec_tf)."""
    tensors = read_tfjs(pathlib.Path(fetch.fetch(PACKAGE), FOLDER, "faceres.json"))
    return Recogniser(mobilenet_weights(tensors), CROP, mobilenet.describe)


def mobilenet_weights(tensors: dict[str, np.ndarray]) -> mobilenet.Weights:
    """By the names that Keras gives; a kernel of single channels is [h w 1 c] here."""
    blocks = []
    for i in range(1, mobilenet.BLOCKS + 1):
        each, all_ = f"conv_dw_{i}", f"conv_pw_{i}"
        blocks.append(
            dict(
                each=tensors[f"{each}/depthwise_kernel"].transpose(0, 1, 3, 2),
                scale=tensors[f"{each}_bn/batchnorm_1/mul"],
                each_shift=tensors[f"{each}_bn/batchnorm_1/sub"],
                all=tensors[f"{all_}/convolution/merged_input"],
                all_shift=tensors[f"{all_}_bn/batchnorm_1/sub"],
            )
        )
    return dict(
        kernel=tensors["conv1/convolution/merged_input"],
        shift=tensors["conv1_bn/batchnorm_1/sub"],
        blocks=blocks,
    )


def read_tfjs(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The weights of a TensorFlow.js model: a list in JSON, numbers beside it."""
    found = {}
    for group in json.loads(path.read_text())["weightsManifest"]:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            stored = TYPES[entry.get("quantization", entry)["dtype"]]
            count = math.prod(entry["shape"])
            tensor = np.frombuffer(data, stored, count, at).reshape(entry["shape"])
            found[entry["name"]] = tensor.astype(TYPES[entry["dtype"]])
            at += tensor.nbytes
    return found
