"""Statistical models in MATLAB and HDF5 files written here."""

import struct

import jax.numpy as jnp
import numpy as np
import pytest
from small_models import (
    EXPRESSION,
    EXPRESSION_BASIS,
    EXPRESSION_STD,
    IDENTITY,
    IDENTITY_BASIS,
    IDENTITY_STD,
    MEAN,
    MICROMETRES,
    MIRROR,
    TRIANGLES,
    basel_2009_arrays,
    close,
    draw,
    lsfm_arrays,
    mesh,
    model_expression,
    write_basel_2017,
    write_mat,
    write_mat_73,
    write_mat_compressed,
)

from slider_jax.face import formats
from slider_jax.face.formats.assemble import outward


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
    giant = write_basel_2017(tmp_path / "giant.h5", size=10)
    close(formats.load(giant).mean, 10 * MEAN)
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
