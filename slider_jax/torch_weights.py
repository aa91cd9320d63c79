"""Weights of StarGAN's and GANimation's PyTorch networks, as parameters of ours.

The names are those of the two public repositories. PyTorch keeps a convolution as
[o, i, k, k] and a transposed one as [i, o, k, k]; ours are [k, k, i, o] and
[k, k, o, i], so one transposition serves both (dossier 0.3, rules 1 and 2).
"""

import json
import os
import pathlib
import re
import struct
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from slider_jax import files
from slider_jax.nets.critic import Critic
from slider_jax.nets.generator import Generator
from slider_jax.nets.layers import without
from slider_jax.ops import unseen

State = Mapping[str, np.ndarray]

# PyTorch counts these in StarGAN's norms, and StarGAN never uses them.
_DROPPED = re.compile(r"\.(running_mean|running_var|num_batches_tracked)$")
_SAFETENSORS_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}


def read(file: str | os.PathLike) -> dict[str, np.ndarray]:
    """The state dict in a .safetensors, .pt or .pth file, by name.

    Nothing in the file is run: PyTorch reads its own with `weights_only`.
    """
    file = pathlib.Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    if file.suffix == ".safetensors":
        state = _read_safetensors(file)
    elif file.suffix in (".pt", ".pth"):
        state = _read_torch(file)
    else:
        raise ValueError(f"{file} ends neither in .safetensors nor in .pt or .pth.")
    return {name.removeprefix("module."): array for name, array in state.items()}


def _read_torch(file):
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ValueError(
            f"Reading {file} takes PyTorch: `pip install 'slider_jax[torch]'`, or "
            "bring the weights as .safetensors."
        ) from error
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        return {name: tensor.float().numpy() for name, tensor in state.items()}
    except Exception as error:  # a damaged file raises whatever the reader met
        raise ValueError(
            f"{file} is no plain PyTorch state dict of tensors; save "
            "`network.state_dict()`."
        ) from error


def _read_safetensors(file):
    """Eight bytes of length, that much JSON, then the numbers."""
    content = file.read_bytes()
    try:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        numbers = memoryview(content)[8 + length :]
        return {
            name: np.frombuffer(
                numbers[slice(*entry["data_offsets"])],
                _SAFETENSORS_TYPES[entry["dtype"]],
            )
            .reshape(entry["shape"])
            .astype(np.float32)
            for name, entry in header.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ValueError(
            f"{file} is damaged, or holds numbers other than "
            f"{', '.join(_SAFETENSORS_TYPES)}."
        ) from error


# Pairs of names: our leaf's path, and PyTorch's.


def _kernel(path, name):
    return [(f"{path}/kernel", f"{name}.weight")]


def _norm(path, name):
    return [(f"{path}/scale", f"{name}.weight"), (f"{path}/offset", f"{name}.bias")]


def _trunk_names(down, blocks):
    """The layers of `main`, counted alike in both. Every third is a ReLU."""
    names = [*_kernel("enter", "main.0"), *_norm("enter_norm", "main.1")]
    for i in range(down):
        at = 3 + 3 * i
        names += _kernel(f"down_{i}", f"main.{at}")
        names += _norm(f"down_{i}_norm", f"main.{at + 1}")
    for i in range(blocks):
        block = f"main.{3 + 3 * down + i}.main"
        for half, at in (("first", 0), ("second", 3)):
            names += _kernel(f"block_{i}/{half}", f"{block}.{at}")
            names += _norm(f"block_{i}/{half}_norm", f"{block}.{at + 1}")
    for i in range(down):
        at = 3 + 3 * down + blocks + 3 * i
        names += _kernel(f"up_{i}", f"main.{at}")
        names += _norm(f"up_{i}_norm", f"main.{at + 1}")
    return names


def _generator(state, heads):
    """(our names and PyTorch's, the fields of our module)."""
    blocks = len(
        {name for name in state if re.fullmatch(r"main\.\d+\.main\.0\.weight", name)}
    )
    first = _shape(state, "main.0.weight")
    downs = 0
    while state.get(f"main.{3 + 3 * downs}.weight", np.empty(0)).ndim == 4:
        downs += 1
    sizes = dict(conditions=first[1] - 3, width=first[0], blocks=blocks, down=downs)
    names = _trunk_names(downs, blocks)
    last = 3 + 6 * downs + blocks
    return [*names, *heads(last)], sizes


def _stargan_generator(state):
    names, sizes = _generator(state, lambda at: [("heads/colour", f"main.{at}.weight")])
    return names, sizes | {"masked": False}


def _ganimation_generator(state):
    # The name is misspelt there.
    heads = [
        ("heads/colour", "img_reg.0.weight"),
        ("heads/mask", "attetion_reg.0.weight"),
    ]
    names, sizes = _generator(state, lambda at: heads)
    return names, sizes | {"masked": True}


def _critic(state):
    depth = 0
    while f"main.{2 * depth}.weight" in state:
        depth += 1
    width, parameters, whole = (
        _shape(state, "main.0.weight")[0],
        *_shape(state, "conv2.weight")[::2],
    )
    names = [*_kernel("score", "conv1"), *_kernel("parameters", "conv2")]
    for i in range(depth):
        names += _kernel(f"down_{i}", f"main.{2 * i}")
        names.append((f"down_{i}/bias", f"main.{2 * i}.bias"))
    size = whole << depth
    return names, dict(parameters=parameters, width=width, depth=depth, size=size)


def _shape(state, name):
    if name not in state:
        raise ValueError(f"{name} is missing: this is not the network that was named.")
    if state[name].ndim != 4:
        raise ValueError(f"{name} is of shape {state[name].shape}: no convolution's.")
    return state[name].shape


_KINDS = {
    "stargan-generator": _stargan_generator,
    "stargan-critic": _critic,
    "ganimation-generator": _ganimation_generator,
    "ganimation-critic": _critic,
}
KINDS = tuple(_KINDS)


def convert(state: State, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(our parameters, the fields of our module) from a PyTorch state dict.

    GANimation's mask is 1 where it keeps the photo and ours where it draws: its logit,
    which has no bias, is negated, for sigmoid(-x) = 1 - sigmoid(x).
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown kind {kind!r}; choose from {list(KINDS)}.")
    state = {name: array for name, array in state.items() if not _DROPPED.search(name)}
    names, fields = _KINDS[kind](state)
    expected = {theirs for _, theirs in names}
    missing, unknown = sorted(expected - state.keys()), sorted(state.keys() - expected)
    if missing or unknown:
        raise ValueError(
            f"This is no {kind}. Missing: {', '.join(missing) or 'nothing'}. "
            f"Unknown: {', '.join(unknown) or 'nothing'}."
        )
    params = {}
    for ours, theirs in names:
        array = np.asarray(state[theirs], np.float32)
        params[ours] = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
    if kind == "ganimation-generator":
        params["heads/mask"] = -params["heads/mask"]
    if kind.endswith("critic"):
        for name, kernel in params.items():
            if kernel.ndim == 4 and not name.startswith("parameters"):
                params[name] = _seen(name, kernel, fields)
    _check(params, dict(names), fields)
    return {"params": traverse_util.unflatten_dict(params, sep="/")}, fields


def _check(params, theirs, fields):
    """Refuses what our module could not run, or nobody would want to."""
    if "masked" in fields:
        module, size = Generator(**fields), 16 << fields["down"]
        told = [jax.ShapeDtypeStruct((1, fields["conditions"]), jnp.float32)]
    else:
        module, size, told = Critic(**fields), fields["size"], []
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    expected = jax.eval_shape(module.init, jax.random.key(0), image, *told)
    expected = traverse_util.flatten_dict(expected["params"], sep="/")
    for name, array in params.items():
        if array.shape != expected[name].shape:
            raise ValueError(
                f"{theirs[name]} does not go with the other layers: it becomes "
                f"{array.shape}, where {expected[name].shape} is due."
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{theirs[name]} holds numbers that are not finite.")


def _seen(name, kernel, fields):
    """The taps that our layers have (nets/layers.py): the others meet only padding."""
    layer, _, number = name.split("/")[0].partition("_")
    stride, layers = (2, int(number)) if layer == "down" else (1, fields["depth"])
    size = fields["size"] >> layers
    how = dict(kernel=kernel.shape[0], stride=stride, padding=1)
    return without(unseen((size, size), **how), kernel)


def save(
    file: str | os.PathLike, params: dict[str, Any], fields: dict[str, Any]
) -> None:
    """An .npz of every leaf under its path, and the module's fields as JSON."""
    leaves = traverse_util.flatten_dict(params, sep="/")
    # savez would add its suffix to a bare name
    with files.whole(file) as scratch, open(scratch, "wb") as stream:
        np.savez(stream, fields=np.array(json.dumps(fields)), **leaves)


def load(file: str | os.PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, the fields of their module), as `save` wrote them."""
    with np.load(file, allow_pickle=False) as stored:
        leaves = dict(stored)
    fields = json.loads(str(leaves.pop("fields")))
    return traverse_util.unflatten_dict(leaves, sep="/"), fields
