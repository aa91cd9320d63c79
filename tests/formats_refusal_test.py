"""Wrong, missing and damaged face models get one sentence."""

import pickle
import struct
import sys

import numpy as np
import pytest
from small_models import (
    EXPRESSION_BASIS,
    IDENTITY_BASIS,
    IDENTITY_STD,
    MEAN,
    RNG,
    TRIANGLES,
    basel_2009_arrays,
    fails,
    flame_arrays,
    lsfm_arrays,
    model_expression,
    write_basel_2017,
    write_mat,
    write_mat_73,
    write_obj,
)

from slider_jax.face import formats
from slider_jax.face.formats.flame import flame


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
