"""Small files of every format, written here, and what must not get through."""

import os
import pickle
import struct
import sys
import types

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from slider_jax.face import formats
from slider_jax.face.formats.assemble import mirror_map, outward
from slider_jax.face.formats.flame import flame

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


def write_basel_2017(path, leave_out=()):
    h5py = pytest.importorskip("h5py")
    arrays = {
        "shape/model/mean": MEAN.reshape(-1),
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


# ------------------------------------------------------------------ statistical models


def test_basel_2009_is_in_micrometres_and_its_eigenvalues_are_deviations(tmp_path):
    face = formats.load(write_mat(tmp_path / "01.mat", basel_2009_arrays()))
    close(face.mean, MEAN)
    close(face.neutral(jnp.asarray(IDENTITY)), mesh(np.zeros(3)))
    giant = basel_2009_arrays() | {"shapeMU": 10 * MICROMETRES * MEAN.reshape(18, 1)}
    close(formats.load(write_mat(tmp_path / "giant.mat", giant)).mean, 10 * MEAN)
    assert face.expression.basis.shape == face.speech.basis.shape == (0, 6, 3)
    assert face.units.shape == (0, 6, 3) and face.slider_names == ()


def test_triangles_come_out_counter_clockwise_from_outside(tmp_path):
    face = formats.load(write_mat(tmp_path / "01.mat", basel_2009_arrays()))
    np.testing.assert_array_equal(face.triangles, TRIANGLES)
    np.testing.assert_array_equal(outward(MEAN, TRIANGLES), TRIANGLES)


def test_basel_2009_takes_expressions_from_a_second_file(tmp_path):
    model = write_mat(tmp_path / "01.mat", basel_2009_arrays())
    second = write_mat(tmp_path / "Model_Expression.mat", model_expression())
    face = formats.load(model, expressions=second)
    close(draw(face), mesh())
    assert face.expression.orthonormal
    assert face.expression.names == ("expression_01", "expression_02", "expression_03")


def test_expressions_of_fewer_vertices_trim_the_model(tmp_path):
    model = write_mat(tmp_path / "01.mat", basel_2009_arrays())
    keep = np.array([0, 1, 2, 4, 5])
    rows = EXPRESSION_BASIS.reshape(6, 3, 3)[keep].reshape(15, 3)
    second = write_mat(tmp_path / "Model_Expression.mat", model_expression(rows))
    write_mat(tmp_path / "model_info.mat", {"trimIndex": keep[:, None] + 1})
    face = formats.load(model, expressions=second)
    close(draw(face), mesh()[keep])
    assert not face.expression.orthonormal
    kept = [t for t in TRIANGLES.tolist() if 3 not in t]
    corners = {frozenset(map(tuple, MEAN[t])) for t in kept}
    assert {
        frozenset(map(tuple, face.mean[t].round())) for t in face.triangles
    } == corners


def test_guos_binary_expressions_are_read(tmp_path):
    model = write_mat(tmp_path / "01.mat", basel_2009_arrays())
    rows = np.vstack([np.zeros(18), EXPRESSION_BASIS.T]).astype("<f4")
    second = tmp_path / "Exp_Pca.bin"
    second.write_bytes(struct.pack("<i", 3) + rows.tobytes())
    with pytest.raises(ValueError, match="std_exp.txt"):
        formats.load(model, expressions=second)
    (tmp_path / "std_exp.txt").write_text("6000 3000 1500")
    close(draw(formats.load(model, expressions=second)), mesh())


def test_basel_2017_brings_its_expressions(tmp_path):
    face = formats.load(write_basel_2017(tmp_path / "model2017.h5"))
    close(draw(face), mesh())
    close(face.mean, MEAN)
    np.testing.assert_array_equal(face.mirror, MIRROR)
    assert (
        len(formats.load(tmp_path / "model2017.h5", components=2).expression.scale) == 2
    )


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1e-2, 1, 1000])
def test_lsfm_comes_out_in_millimetres_whatever_its_unit(tmp_path, unit):
    arrays = lsfm_arrays()
    arrays["mean"] = MEAN.reshape(-1) * unit
    arrays["eigenvalues"] = (IDENTITY_STD * unit) ** 2
    face = formats.load(write_mat(tmp_path / "all_all_all.mat", arrays))
    close(face.neutral(jnp.asarray(IDENTITY)), mesh(np.zeros(3)))
    np.testing.assert_array_equal(face.triangles, TRIANGLES)


@pytest.mark.parametrize("write", [write_mat, write_mat_compressed, write_mat_73])
@pytest.mark.parametrize("basis", ["U", "components"])
@pytest.mark.parametrize("variance", ["d", "eigenvalues", "EV"])
@pytest.mark.parametrize("triangles", ["tri", "trilist"])
def test_4dfab_may_be_spelled_in_many_ways(tmp_path, write, basis, variance, triangles):
    arrays = {
        "mean": MEAN if basis == "U" else MEAN.reshape(18, 1),
        basis: IDENTITY_BASIS,
        variance: np.diag(IDENTITY_STD**2) if variance == "d" else IDENTITY_STD**2,
        triangles: TRIANGLES + (triangles == "tri"),
    }
    face = formats.load(write(tmp_path / "4dfab.mat", arrays))
    close(face.neutral(jnp.asarray(IDENTITY)), mesh(np.zeros(3)))
    np.testing.assert_array_equal(face.triangles, TRIANGLES)


@pytest.mark.parametrize("write", [write_mat, write_mat_73])
def test_lsfm_takes_4dfabs_expressions(tmp_path, write):
    model = write(tmp_path / "lsfm.mat", lsfm_arrays())
    arrays = {"U": EXPRESSION_BASIS, "d": (EXPRESSION_STD / 1000) ** 2}
    second = write(tmp_path / "4dfab.mat", arrays)
    close(draw(formats.load(model, expressions=second)), mesh())
    face = formats.load(model, expressions=second, components=2)
    close(draw(face, EXPRESSION[:2]), mesh(EXPRESSION * [1, 1, 0]))


def test_trilist_counts_from_zero_even_where_vertex_zero_has_no_face(tmp_path):
    arrays = lsfm_arrays() | {"trilist": np.array([[2, 1, 4], [1, 3, 4]])}
    face = formats.load(write_mat(tmp_path / "lsfm.mat", arrays))
    np.testing.assert_array_equal(face.triangles, arrays["trilist"])


def test_one_basis_of_identities_and_expressions_is_parted(tmp_path):
    arrays = lsfm_arrays() | {
        "components": np.hstack([IDENTITY_BASIS, EXPRESSION_BASIS]),
        "eigenvalues": np.hstack([IDENTITY_STD, EXPRESSION_STD]) ** 2 / 1e6,
        "n_trunc_ids": 4,
    }
    close(draw(formats.load(write_mat(tmp_path / "both.mat", arrays))), mesh())


def test_compressed_and_plain_arrays_may_share_a_file(tmp_path):
    arrays = lsfm_arrays()
    rest = write_mat(tmp_path / "rest.mat", {"trilist": arrays.pop("trilist")})
    path = write_mat_compressed(tmp_path / "lsfm.mat", arrays)
    path.write_bytes(path.read_bytes() + rest.read_bytes()[128:])
    np.testing.assert_array_equal(formats.load(path).triangles, TRIANGLES)


def test_a_struct_gives_its_fields(tmp_path):
    fields = {
        "mean": MEAN.reshape(18, 1),
        "id_basis": IDENTITY_BASIS * IDENTITY_STD,
        "exp_basis": EXPRESSION_BASIS * EXPRESSION_STD,
        "faces": TRIANGLES + 1,
    }
    cell = np.array([np.ones(2), "x"], object)
    arrays = {"about": "a text", "cell": cell, "fmod": fields | {"by": "us", "c": cell}}
    close(draw(formats.load(write_mat(tmp_path / "f.mat", arrays))), mesh())


def test_whole_numbers_of_matlab_are_doubles(tmp_path):
    """It stores 1 and 25 as bytes, of which NumPy would take half-precision roots."""
    arrays = lsfm_arrays() | {"eigenvalues": np.array([3.0, 2, 2, 2])}
    path = write_mat(tmp_path / "lsfm.mat", arrays | {"mean": MEAN.reshape(-1)})
    raw = path.read_bytes()
    wide = struct.pack("<II", 9, 32) + arrays["eigenvalues"].tobytes()
    narrow = struct.pack("<II", 2, 4) + bytes([3, 2, 2, 2]) + bytes(4)
    assert raw.count(wide) == 1
    end = raw.index(wide)
    start = raw.rindex(struct.pack("<I", 14), 0, end)  # its size, four bytes later
    size = struct.unpack_from("<I", raw, start + 4)[0] - len(wide) + len(narrow)
    raw = raw[: start + 4] + struct.pack("<I", size) + raw[start + 8 :]
    path.write_bytes(raw.replace(wide, narrow))
    face = formats.load(path)
    norm = np.linalg.norm(face.identities.reshape(4, -1), axis=1)
    np.testing.assert_allclose(norm, np.sqrt([3, 2, 2, 2]), rtol=1e-5)


# ------------------------------------------------------------------------------- FLAME


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


# ----------------------------------------------------------------------- OBJ files


def test_ict_facekit_gives_people_and_named_units(tmp_path):
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    smile, person = np.zeros((6, 3)), np.zeros((6, 3))
    smile[0], person[2] = [1, 2, 3], [0, 5, 0]
    write_obj(folder / "generic_neutral_mesh.obj", MEAN / 10)
    write_obj(folder / "identity000.obj", (MEAN + person) / 10)
    write_obj(folder / "mouthSmile_L.obj", (MEAN + smile) / 10, faces=False)
    write_obj(folder / "jawOpen.obj", (MEAN - smile) / 10)
    for path in (tmp_path, folder):
        face = formats.load(path)
        assert face.slider_names == ("jawOpen", "mouthSmileLeft")
        assert face.expression.names == face.slider_names
        assert not face.expression.orthonormal
        one, half = jnp.ones(1), jnp.array([0.0, 0.5])
        close(face.vertices(one, half), MEAN + person + smile / 2)
        close(face.with_sliders(one, half), MEAN + person + smile / 2)
        assert len(face.triangles) == 4  # a quad is two


def test_a_folder_of_morph_targets_is_named_by_its_files(tmp_path):
    folder = tmp_path / "targets"
    folder.mkdir()
    up = np.zeros((6, 3))
    up[3] = [0, 7, 0]
    write_obj(folder / "A_smile.obj", (MEAN + up) / 100)
    write_obj(folder / "Bob_Neutral.OBJ", MEAN / 100)
    write_obj(folder / "empty_L.obj", MEAN / 100)
    face = formats.load(folder)
    assert face.slider_names == ("A_smile", "empty_L")
    close(face.vertices(jnp.zeros(0), jnp.array([1.0, 1.0])), MEAN + up)
    close(face.expression.project(jnp.asarray(up, jnp.float32)), [1, 0])
    np.testing.assert_array_equal(face.mirror, MIRROR)


def test_the_neutral_is_told_by_its_name(tmp_path):
    write_obj(tmp_path / "c.obj", MEAN * 1.2)
    write_obj(tmp_path / "d.obj", MEAN * 1.3)
    assert formats.load(tmp_path).slider_names == ("d",)
    (tmp_path / "d.obj").unlink()
    write_obj(tmp_path / "b_neutral_too.obj", MEAN * 1.1)
    assert formats.load(tmp_path).slider_names == ("c",)
    write_obj(tmp_path / "neutral.obj", MEAN)
    face = formats.load(tmp_path)
    close(face.mean, MEAN)
    assert face.slider_names == ("b_neutral_too", "c")


def test_colours_behind_the_vertices_of_an_obj_file_are_left_out(tmp_path):
    write_obj(tmp_path / "neutral.obj", MEAN)
    write_obj(tmp_path / "smile.obj", np.hstack([MEAN, MEAN])[:, :6])
    close(formats.load(tmp_path).units[0], np.zeros((6, 3)))


def test_a_mesh_off_the_middle_still_has_a_mirror():
    np.testing.assert_array_equal(mirror_map(MEAN + np.float32(9), TRIANGLES), MIRROR)


def test_an_asymmetric_mesh_is_its_own_mirror():
    crooked = MEAN.copy()
    crooked[0] += [0, 15, 0]
    np.testing.assert_array_equal(mirror_map(crooked, TRIANGLES), np.arange(6))


def test_lips_that_touch_are_not_each_others_mirror():
    """Two vertices in one place that face apart, on each side."""
    lips = np.array([[20, 0.1, 90], [20, -0.1, 90], [-20, -0.1, 90], [-20, 0.1, 90]])
    mean = np.vstack([MEAN, lips]).astype(np.float32)
    mean[8:] += [0, 0.15, 0]  # so that the nearest one is the wrong one
    mean[9] += [0, 0.15, 0]
    triangles = [[0, 6, 2], [0, 3, 7], [1, 8, 3], [1, 2, 9]]
    triangles = np.vstack([TRIANGLES, triangles])
    np.testing.assert_array_equal(mirror_map(mean, triangles), [*MIRROR, 9, 8, 7, 6])


# ------------------------------------------------------------------------ what fails


def fails(path, *words, error=ValueError, **options):
    with pytest.raises(error) as caught:
        formats.load(path, **options)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and message.endswith(".")
    for word in words:
        assert word in message, message


def test_a_missing_file_is_named(tmp_path):
    fails(tmp_path / "no.mat", "There is no", error=FileNotFoundError)
    model = write_mat(tmp_path / "01.mat", basel_2009_arrays())
    with pytest.raises(FileNotFoundError, match="no_expressions.mat; give an expr"):
        formats.load(model, expressions=tmp_path / "no_expressions.mat")


def test_a_foreign_file_is_told_what_would_do(tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(b"\xff\xd8 hello")
    fails(path, "no face model", "FLAME", "Basel 2009", "ICT-FaceKit")
    write_obj(tmp_path / "face.obj", MEAN)
    fails(tmp_path / "face.obj", "folder of OBJ")


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.95])
def test_truncated_files_get_one_sentence(tmp_path, keep):
    pickled = tmp_path / "flame.pkl"
    pickled.write_bytes(pickle.dumps(flame_arrays()))
    np.savez(tmp_path / "flame.npz", **flame_arrays())
    files = {
        write_mat(tmp_path / "01.mat", basel_2009_arrays()): "",
        write_mat_73(tmp_path / "73.mat", lsfm_arrays()): "",
        write_basel_2017(tmp_path / "2017.h5"): "Basel 2017",
        pickled: "FLAME",
        tmp_path / "flame.npz": "FLAME",
    }
    for path, word in files.items():
        raw = path.read_bytes()
        path.write_bytes(raw[: int(keep * len(raw))])
        fails(path, "is not a", word if keep > 0.1 else "")
    fails(
        tmp_path / "01.mat", "whole MATLAB file: " + "it ends too soon" * (keep > 0.1)
    )


def test_a_type_that_matlab_does_not_have_is_damage(tmp_path):
    path = write_mat(tmp_path / "01.mat", basel_2009_arrays())
    mean = struct.pack("<II", 7, 72)  # single precision, 18 of them
    raw = path.read_bytes()
    assert raw.count(mean) == 1
    path.write_bytes(raw.replace(mean, struct.pack("<II", 99, 72)))
    fails(path, "it is damaged")


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_do_no_worse_than_a_sentence(tmp_path):
    """Some bytes changed at random; a type code that lies crashed SciPy's reader."""
    pickled = tmp_path / "flame.pkl"
    pickled.write_bytes(
        pickle.dumps(flame_arrays() | {"shapedirs": np.ones((6, 3, 9))})
    )
    refused = 0
    for path in (pickled, write_mat(tmp_path / "01.mat", basel_2009_arrays())):
        raw = path.read_bytes()
        for _ in range(150):
            damaged = bytearray(raw)
            for at in RNG.integers(len(raw), size=3):
                damaged[at] = RNG.integers(256)
            path.write_bytes(damaged)
            try:
                formats.load(path)
            except ValueError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                refused += 1
    assert 100 < refused < 300


def test_noise_with_a_known_ending_gets_one_sentence(tmp_path):
    for ending, word in {"mat": "version 5 or 7.3", "pkl": "FLAME"}.items():
        path = tmp_path / f"noise.{ending}"
        path.write_bytes(RNG.bytes(2000))
        fails(path, word)
        path.write_bytes(b"")
        fails(path, word)


def test_what_is_missing_inside_is_said(tmp_path):
    for name in ("shapePC", "shapeEV", "tl"):
        arrays = basel_2009_arrays()
        del arrays[name]
        fails(write_mat(tmp_path / "01.mat", arrays), "Basel 2009", "has no")
    fails(
        write_mat(tmp_path / "x.mat", {"pictures": np.zeros(3)}), "LSFM", "has no mean"
    )
    arrays = flame_arrays()
    del arrays["shapedirs"]
    np.savez(tmp_path / "flame.npz", **arrays)
    fails(tmp_path / "flame.npz", "has no shapedirs")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    fails(tmp_path / "list.pkl", "something else")
    leave_out = ("shape/model/pcaVariance",)
    fails(write_basel_2017(tmp_path / "2017.h5", leave_out), "has no pcavariance")


def test_numbers_that_do_not_fit_together_are_refused(tmp_path):
    wrong = {
        "shapePC": IDENTITY_BASIS[:15],
        "shapeEV": IDENTITY_STD[:1],
        "shapeMU": MEAN.reshape(-1)[:-1],
        "tl": TRIANGLES + 2,
    }
    for name, value in wrong.items():
        arrays = basel_2009_arrays() | {name: value}
        fails(write_mat(tmp_path / "01.mat", arrays), "Basel 2009")
    arrays = basel_2009_arrays() | {"shapeEV": IDENTITY_STD[:1]}
    fails(write_mat(tmp_path / "01.mat", arrays), "1 eigenvalues for 4 modes")
    arrays = basel_2009_arrays() | {"shapeMU": np.full(18, np.nan)}
    fails(write_mat(tmp_path / "01.mat", arrays), "not all finite")
    arrays = lsfm_arrays() | {"mean": np.zeros(18)}
    fails(write_mat(tmp_path / "lsfm.mat", arrays), "in one place")
    np.savez(tmp_path / "f.npz", **flame_arrays() | {"v_template": MEAN[:4]})
    fails(tmp_path / "f.npz", "do not fit v_template")


def test_expressions_of_another_mesh_are_refused(tmp_path):
    model = write_mat(tmp_path / "01.mat", basel_2009_arrays())
    second = write_mat(tmp_path / "e.mat", model_expression(EXPRESSION_BASIS[:15]))
    with pytest.raises(ValueError, match=r"e.mat is not .* a mesh of 6 vertices\.$"):
        formats.load(model, expressions=second)
    trim = {"trimIndex": np.array([1, 2, 3, 4, 99])}
    write_mat(second, model_expression(EXPRESSION_BASIS[:15]) | trim)
    with pytest.raises(ValueError, match=r"e.mat is not made for .*01.mat"):
        formats.load(model, expressions=second)


def test_a_model_with_expressions_takes_no_second_file(tmp_path):
    np.savez(tmp_path / "flame.npz", **flame_arrays())
    fails(tmp_path / "flame.npz", "leave out", expressions=tmp_path / "e.mat")


def test_folders_without_morph_targets_are_refused(tmp_path):
    fails(tmp_path, "holds 0 .obj files", error=FileNotFoundError)
    write_obj(tmp_path / "neutral.obj", MEAN)
    fails(tmp_path, "holds 1 .obj files", error=FileNotFoundError)


def test_a_morph_target_of_another_mesh_is_named(tmp_path):
    write_obj(tmp_path / "neutral.obj", MEAN)
    write_obj(tmp_path / "smile.obj", MEAN[:5])
    fails(tmp_path, "smile.obj has 5 vertices where the neutral mesh has 6")


@pytest.mark.parametrize(
    "text, reason",
    {
        "v 1 2 3": "has no faces",
        "f 1 2 3": "has no vertices",
        "v 1 2\nf 1 1 1": "",
        "v a b c\nf 1 1 1": "could not convert",
        "f x y z": "invalid literal",
    }.items(),
)
def test_a_broken_obj_file_is_named(tmp_path, text, reason):
    write_obj(tmp_path / "smile.obj", MEAN)
    (tmp_path / "neutral.obj").write_text(text)
    fails(tmp_path, "neutral.obj is not a Wavefront OBJ mesh", reason)


def test_faces_beyond_the_vertices_are_refused(tmp_path):
    write_obj(tmp_path / "neutral.obj", MEAN)
    write_obj(tmp_path / "smile.obj", MEAN)
    with (tmp_path / "neutral.obj").open("a") as file:
        file.write("\nf 1 2 9")
    fails(tmp_path, "triangles do not fit its 6 vertices")


def test_without_h5py_the_way_out_is_said(tmp_path, monkeypatch):
    path = write_basel_2017(tmp_path / "2017.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    fails(path, "h5py", "slider_jax[prepare]")


def test_each_reader_says_what_it_expects(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(ValueError, match="x is not a FLAME model"):
        flame(tmp_path / "x")
