import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import components
from slider_jax.face.model import FaceModel

NAMES = ("browUp", "jawOpen", "mouthSmileLeft", "mouthSmileRight")
LEFT, RIGHT = NAMES.index("mouthSmileLeft"), NAMES.index("mouthSmileRight")
FLIP = np.array([0, 1, RIGHT, LEFT])


@pytest.fixture(scope="module", params=["pca", "sparse"])
def face(request):
    """Nine vertices in rows of three: brows, lips, chin. All of it is symmetric."""
    x, y = np.meshgrid([30.0, 0.0, -30.0], [40.0, 0.0, -40.0])
    mean = np.stack([x, y, 60 - np.abs(x)], axis=-1).reshape(9, 3)
    squares = np.array([0, 1, 3, 4])[:, None] + [0, 3, 1, 1, 3, 4]
    triangles = squares.reshape(-1, 3)
    mirror = np.array([2, 1, 0, 5, 4, 3, 8, 7, 6])
    units = np.zeros((4, 9, 3))
    units[0, :3, 1] = 5.0, 6.0, 5.0
    units[1, 3:, 1] = -3.0, -4.0, -3.0, -15.0, -20.0, -15.0
    units[LEFT, 3] = units[RIGHT, 5] = 4.0, 7.0, -2.0
    units[RIGHT, 5, 0] = -4.0
    corpus = np.random.default_rng(0).uniform(0, 1, (60, 4))
    corpus = np.concatenate([corpus, corpus[:, FLIP]])
    if request.param == "pca":
        shapes = components.pca(corpus, units, 4, np.ones(9))
    else:
        shapes = components.sparse(
            *(corpus, units, 4, np.ones(9), mean, triangles, mirror),
            **dict(rounds=100, sparsity=1e-4),
        ).shapes
    shapes = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), shapes)
    wide = mean * [0.1, 0.0, 0.0]
    return FaceModel(
        mean=jnp.asarray(mean, jnp.float32),
        identities=jnp.asarray(wide[None], jnp.float32),
        expression=shapes,
        speech=shapes,
        units=jnp.asarray(units, jnp.float32),
        triangles=jnp.asarray(triangles),
        mirror=jnp.asarray(mirror),
        slider_names=NAMES,
    )


def sliders(**weights):
    return jnp.array([weights.get(name, 0.0) for name in NAMES])


def test_no_parameters_draw_the_mean(face):
    mesh = face.vertices(jnp.zeros(1), jnp.zeros(4), jnp.zeros(4))
    np.testing.assert_array_equal(mesh, face.mean)


def test_identity_expression_and_speech_add(face):
    one, two = jnp.array([0.5, -0.2, 0.0, 1.0]), jnp.array([0.1, 0.0, -0.5, 0.3])
    mesh = face.vertices(jnp.ones(1), one, two) - face.neutral(jnp.ones(1))
    alone = face.expression.offsets(one) + face.speech.offsets(two)
    np.testing.assert_allclose(mesh, alone, atol=1e-4)


def test_a_slider_moves_its_own_vertex(face):
    smile = face.with_sliders(jnp.zeros(1), sliders(mouthSmileLeft=0.5)) - face.mean
    assert face.mean[3, 0] > 0  # x is to the face's left
    np.testing.assert_allclose(smile[3], [2.0, 3.5, -1.0], atol=1e-5)
    assert not np.delete(smile, 3, axis=0).any()


def test_sliders_and_their_components_draw_the_same_mesh(face):
    values = sliders(browUp=0.3, jawOpen=1.0, mouthSmileLeft=0.6)
    components = face.to_expression(values)
    np.testing.assert_allclose(
        face.vertices(jnp.ones(1), components),
        face.with_sliders(jnp.ones(1), values),
        atol=1e-2,
    )


def test_sliders_come_back_from_components(face):
    values = sliders(browUp=0.3, jawOpen=1.0, mouthSmileLeft=0.6)
    back = face.to_sliders(face.to_expression(values))
    np.testing.assert_allclose(back, values, atol=1e-3)


def test_sliders_of_expression_and_speech_add(face):
    one, two = sliders(browUp=0.5), sliders(jawOpen=0.4)
    back = face.to_sliders(face.to_expression(one), face.to_expression(two))
    np.testing.assert_allclose(back, one + two, atol=1e-3)


def test_reflecting_twice_changes_nothing(face):
    mesh = face.with_sliders(jnp.ones(1), sliders(mouthSmileLeft=0.7))
    np.testing.assert_array_equal(face.reflect(face.reflect(mesh)), mesh)
    assert jnp.abs(face.reflect(mesh) - mesh).max() > 1.0
    np.testing.assert_array_equal(face.reflect(face.mean), face.mean)


def test_the_mirror_image_of_a_left_smile_is_a_right_smile(face):
    left = face.with_sliders(jnp.ones(1), sliders(mouthSmileLeft=0.7))
    right = face.with_sliders(jnp.ones(1), sliders(mouthSmileRight=0.7))
    np.testing.assert_allclose(face.reflect(left), right, atol=1e-5)


def test_the_mirror_matrix_flips_parameters(face):
    matrix = face.mirror_matrix(face.expression)
    np.testing.assert_allclose(matrix @ matrix, np.eye(4), atol=1e-3)
    left, right = (
        face.to_expression(sliders(**{name: 1.0, "jawOpen": 0.3}))
        for name in ("mouthSmileLeft", "mouthSmileRight")
    )
    np.testing.assert_allclose(matrix @ left, right, atol=1e-3)


def test_vmap_is_a_loop(face):
    rng = np.random.default_rng(0)
    identity = jnp.asarray(rng.normal(size=(3, 1)), jnp.float32)
    expression = jnp.asarray(rng.uniform(-1, 1, (3, 4)), jnp.float32)
    many = jax.vmap(face.vertices)(identity, expression)
    one_by_one = [
        face.vertices(*pair) for pair in zip(identity, expression, strict=True)
    ]
    np.testing.assert_allclose(many, one_by_one, atol=1e-4)
