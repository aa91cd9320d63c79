"""Writers of small face models of every format, and what they must draw."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io

from slider_jax.face import formats

# An octahedron as large as a face, in millimetres, counter-clockwise from outside.
MEAN = np.array(
    [[60, 0, 0], [-60, 0, 0], [0, 100, 0], [0, -100, 0], [0, 0, 80], [0, 0, -80]],
    np.float32,
)
TRIANGLES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5]]
    + [[0, 3, 5]]
)
MIRROR = [1, 0, 2, 3, 4, 5]
RNG = np.random.default_rng(0)
IDENTITY_BASIS, EXPRESSION_BASIS = (
    np.linalg.qr(RNG.normal(size=(18, k)))[0].astype(np.float32) for k in (4, 3)
)
IDENTITY_STD = np.array([8, 4, 2, 1], np.float32)
EXPRESSION_STD = np.array([6, 3, 1.5], np.float32)
IDENTITY = np.array([1, -0.5, 2, 0.1], np.float32)
EXPRESSION = np.array([0.5, -1, 0.2], np.float32)
MICROMETRES = 1000


def mesh(expression=EXPRESSION):
    """What every statistical model below must draw, in millimetres."""
    flat = IDENTITY_BASIS @ (IDENTITY_STD * IDENTITY)
    flat = flat + EXPRESSION_BASIS @ (3 * EXPRESSION_STD * expression)
    return MEAN + flat.reshape(6, 3)


def draw(face, expression=EXPRESSION):
    return face.vertices(jnp.asarray(IDENTITY), jnp.asarray(expression))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


def basel_2009_arrays():
    return {
        "shapeMU": MICROMETRES * MEAN.reshape(18, 1),
        "shapePC": IDENTITY_BASIS,
        "shapeEV": MICROMETRES * IDENTITY_STD[:, None],
        "tl": TRIANGLES[:, ::-1] + 1,  # the wrong way round, as in the real one
    }


def model_expression(basis=EXPRESSION_BASIS):
    return {
        "w_exp": 50 * basis,
        "sigma_exp": 20 * EXPRESSION_STD,
        "mu_exp": basis[:, 0],
    }


def lsfm_arrays():
    return {
        "mean": MEAN.reshape(-1) / 1000,
        "components": IDENTITY_BASIS,
        "eigenvalues": (IDENTITY_STD / 1000) ** 2,
        "trilist": TRIANGLES,
    }


def write_mat(path, arrays):
    scipy.io.savemat(path, arrays)
    return path


def write_mat_compressed(path, arrays):
    scipy.io.savemat(path, arrays, do_compression=True)
    return path


def write_mat_73(path, arrays):
    """MATLAB 7.3: HDF5 behind a user block, with columns first."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            file[name] = np.atleast_2d(value).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))
    return path


def write_basel_2017(path, leave_out=(), size=1):
    h5py = pytest.importorskip("h5py")
    arrays = {
        "shape/model/mean": size * MEAN.reshape(-1),
        "shape/model/pcaBasis": IDENTITY_BASIS,
        "shape/model/pcaVariance": IDENTITY_STD**2,
        "shape/representer/cells": TRIANGLES.T,
        "expression/model/mean": EXPRESSION_BASIS[:, 0],
        "expression/model/pcaBasis": EXPRESSION_BASIS,
        "expression/model/pcaVariance": EXPRESSION_STD**2,
    }
    with h5py.File(path, "w") as file:
        for name in arrays.keys() - set(leave_out):
            file[name] = arrays[name]
    return path


def flame_arrays():
    directions = np.zeros((6, 3, 400))
    directions[..., :4] = (IDENTITY_BASIS * IDENTITY_STD).reshape(6, 3, 4)
    directions[..., 300:303] = (EXPRESSION_BASIS * EXPRESSION_STD).reshape(6, 3, 3)
    return {
        "v_template": MEAN / 1000,
        "shapedirs": directions / 1000,
        "f": TRIANGLES.astype(np.uint32),
    }


def draw_flame(face):
    identity = np.zeros(300, np.float32)
    identity[:4] = IDENTITY
    expression = np.zeros(len(face.expression.scale), np.float32)
    expression[:3] = EXPRESSION
    return face.vertices(jnp.asarray(identity), jnp.asarray(expression))


def write_obj(path, vertices, faces=True):
    lines = ["v " + " ".join(map(str, vertex)) for vertex in vertices]
    lines += ["vt 0 0", "# a comment"]
    if faces:
        a, b, c, d = 1, 3, 2, 4  # one quad round the middle, and triangles
        lines += [f"f {a}/1/1 {b}/1/1 {c}/1/1 {d}/1/1", "f 1//1 3//1 5//1", "f 3 2 -2"]
    path.write_text("\n".join(lines))


def fails(path, *words, error=ValueError, **options):
    with pytest.raises(error) as caught:
        formats.load(path, **options)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and message.endswith(".")
    for word in words:
        assert word in message, message
