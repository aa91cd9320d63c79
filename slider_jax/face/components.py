"""Builds blendshape components from a corpus of motion (NumPy, offline, float64).

A corpus is given by coefficients over a few unit shapes: sample i moves the mesh by
Σ coefficients[i, u] · units[u]. So thousands of samples never become meshes. For plain
meshes give their displacements as units, and the identity matrix as coefficients.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from slider_jax.face.blendshapes import Blendshapes


def pca(
    coefficients: Float[np.ndarray, "m u"],
    units: Float[np.ndarray, "u v 3"],
    count: int,
    weight: Float[np.ndarray, "v"],
    *,
    name: str = "pca",
) -> Blendshapes:
    """The `count` directions in which the corpus moves most (paper, sec. 3.1).

    Not centred, so zero stays the neutral face. Eigenvalues are S²/(m - 1) of
    D = U S Vᵀ under the metric `weight`, and `scale` is their square root. The largest
    entry of each component is positive.
    """
    coefficients, units = coefficients.astype(float), units.astype(float)
    weighted = (units * np.sqrt(weight)[:, None]).reshape(len(units), -1)
    # With units = roots · frame and an orthonormal frame, only u x u matrices remain.
    squares, axes = np.linalg.eigh(weighted @ weighted.T)
    kept = squares > 1e-10 * squares.max()
    lengths, axes = np.sqrt(squares[kept]), axes[:, kept]
    inside = coefficients @ (axes * lengths)
    values, vectors = np.linalg.eigh(inside.T @ inside / (len(coefficients) - 1))
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    rank = int(np.sum(values > 1e-10 * values.max()))
    if rank < count:
        raise ValueError(f"{count} components asked of motion that has only {rank}.")
    basis = np.tensordot((axes / lengths @ vectors).T, units, axes=1)
    flat = basis.reshape(count, -1)
    peaks = flat[np.arange(count), np.abs(flat).argmax(axis=1)]
    basis *= np.sign(peaks)[:, None, None]
    return Blendshapes(
        basis=basis,
        scale=np.sqrt(values),
        weight=weight.astype(float),
        names=tuple(f"{name}_{k + 1:02d}" for k in range(count)),
    )


SETTLING = 5  # rounds; then centres stay put, so that the objective is one function


class SparseFit(NamedTuple):
    """`activations` [m k] obey the constraint; `objective` has one value a round."""

    shapes: Blendshapes
    activations: np.ndarray
    objective: np.ndarray
    explained: float


def sparse(
    coefficients: Float[np.ndarray, "m u"],
    units: Float[np.ndarray, "u v 3"],
    count: int,
    weight: Float[np.ndarray, "v"],
    rest: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "f 3"],
    mirror: Int[np.ndarray, "v"],
    *,
    constraint: Literal["signed", "positive"] = "signed",
    sparsity: float = 0.005,
    near: float = 20.0,
    far: float = 120.0,
    rounds: int = 30,
    name: str = "sparse",
) -> SparseFit:
    """Localised components: min |D - BC|² + Ω(C) s.t. V(B) (paper eq. 1, Neumann 2013).

    V is max|Bₖ| = 1 (`signed`), or max Bₖ = 1 and B >= 0 (`positive`). Ω is Σ Λ|c|
    over vertices, where Λ grows from 0 within `near` mm of a component's centre,
    measured along the surface, to `sparsity` per sample beyond `far` mm. Components
    come by explained variance, `scale` is the root mean square of an activation times
    the largest motion it makes, and the direction that faces take more is positive.
    A vertex of no weight stays still.

    Each component is its own mirror image or has one beside it, so that a face can be
    flipped exactly: the corpus must hold the mirror image of every sample.
    """
    stretch = np.sqrt(weight)[:, None]
    data = _Corpus(coefficients.astype(float), units * stretch)
    unit = np.sqrt(data.energy().mean() / (3 * len(coefficients)))  # mm
    data = _Corpus(data.coefficients, data.motion / unit)
    project = CONSTRAINTS[constraint]
    support = _support_maps(rest, triangles, near, far)
    penalty = sparsity * len(coefficients)

    activations, parts, twins = _start(data, count, constraint, mirror, support)
    dual = np.zeros_like(parts)
    objective = []
    for turn in range(rounds):
        activations = _fit_activations(data, activations, parts, twins, project)
        if turn < SETTLING:
            limits = penalty * _maps(parts, twins, support)
        parts, dual = _fit_parts(data, activations, parts, dual, limits)
        parts, dual = twins.even_out(parts), twins.even_out(dual)
        error = data.squared_error(activations, parts)
        objective.append(error + np.sum(limits * np.linalg.norm(parts, axis=2)))

    parts = parts * (unit / np.maximum(stretch, 1e-12))
    reach = np.linalg.norm(parts, axis=2).max(axis=1)
    if not reach.all():
        raise ValueError(f"Only {np.sum(reach > 0)} of {count} components move.")
    spread = np.sqrt(np.sum(activations**2, axis=0) / (len(activations) - 1))
    order = np.argsort(-spread * np.linalg.norm(parts * stretch, axis=(1, 2)))
    balance = activations.sum(axis=0) / np.abs(activations).sum(axis=0)
    sign = np.where(balance < -1e-6, -1.0, 1.0)
    shapes = Blendshapes(
        basis=(parts * (sign / reach)[:, None, None])[order],
        scale=(spread * reach)[order],
        weight=weight.astype(float),
        names=tuple(f"{name}_{k + 1:02d}" for k in range(count)),
        orthonormal=False,
    )
    explained = float(1 - error / data.energy().sum())
    activations = (activations * sign)[:, order]
    return SparseFit(shapes, activations, np.array(objective), explained)


class _Corpus(NamedTuple):
    """D = coefficients · motion, never multiplied out."""

    coefficients: np.ndarray  # [m r]
    motion: np.ndarray  # [r v 3]

    def on_parts(self, parts: Float[np.ndarray, "k v 3"]) -> Float[np.ndarray, "m k"]:
        """D Cᵀ, [m k]."""
        return self.coefficients @ np.tensordot(self.motion, parts, axes=((1, 2),) * 2)

    def on_activations(
        self, activations: Float[np.ndarray, "m k"]
    ) -> Float[np.ndarray, "k v 3"]:
        """Wᵀ D, [k v 3]."""
        return np.tensordot(activations.T @ self.coefficients, self.motion, axes=1)

    def energy(self) -> Float[np.ndarray, "v"]:
        """Σ over samples of |d|² at each vertex, [v]."""
        moments = self.coefficients.T @ self.coefficients
        return np.sum(self.motion * np.tensordot(moments, self.motion, 1), axis=(0, 2))

    def without(
        self,
        activations: Float[np.ndarray, "m k"],
        parts: Float[np.ndarray, "k v 3"],
    ) -> "_Corpus":
        """D - WC, still in factors."""
        return _Corpus(
            np.concatenate([self.coefficients, -activations], axis=1),
            np.concatenate([self.motion, parts]),
        )

    def squared_error(self, activations, parts):
        """|D - WC|²."""
        cross = np.sum(activations * self.on_parts(parts))
        model = np.sum((activations.T @ activations) * _dots(parts))
        return np.sum(self.energy()) - 2 * cross + model


def _dots(parts):
    return np.tensordot(parts, parts, axes=((1, 2),) * 2)


def _signed(activations):
    """Onto max|w| = 1."""
    largest = np.abs(activations).max(axis=0)
    return activations / np.where(largest > 0, largest, 1.0)


def _positive(activations):
    """Onto w >= 0, max w = 1."""
    return _signed(np.maximum(activations, 0.0))


CONSTRAINTS = {"signed": _signed, "positive": _positive}


class _Twins(NamedTuple):
    """Component k in a looking-glass is sign[k] times component twin[k]."""

    twin: np.ndarray  # [k]
    sign: np.ndarray  # [k]
    mirror: np.ndarray  # [v]

    def groups(self):
        """Each component with its twin, once."""
        return [sorted({k, t}) for k, t in enumerate(self.twin) if k <= t]

    def even_out(self, parts):
        """Rounding breaks symmetry and the rounds would amplify it."""
        opposite = _reflect(parts[self.twin], self.mirror)
        return (parts + self.sign[:, None, None] * opposite) / 2


def _reflect(parts, mirror):
    return parts[:, mirror] * np.array([-1.0, 1.0, 1.0])


def _support_maps(rest, triangles, near, far):
    """A function of a vertex: 0 near it and 1 far from it, along edges, [v].

    Parts that no edge joins, such as an eye and its lid, are far from each other.
    """
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges = np.unique(edges, axis=0)  # twice in the matrix would be twice as long
    lengths = np.linalg.norm(rest[edges[:, 0]] - rest[edges[:, 1]], axis=1)
    graph = coo_matrix((lengths, edges.T), shape=(len(rest),) * 2).tocsr()
    known = {}

    def support(vertex):
        if vertex not in known:
            away = dijkstra(graph, directed=False, indices=vertex, limit=far)
            known[vertex] = (np.clip(away, near, far) - near) / (far - near)
        return known[vertex]

    return support


def _maps(parts, twins, support):
    """Support maps around the strongest vertex of each part, as symmetric as they."""
    maps = np.empty(parts.shape[:2])
    centres = np.linalg.norm(parts, axis=2).argmax(axis=1)
    for k, *other in twins.groups():
        maps[k] = support(centres[k])
        if other:
            maps[other] = maps[k][twins.mirror]
        else:
            maps[k] = np.minimum(maps[k], maps[k][twins.mirror])
    return maps


def _start(data, count, constraint, mirror, support):
    """Greedy: what the vertex that is worst off does, and what goes along with it.

    What is centred on the middle of the face becomes its own mirror image (or the
    opposite of it, where two directions are allowed); the rest bring theirs along.
    """
    project = CONSTRAINTS[constraint]
    activations, parts, twin, sign = [], [], [], []
    while len(parts) < count:
        worst = int(data.energy().argmax())
        path = data.coefficients @ data.motion[:, worst]  # [m 3]
        left, sizes, _ = np.linalg.svd(path, full_matrices=False)
        both = [project(s * sizes[0] * left[:, 0]) for s in (1.0, -1.0)]
        activation = max(both, key=np.linalg.norm)
        part = data.on_activations(activation[:, None]) / np.sum(activation**2)
        part = part * (1 - support(worst))[:, None]
        opposite = _reflect(part, mirror)
        likeness = np.sum(part * opposite)
        central = support(worst)[mirror[worst]] == 0
        one_way = constraint == "positive" and likeness < 0
        if len(parts) + 1 == count or (central and not one_way):
            side = -1.0 if likeness < 0 and not one_way else 1.0
            new, relation, sides = (part + side * opposite) / 2, [0], [side]
        else:
            new, relation, sides = np.concatenate([part, opposite]), [1, 0], [1.0, 1.0]
        fitted = project(data.on_parts(new) / np.sum(new**2, axis=(1, 2)))
        data = data.without(fitted, new)
        twin += [len(parts) + r for r in relation]
        sign += sides
        parts += list(new)
        activations += list(fitted.T)
    twins = _Twins(np.array(twin), np.array(sign), mirror)
    return np.stack(activations, axis=1), np.stack(parts), twins


def _fit_activations(data, activations, parts, twins, project):
    """One component and its twin after another, all others held (block descent)."""
    activations = activations.copy()
    wanted, dots = data.on_parts(parts), _dots(parts)
    for group in twins.groups():
        # Both at once, or they would grow apart; no longer a step than surely descends.
        norms = np.maximum(np.abs(dots[np.ix_(group, group)]).sum(axis=1), 1e-8)
        missing = wanted[:, group] - activations @ dots[:, group]
        activations[:, group] = project(activations[:, group] + missing / norms)
    return activations


def _fit_parts(data, activations, parts, dual, limits):
    """min |D - WC|² + Σ limits |c| over C by ADMM; the dual is kept between rounds."""
    gram, moments = activations.T @ activations, data.on_activations(activations)
    stiffness = 0.025 * len(activations)
    inverse = np.linalg.inv(gram + stiffness * np.eye(len(gram)))
    for _ in range(10):
        free = np.tensordot(inverse, moments + stiffness * (parts - dual), axes=1)
        length = np.linalg.norm(free + dual, axis=2)
        shrink = np.maximum(0, 1 - limits / (stiffness * np.maximum(length, 1e-12)))
        parts = shrink[:, :, None] * (free + dual)
        dual = dual + free - parts
    return parts, dual
