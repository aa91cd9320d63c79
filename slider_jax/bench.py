"""How fast this machine is. Rivals take turns, so that a busy minute hits them all."""

import io
import itertools
import os
import pathlib
import runpy
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

TURNS, SECONDS = 5, 0.7  # how often, and how long a turn


def data(folder: str | os.PathLike) -> None:
    """Prints images a second of the loader, beside decoding alone."""
    from slider_jax import data, open_faces

    shards = open_faces.plan(open_faces.recipe_of(folder))
    split = max(shard.split for shard in shards)  # the unpaired one if there is one
    faces = data.open_split(folder, split)
    rows = range(min(1000, len(faces)))
    encoded = [faces.row(i)["image"].bytes_list.value[0] for i in rows]
    batch, images = dict(batch_size=16, n_critic=5), 80
    if not split.endswith("_unpaired"):
        images *= 2

    def decode() -> int:
        for picture in encoded:
            np.asarray(Image.open(io.BytesIO(picture)))
        return len(encoded)

    def loader(**options) -> Callable[[], int]:
        stream = data.stream(folder, split, seed=0, **batch, **options)

        def step() -> int:
            next(stream)
            return images

        return step

    rivals = {
        "decoding alone, one thread": decode,
        "loader, one thread": loader(),
        "loader, photographic .5": loader(photographic=0.5),
        "loader, two workers": loader(workers=2),
        "loader, cached": loader(cache=True),
    }
    size = sum(map(len, encoded)) / len(encoded) / 1024
    print(f"{split}: {faces.size} px, {size:.1f} KiB a picture, {os.cpu_count()} cores")
    rates = _turns(rivals)
    for name, rate in rates.items():
        ratio = rate / rates["decoding alone, one thread"]
        print(f"{name:<28} {rate:>8,.0f} images/s  {ratio:5.2f} of decoding")


def render(beside: pathlib.Path | None = None) -> None:
    """Prints pictures a second of wall clock, and of one core's time.

    `beside` is a rival: a Python file with `draw(size)`, which draws one picture.
    """
    import jax

    from slider_jax.face.sessions import Renderer

    def ours(size: int, batch: int) -> Callable[[], int]:
        renderer = Renderer(size, 0, batched=jax.default_backend() != "cpu")
        session = itertools.count()

        def work() -> int:
            for _ in renderer.rows(identity=0, session=next(session), takes=batch):
                pass
            return batch

        return work

    def theirs(draw: Callable[[int], object], size: int) -> Callable[[], int]:
        return lambda: (draw(size), 1)[1]

    sizes = (64, 128)
    rivals = {f"{s} px, batch {b}": ours(s, b) for s in sizes for b in (1, 16)}
    if beside is not None:
        if not beside.is_file():
            raise FileNotFoundError(f"There is no {beside}: name a file with draw().")
        draw = runpy.run_path(str(beside))["draw"]
        rivals |= {f"{s} px, {beside.stem}": theirs(draw, s) for s in sizes}
    print(f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores")
    wall, core = _turns(rivals), _turns(rivals, time.process_time)
    for name in rivals:
        print(f"{name:<20} {wall[name]:>7,.1f} images/s {core[name]:>7,.1f} a core")


def _turns(
    rivals: dict[str, Callable[[], int]], clock: Callable[[], float] | None = None
) -> dict[str, float]:
    """The median over the turns of what each rival does a second of this clock."""
    clock = clock or time.perf_counter
    rates = {name: [] for name in rivals}
    for _ in range(TURNS):
        for name, work in rivals.items():
            for _ in range(8):  # what lay ready in a buffer does not count
                work()
            done, start = 0, clock()
            while clock() < start + SECONDS:
                done += work()
            rates[name].append(done / (clock() - start))
            time.sleep(0.3)  # the buffers fill up again, in nobody's time
    return {name: statistics.median(some) for name, some in rates.items()}
