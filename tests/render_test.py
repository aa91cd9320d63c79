"""Pictures: lit by their light, in front of their background, and differentiable."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import landmarks
from slider_jax.face.atlas import PARTS
from slider_jax.face.camera import Camera, align
from slider_jax.face.head import load_head
from slider_jax.face.lighting import Light
from slider_jax.face.people import sample_look
from slider_jax.face.render import SHELLS, default_puppet, render
from slider_jax.face.sliders import INDEX

SIZE = 32
BACKGROUND = (0.2, 0.5, 0.3)


@functools.cache
def scene():
    """The mean face, bald, in grey paint: all that is not light is symmetric."""
    head = load_head()
    traits = np.array([0.0, 0.2, 0.1, 0.1, 0.8])
    look = sample_look(traits, np.random.default_rng(0))
    look = look.replace(bald=np.float32(1), long=np.float32(0))
    camera = Camera(
        *(jnp.zeros(3), jnp.float32(1 / 800), jnp.float32(0.005)),
        jnp.array([0.5, 0.4]),
    )
    eyes = jnp.array(head.face.mean[head.landmarks[landmarks.RIGID]])
    reference = landmarks.reference(head.face.mean[head.landmarks])[landmarks.RIGID]
    camera = align(camera, eyes, jnp.array(reference))
    atlas = jnp.full((96, 64, 4), 0.6).at[..., 3].set(1.0)
    return jax.device_put((default_puppet(), look, atlas, camera))


def mesh(**sliders):
    moved = np.array(load_head().face.mean)
    for name, value in sliders.items():
        moved += value * load_head().face.units[INDEX[name]]
    return jnp.array(moved)


def light(sky=0.5, key=0.5, direction=(0.0, 0.6, 0.8)):
    ambient = jnp.zeros((9, 3)).at[0].set(sky)
    return Light(ambient, jnp.array(direction), jnp.full(3, key))


_render = jax.jit(render, static_argnames=("samples",))


def picture(shape=None, *, lit=None, size=SIZE, samples=1, yaw=0.0, paint=1.0, **look):
    puppet, plain, atlas, camera = scene()
    look = plain.replace(**{name: jnp.float32(value) for name, value in look.items()})
    background = jnp.broadcast_to(jnp.array(BACKGROUND), (size, size, 3))
    shape = mesh() if shape is None else shape
    return _render(
        *(puppet, look, atlas.at[..., :3].multiply(paint), mesh(), shape),
        *(camera.replace(rotation=jnp.array([yaw, 0.0, 0.0])), lit or light()),
        background,
        samples=samples,
    )


def linear(image):
    return np.square((np.asarray(image) + 1) / 2)


def test_a_head_covers_its_pixels_and_the_background_the_rest():
    drawn = picture()
    coverage, face = np.asarray(drawn.coverage), np.asarray(drawn.face)
    assert set(np.unique(coverage)) == {0.0, 1.0}
    assert face.min() >= 0 and (face <= coverage + 1e-6).all()
    assert 0.2 < face.mean() < coverage.mean() < 0.9
    empty = linear(drawn.image)[coverage == 0]
    np.testing.assert_allclose(empty, np.tile(BACKGROUND, (len(empty), 1)), atol=1e-5)
    assert np.abs(drawn.image).max() <= 1
    assert drawn.missing == 0


def test_without_light_it_is_dark():
    drawn = picture(lit=light(0.0, 0.0))
    assert linear(drawn.image)[np.asarray(drawn.coverage) > 0].max() < 0.02


def test_twice_the_light_is_twice_the_colour():
    one, two = (
        picture(lit=light(0.2 * factor, 0.2 * factor)).image for factor in (1, 2)
    )
    inside = np.asarray(picture().coverage) > 0
    np.testing.assert_allclose(
        linear(two)[inside], 2 * linear(one)[inside], rtol=0.01, atol=1e-3
    )


def test_paint_is_srgb_and_light_is_linear():
    """Half as bright on the screen is a quarter of the light, for which √ stands in."""
    under_the_sky = light(0.6, 0.0)
    full, half = (picture(lit=under_the_sky, paint=paint).image for paint in (1.0, 0.5))
    inside = np.asarray(picture().coverage) > 0
    np.testing.assert_allclose(
        linear(half)[inside], linear(full)[inside] / 4, rtol=0.01, atol=1e-3
    )


def test_a_turned_camera_lights_a_head_as_if_the_head_had_turned():
    """Light stays with the room: the sky is brighter on one side."""
    side = light(0.5, 0.0)
    side = side.replace(ambient=side.ambient.at[3].set(-0.25))
    turn = np.array(
        [[np.cos(0.6), 0, np.sin(0.6)], [0, 1, 0], [-np.sin(0.6), 0, np.cos(0.6)]]
    )
    turned = jnp.array(np.asarray(mesh()) @ turn.T, jnp.float32)
    by_camera, by_mesh = picture(lit=side, yaw=0.6), picture(turned, lit=side)
    difference = np.abs(by_camera.image - by_mesh.image).max(-1)
    assert np.quantile(difference, 0.97) < 0.02
    assert np.abs(by_camera.image - picture(lit=side).image).mean() > 0.03


def test_a_light_from_the_left_lights_the_left():
    """The face's left, which a viewer sees on the right."""
    drawn = picture(lit=light(0.1, 0.8, (0.8, 0.0, 0.6)))
    inside = np.asarray(drawn.face) > 0
    colour = linear(drawn.image).mean(-1) * inside
    half = SIZE // 2
    assert colour[:, half:].sum() > 1.3 * colour[:, :half].sum()


def test_the_mirror_image_of_a_left_smile_is_a_right_smile():
    left, right, rest = (
        np.asarray(picture(mesh(**{name: 1.0}) if name else None).image)
        for name in ("mouthSmileLeft", "mouthSmileRight", None)
    )
    difference = np.abs(left[:, ::-1] - right).max(-1)
    assert (difference > 0.1).mean() < 0.02  # pixels on edges
    assert np.median(difference) < 0.01
    assert (np.abs(left - rest).max(-1) > 0.1).sum() > 5


def test_the_light_in_a_mouth_fades_from_the_incisors_to_the_molars():
    head = load_head()
    teeth = np.unique(head.face.triangles[head.part == PARTS.index("teeth")])
    sky = default_puppet().visibility[teeth, 0]
    depth = np.asarray(head.face.mean)[teeth, 2]
    assert sky[depth > 103].min() > 0.65 and sky[depth < 70].max() < 0.1


def test_folds_of_skin_are_a_little_darker():
    """A brow that rises presses the forehead together."""
    lit = light(0.6, 0.0)
    raised = dict(browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0)
    rest, up = (
        linear(picture(shape, lit=lit, size=64).image)[8:20, 24:40]
        for shape in (mesh(), mesh(**raised))
    )
    assert 0.8 < (up / rest).min() < 0.97


def test_hair_covers_more_than_a_bald_head_and_long_hair_more_than_short():
    hair = dict(bald=0.0, hair_top=15.0, hair_side=10.0, hairline=0.0)
    bald, short = picture().coverage, picture(**hair).coverage
    long = picture(**hair, long=1.0).coverage
    assert bald.sum() < short.sum() - 10 < long.sum() - 20
    assert (picture(**hair).face <= picture().face + 1e-6).all()
    shaven = picture(**hair | dict(bald=1.0))
    np.testing.assert_array_equal(shaven.coverage, picture().coverage)


def test_a_list_that_is_too_short_for_a_picture_is_reported():
    """From behind there is more hair than any aligned face shows."""
    hair = dict(bald=0.0, hair_top=15.0, hair_side=10.0, hairline=0.0, long=1.0)
    assert picture(**hair).missing == 0
    assert picture(**hair, yaw=3.1).missing > 0


def test_two_by_two_samples_are_the_mean_of_a_picture_twice_as_large():
    small, large = picture(size=SIZE // 2, samples=2), picture()
    pool = lambda x: x.reshape(SIZE // 2, 2, SIZE // 2, 2, -1).mean((1, 3))
    np.testing.assert_allclose(
        linear(small.image), pool(linear(large.image)), atol=1e-4
    )
    coverage = pool(np.asarray(large.coverage))[..., 0]
    np.testing.assert_allclose(small.coverage, coverage, atol=1e-6)
    assert set(np.unique(small.coverage)) > {0.0, 0.25, 1.0}


def test_gradients_flow_to_light_atlas_shape_and_camera():
    """As fitting will ask: finite everywhere, and not all zero anywhere."""
    puppet, look, atlas, camera = scene()
    background = jnp.zeros((16, 16, 3))

    def total(lit, atlas, shape, camera):
        drawn = render(
            *(puppet, look, atlas, mesh(), shape, camera, lit, background), samples=1
        )
        return (drawn.image * jnp.linspace(0, 1, 16)[:, None, None]).sum()

    gradients = jax.jit(jax.grad(total, (0, 1, 2, 3)))(
        light(), atlas, mesh(jawOpen=0.3), camera
    )
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


def test_a_puppet_wears_its_hair_in_shells_over_the_scalp():
    puppet = default_puppet()
    head = load_head()
    new = len(puppet.triangles) - len(head.face.triangles)
    assert new > 0 and new % SHELLS == 0
    assert puppet.triangles.max() < len(head.face.mean) + SHELLS * len(puppet.scalp)
    assert (puppet.part[-new:] == 7).all() and not puppet.face[-new:].any()
    for values in (puppet.corner_uv, puppet.part, puppet.one_sided, puppet.face):
        assert len(values) == len(puppet.triangles)


@pytest.mark.parametrize("name", ["corner_uv", "face"])
def test_what_corners_carry_lies_between_zero_and_one(name):
    values = getattr(default_puppet(), name)
    assert values.min() >= 0 and values.max() <= 1
