import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slider_jax.face import blendshapes, components

COUNT = 4


def random_motion(seed=0, samples=50, units=8, vertices=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, units)), rng.normal(size=(units, vertices, 3))


@pytest.fixture
def weight():
    return np.random.default_rng(1).uniform(0.5, 2.0, 12)


def test_pca_is_the_svd_of_the_displacements():
    coefficients, units = random_motion()
    shapes = components.pca(coefficients, units, COUNT, np.ones(12))
    meshes = np.tensordot(coefficients, units, 1).reshape(50, -1)
    _, sizes, rows = np.linalg.svd(meshes, full_matrices=False)
    np.testing.assert_allclose(shapes.scale**2, sizes[:COUNT] ** 2 / 49)
    flat = shapes.basis.reshape(COUNT, -1)
    np.testing.assert_allclose(np.abs(flat), np.abs(rows[:COUNT]), atol=1e-9)
    assert np.all(flat.max(axis=1) == np.abs(flat).max(axis=1))


def test_pca_of_meshes_is_pca_with_the_identity_as_coefficients(weight):
    coefficients, units = random_motion()
    meshes = np.tensordot(coefficients, units, 1)
    one = components.pca(coefficients, units, COUNT, weight)
    other = components.pca(np.eye(50), meshes, COUNT, weight)
    np.testing.assert_allclose(one.scale, other.scale)
    np.testing.assert_allclose(one.basis, other.basis, atol=1e-9)


def test_pca_is_orthonormal_under_its_metric(weight):
    shapes = components.pca(*random_motion(), COUNT, weight)
    dots = np.einsum("kvc,v,lvc->kl", shapes.basis, weight, shapes.basis)
    np.testing.assert_allclose(dots, np.eye(COUNT), atol=1e-9)


def test_pca_parameters_have_unit_variance(weight):
    coefficients, units = random_motion()
    shapes = components.pca(coefficients, units, COUNT, weight)
    meshes = jnp.asarray(np.tensordot(coefficients, units, 1), jnp.float32)
    parameters = jax.vmap(shapes.project)(meshes)
    np.testing.assert_allclose(np.sum(parameters**2, axis=0) / 49, 1, rtol=1e-4)


def test_motion_of_lower_rank_is_refused(weight):
    coefficients, units = random_motion(units=3)
    with pytest.raises(ValueError, match="only 3"):
        components.pca(coefficients, units, COUNT, weight)


@pytest.mark.parametrize("orthonormal", [True, False])
def test_what_was_moved_is_measured(orthonormal, weight):
    shapes = components.pca(*random_motion(), COUNT, weight)
    if not orthonormal:
        mix = np.eye(COUNT) + 0.3
        basis = np.tensordot(mix, shapes.basis, 1)
        shapes = shapes.replace(basis=basis, orthonormal=False)
    shapes = jax.tree.map(jnp.asarray, shapes)
    parameters = jnp.array([0.5, -1.0, 0.0, 0.25])
    back = shapes.project(shapes.offsets(parameters))
    np.testing.assert_allclose(back, parameters, atol=1e-4)


def test_zero_is_neutral_and_half_moves_half_as_far(weight):
    shapes = components.pca(*random_motion(), COUNT, weight)
    assert not shapes.offsets(jnp.zeros(COUNT)).any()
    whole = shapes.offsets(jnp.ones(COUNT))
    np.testing.assert_allclose(
        shapes.offsets(jnp.full(COUNT, 0.5)), whole / 2, rtol=1e-5
    )


def test_clipping_is_counted():
    clipped, fraction = blendshapes.clip(np.array([0.5, -2.0, 1.0, 3.0]))
    np.testing.assert_array_equal(clipped, [0.5, -1.0, 1.0, 1.0])
    assert fraction == 0.5


@pytest.fixture(scope="module")
def strip():
    """A strip of cloth, 400 mm long, where two bumps rise far from the middle.

    Symmetric about x = 0. Bumps mostly come together, so PCA would mix them.
    """
    x, y = np.meshgrid(np.linspace(-200, 200, 21), [0.0, 20.0], indexing="ij")
    rest = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)
    corner = 2 * np.arange(20)[:, None]
    triangles = np.concatenate([corner + [0, 1, 2], corner + [1, 3, 2]])
    mirror = np.arange(42).reshape(21, 2)[::-1].ravel()
    bump = lambda centre: np.exp(-(((rest[:, :1] - centre) / 40) ** 2)) * [0, 0, 5.0]
    units = np.stack([bump(-150.0), bump(150.0)])
    rng = np.random.default_rng(0)
    shared, noise = rng.uniform(-1, 1, (100, 1)), rng.uniform(-1, 1, (100, 2))
    coefficients = shared + 0.4 * noise
    coefficients = np.concatenate([coefficients, coefficients[:, ::-1]])
    return coefficients, units, 2, np.ones(42), rest, triangles, mirror


@pytest.mark.parametrize("count, constraint", [(2, "signed"), (4, "positive")])
def test_sparse_components_stay_local_where_pca_does_not(strip, count, constraint):
    coefficients, units, _, *mesh = strip
    left = mesh[1][:, 0] < 0
    share = lambda basis: (
        np.square(basis[:, left]).sum((1, 2)) / np.square(basis).sum((1, 2))
    )
    dense = components.pca(coefficients, units, 2, np.ones(42))
    np.testing.assert_allclose(share(dense.basis), 0.5, atol=0.01)
    fit = components.sparse(
        coefficients, units, count, *mesh, constraint=constraint, rounds=100
    )
    shares = np.sort(share(fit.shapes.basis))
    assert shares[count // 2 - 1] < 1e-3 and shares[count // 2] > 1 - 1e-3
    assert fit.explained > 0.99


@pytest.mark.parametrize("constraint, least", [("signed", -1), ("positive", 0)])
def test_activations_obey_the_constraint(strip, constraint, least):
    fit = components.sparse(*strip, constraint=constraint)
    np.testing.assert_allclose(np.abs(fit.activations).max(axis=0), 1.0)
    assert fit.activations.min() >= least
    reach = np.linalg.norm(fit.shapes.basis, axis=2).max(axis=1)
    np.testing.assert_allclose(reach, 1.0)


@pytest.mark.parametrize("constraint", components.CONSTRAINTS)
def test_the_objective_falls(strip, constraint):
    objective = components.sparse(*strip, constraint=constraint).objective
    settled = objective[components.SETTLING :]
    assert np.all(np.diff(settled) <= 1e-3 * objective[0])
    assert objective[-1] < objective[0]


@pytest.mark.parametrize("weight", [1.0, 9.0])
def test_scale_is_the_usual_motion_of_the_most_moved_vertex(strip, weight):
    fit = components.sparse(*strip[:3], weight * strip[3], *strip[4:])
    rebuilt = np.tensordot(
        fit.activations / np.sqrt(np.sum(fit.activations**2, axis=0) / 199),
        fit.shapes.basis * fit.shapes.scale[:, None, None],
        1,
    )
    error = rebuilt - np.tensordot(strip[0], strip[1], 1)
    assert np.sqrt(np.mean(error**2)) < 0.1  # mm, of bumps of 5


def test_a_vertex_of_no_weight_stays_still(strip):
    weight = np.where(strip[4][:, 0] == 0, 0.0, strip[3])
    basis = components.sparse(*strip[:3], weight, *strip[4:]).shapes.basis
    assert np.isfinite(basis).all() and not basis[:, weight == 0].any()


def test_more_sparsity_moves_fewer_vertices(strip):
    moved = lambda fit: np.count_nonzero(np.linalg.norm(fit.shapes.basis, axis=2))
    weak, strong = (components.sparse(*strip, sparsity=s) for s in (1e-4, 0.1))
    assert moved(strong) < moved(weak)


def test_sparse_components_come_with_their_mirror_images(strip):
    basis = components.sparse(*strip).shapes.basis
    opposite = basis[:, strip[-1]] * [-1, 1, 1]
    np.testing.assert_allclose(opposite, basis[::-1], atol=1e-9)


def test_the_strongest_component_comes_first_and_faces_mostly_go_its_way(strip):
    coefficients, units, _, *mesh = strip
    middle = 2.0 * np.exp(-((mesh[1][:, :1] / 40) ** 2)) * [0, 0, 5.0]
    lift = np.abs(np.random.default_rng(1).normal(size=100))
    fit = components.sparse(
        np.column_stack([np.abs(coefficients), np.concatenate([lift, lift])]),
        np.concatenate([units, middle[None]]),
        *(3, *mesh),
    )
    assert np.all(fit.activations.sum(axis=0) > 0)
    energy = fit.shapes.scale * np.linalg.norm(fit.shapes.basis, axis=(1, 2))
    assert np.all(np.diff(energy) <= 1e-9 * energy[0]) and energy[0] > 2 * energy[-1]


def test_distance_runs_along_edges_and_parts_not_joined_are_far():
    rest = np.array(
        [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]]
    )
    triangles = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 5]])
    support = components._support_maps(rest, triangles, 0.5, 2.5)
    np.testing.assert_allclose(support(0), [0, 0.25, 0.25, 0.75, 1, 1])
    np.testing.assert_allclose(support(1)[2], (np.sqrt(2) - 0.5) / 2)
