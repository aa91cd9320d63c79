"""Prints how well anybody could read components from the points of a stranger's face.

python docs/reading_limit.py

Points of the mesh are seen from the front, each in a place that is wrong by some noise.
Who the person is, where the head is and how it is turned a little, nobody knows. All of
these move the points linearly; were identities and expressions normal, the posterior
mean would read best, and its error is exact. Expressions are as in the data sets.
"""

import jax
import numpy as np

from slider_jax.face import expressions, landmarks
from slider_jax.face.head import load_head

NOISE = (0.05, 0.1, 0.25, 0.5, 1)  # pixels of a face of 128
ANYWHERE = 20  # in millimetres, and of turns as far as a point 50 mm deep moves


def spread(face, count=4000):
    """Of the components of faces: covariance, and mean square of all together."""
    rng = np.random.default_rng(0)
    sliders = np.stack([expressions.sample_expression(rng)[0] for _ in range(count)])
    drawn = jax.vmap(face.to_expression)(sliders).clip(-1, 1)
    return np.cov(drawn.T), np.square(drawn).sum(1).mean()


def pose(points):
    """[6 v 2]: two shifts, size, roll, and to first order yaw and pitch."""
    x, y, z = (points - points.mean(0)).T / 50
    none, one = np.zeros_like(x), np.ones_like(x)
    moves = (one, none), (none, one), (x, y), (-y, x), (z, none), (none, z)
    return ANYWHERE * np.stack([np.stack(move, -1) for move in moves])


def posterior(head, covariance, noise, known):
    """Of the components, with `noise` in millimetres at each of the 468 points."""
    face, rows = head.face, head.dense_landmarks
    flat = lambda shapes: np.float64(shapes[..., :2]).reshape(len(shapes), -1)
    shapes = jax.vmap(face.expression.offsets)(np.eye(len(covariance)))[:, rows]
    hidden = [pose(np.float64(face.mean[rows]))]
    hidden += [] if known else [face.identities[:, rows]]  # N(0, 1)
    hidden = np.concatenate([flat(each) for each in hidden])
    shapes = flat(shapes)
    unseen = noise**2 * np.eye(shapes.shape[1]) + hidden.T @ hidden
    told = shapes @ np.linalg.solve(unseen, shapes.T)
    return np.linalg.inv(np.linalg.inv(covariance) + told)


def main():
    head = load_head()
    covariance, square = spread(head.face)
    points = np.asarray(head.face.mean)[head.landmarks]
    across = np.ptp(points[:, 0]) / np.ptp(landmarks.reference(points)[:, 0])
    print("noise, px of 128 | error | of a known person | R2 of the last ten")
    for noise in NOISE:
        millimetres = noise * across / 128
        left = posterior(head, covariance, millimetres, known=False)
        known = posterior(head, covariance, millimetres, known=True)
        error, less = (np.sqrt(np.trace(each) / square) for each in (left, known))
        read = 1 - (np.diag(left) / np.diag(covariance))[-10:].mean()
        print(f"{noise:16} | {error:5.2f} | {less:17.2f} | {read:18.2f}")


if __name__ == "__main__":
    main()
