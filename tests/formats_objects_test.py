"""Folders of OBJ files written here, and their mirrors."""

import jax.numpy as jnp
import numpy as np
from small_models import MEAN, MIRROR, TRIANGLES, close, write_obj

from slider_jax.face import formats
from slider_jax.face.formats.assemble import mirror_map


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
