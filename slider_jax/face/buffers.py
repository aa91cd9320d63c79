"""What is behind each pixel, at one sample a pixel: geometry, and how it moves.

Pure and differentiable in cameras and meshes; visibility stays fixed.
"""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from slider_jax.face import raster
from slider_jax.face.atlas import PARTS
from slider_jax.face.camera import Camera, project, rotation_matrix
from slider_jax.face.head import Head, vertex_normals


@struct.dataclass
class Surface:
    """What is opaque: triangles, where each finds its colours, what each is part of."""

    triangles: Int[Array, "f 3"]
    corner_uv: Float[Array, "f 3 2"]
    part: Int[Array, "f"]


@struct.dataclass
class Buffers:
    """Depth is in pixels, less is nearer; normals have +z towards the viewer.

    Where nothing is, `triangle` and `part` are -1, `depth` is infinite, and the others
    are zero. `missing` is positive when the rasteriser's list was too short: a defect.
    """

    triangle: Int[Array, "h w"]
    part: Int[Array, "h w"]
    coverage: Bool[Array, "h w"]
    depth: Float[Array, "h w"]
    normal: Float[Array, "h w 3"]
    uv: Float[Array, "h w 2"]
    missing: Int[Array, ""]


def surface(head: Head) -> Surface:
    """A head without its lashes and its long hair, as NumPy."""
    solid = ~np.isin(head.part, [PARTS.index(name) for name in ("lash", "long hair")])
    return Surface(head.face.triangles[solid], head.corner_uv[solid], head.part[solid])


def buffers(
    surface: Surface, camera: Camera, mesh: Float[Array, "v 3"], size: int
) -> Buffers:
    """For many, `jax.vmap`."""
    points, hits, weights = _see(camera, mesh, surface.triangles, size)
    turned = mesh @ rotation_matrix(camera.rotation).T
    normals = vertex_normals(turned, surface.triangles)
    of_vertex = jnp.concatenate([normals, points[:, 2:]], 1)[surface.triangles]
    values = jnp.concatenate([of_vertex, surface.corner_uv], -1)
    seen = raster.interpolate(values, hits, weights)
    covered = hits.triangle >= 0
    seen = jnp.where(covered[..., None], seen, 0.0)
    length = jnp.linalg.norm(seen[..., :3] + 1e-9, axis=-1, keepdims=True)
    return Buffers(
        triangle=hits.triangle,
        part=jnp.where(covered, jnp.asarray(surface.part)[hits.triangle], -1),
        coverage=covered,
        depth=jnp.where(covered, seen[..., 3], jnp.inf),
        normal=seen[..., :3] / length,
        uv=seen[..., 4:],
        missing=jnp.maximum(hits.runs - _room(surface.triangles, size), 0),
    )


def flow(
    camera_source: Camera,
    mesh_source: Float[Array, "v 3"],
    camera_target: Camera,
    mesh_target: Float[Array, "v 3"],
    triangles: Int[Array, "f 3"],
    size: int,
) -> Float[Array, "h w 3"]:
    """Facial flow: source minus target position of what the target's pixels show.

    In half picture widths: (x, y down, depth away from the viewer), 0 in the background
    (F3A-GAN; dossier 6.2). Rasterised at the target, so that a pixel plus its flow is
    where the source shows the same place. All NaN if the rasteriser's list was too
    short, which no sensible mesh brings about.
    """
    _, hits, weights = _see(camera_target, mesh_target, triangles, size)
    source = _homogeneous(camera_source, mesh_source, size)
    target = _homogeneous(camera_target, mesh_target, size)
    corners = jnp.concatenate([source, target], 1)[triangles]
    seen = raster.interpolate(corners, hits, weights)
    covered = (hits.triangle >= 0)[..., None]
    seen = jnp.where(covered, seen, 1.0)
    moved = seen[..., :3] / seen[..., 3:4] - seen[..., 4:7] / seen[..., 7:]
    moved = jnp.where(covered, moved / (size / 2), 0.0)
    return jnp.where(hits.runs > _room(triangles, size), jnp.nan, moved)


def _see(camera, mesh, triangles, size):
    points, perspective = project(camera, mesh, size)
    hits = raster.rasterise(points, triangles, size, max_runs=_room(triangles, size))
    return points, hits, raster.corner_weights(points, perspective, triangles, hits)


def _room(triangles, size):
    """Twice what a head takes that fills the picture, from 32 to 512 pixels."""
    return len(triangles) + size**2


def _homogeneous(camera, mesh, size):
    """Points over their magnification, and one over it: affine on a flat triangle.

    Where a place inside a triangle lands is found exactly, under perspective too.
    """
    points, magnification = project(camera, mesh, size)
    return (
        jnp.concatenate([points, jnp.ones_like(points[:, :1])], 1)
        / (magnification[:, None])
    )
