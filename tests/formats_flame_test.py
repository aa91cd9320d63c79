"""FLAME, and pickles that mean harm."""

import os
import pickle
import struct
import sys
import types

import numpy as np
import pytest
import scipy.sparse
from small_models import MEAN, close, draw_flame, flame_arrays, mesh

from slider_jax.face import formats


@pytest.fixture
def chumpy(monkeypatch):
    """A module `chumpy.ch`, to write pickles with; reading must do without."""
    module = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x, self.dterms, self._dirty_vars = x, ["x"], {"x"}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return Ch


class Python2Pickler(pickle._Pickler):
    """Text and bytes are the same to it, as they were to Python 2."""

    def save_string(self, text):
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)

    dispatch = pickle._Pickler.dispatch | {bytes: save_string, str: save_string}


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_flame_is_read_from_a_pickle_with_chumpy_and_sparse_matrices(
    tmp_path, chumpy, monkeypatch, protocol
):
    arrays = flame_arrays()
    arrays["shapedirs"] = chumpy(np.asfortranarray(arrays["shapedirs"]))
    arrays |= {"J_regressor": scipy.sparse.csc_matrix(np.eye(3)), "bs_type": "lrotmin"}
    arrays |= {"names": np.array(["jaw", "neck"]), "scale": np.float64(1)}
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=protocol))
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    face = formats.load(path, components=100)
    close(draw_flame(face), mesh())
    assert face.identities.shape == (300, 6, 3)
    assert face.expression.basis.shape == (100, 6, 3)
    assert "chumpy.ch" not in sys.modules


def test_a_pickle_of_python_2_is_read(tmp_path):
    path = tmp_path / "generic_model.pkl"
    with path.open("wb") as file:
        Python2Pickler(file, protocol=2).dump(flame_arrays())
    close(draw_flame(formats.load(path)), mesh())


def test_big_endian_numbers_are_read(tmp_path):
    arrays = flame_arrays()
    arrays["v_template"] = arrays["v_template"].astype(">f4")
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    close(formats.load(path).mean, MEAN)


def test_flame_is_read_from_an_npz(tmp_path):
    np.savez(tmp_path / "flame.npz", **flame_arrays())
    face = formats.load(tmp_path / "flame.npz", components=5)
    close(draw_flame(face), mesh())
    assert len(face.expression.scale) == 5
    np.savez(tmp_path / "giant.npz", **flame_arrays() | {"v_template": MEAN / 100})
    close(formats.load(tmp_path / "giant.npz").mean, 10 * MEAN)


class Runs:
    """Calls a function of its choice when unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", ["system", "eval", "exec", "getattr", "load"])
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path, protocol, name):
    marker, path = tmp_path / "marker", tmp_path / "flame.pkl"
    code = f"__import__('os').mkdir({str(marker)!r})"
    payload = {
        "system": Runs(os.system, f"touch {marker}"),
        "eval": Runs(eval, code),
        "exec": Runs(exec, code),
        "getattr": Runs(getattr, np.zeros(1), "tofile"),
        "load": Runs(np.load, str(marker)),
    }[name]
    path.write_bytes(pickle.dumps({"v_template": payload}, protocol=protocol))
    with pytest.raises(ValueError, match=rf"flame.pkl .*{name}, so it was not loaded"):
        formats.load(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes()) if name in ("system", "eval", "exec") else None
    assert marker.exists() == (name in ("system", "eval", "exec"))


def test_a_hostile_array_inside_an_npz_is_refused(tmp_path):
    marker = tmp_path / "marker"
    hostile = np.array([Runs(os.system, f"touch {marker}")], object)
    np.savez(tmp_path / "flame.npz", **flame_arrays() | {"v_template": hostile})
    with pytest.raises(ValueError, match="flame.npz is not a FLAME model"):
        formats.load(tmp_path / "flame.npz")
    assert not marker.exists()


def test_an_array_that_lies_about_its_type_is_refused(tmp_path):
    """Object arrays from raw bytes would be pointers of the file's choice."""
    arrays = flame_arrays() | {
        "v_template": np.array([[object(), 1, 2]], object)[:, 1:]
    }
    path = tmp_path / "flame.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    with pytest.raises(ValueError, match="v_template is not an array of numbers"):
        formats.load(path)
