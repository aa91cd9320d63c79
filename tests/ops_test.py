"""Every formulation against plain `lax`, in float64 and to second order."""

import contextlib
import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import parity
import pytest
from parity import quick

from slider_jax import memory, ops
from slider_jax.ops import formulations
from slider_jax.ops.rule import Geometry, choose, filled

# (kernel, stride, padding, height, width)
SHAPES = [
    (1, 1, 0, 2, 2),
    (1, 2, 0, 6, 4),
    (2, 1, 0, 2, 2),
    (2, 2, 0, 4, 10),
    (3, 1, 1, 2, 4),
    (3, 1, 1, 16, 22),
    (3, 2, 1, 8, 8),
    (4, 2, 1, 2, 2),
    (4, 2, 1, 4, 8),
    (4, 2, 1, 16, 34),
    (7, 1, 3, 4, 4),
    (7, 1, 3, 64, 16),
    (7, 2, 3, 12, 2),
]
MAPS = ("forward", "image", "kernel")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def takes(name, map_name, geometry):
    if name == "swap":
        return map_name == "kernel" and geometry.stride == 1
    if name.startswith("winograd"):
        return geometry[1:4] in ((3, 1, 1), (4, 2, 1))
    return True


@pytest.mark.parametrize("by", [1, 2, 3])
def test_folded_squares_are_those_of_pytorch_and_come_back(by):
    torch = pytest.importorskip("torch")
    x = draw(2, 6, 12, 5)
    folded = ops.fold(x, by)
    theirs = torch.pixel_unshuffle(torch.asarray(np.array(x)).permute(0, 3, 1, 2), by)
    # PyTorch has a channel's places together, here a place has its channels together.
    theirs = theirs.unflatten(1, (5, by * by)).permute(0, 3, 4, 2, 1).flatten(3)
    np.testing.assert_array_equal(folded, theirs)
    np.testing.assert_array_equal(ops.unfold(folded, by), x)


def test_what_does_not_fold_says_so():
    with pytest.raises(ValueError, match="12 x 6 pixels do not fold by 4"):
        ops.fold(draw(1, 6, 12, 3), 4)


def close(actual, expected, tolerance=1e-11):
    parity.close(actual, expected, tolerance)


@pytest.mark.parametrize("kernel, stride, padding, h, w", SHAPES)
def test_every_formulation_computes_what_lax_does(kernel, stride, padding, h, w):
    geometry = Geometry((h, w), kernel, stride, padding, "")
    x, k = draw(1, h, w, 3), draw(kernel, kernel, 3, 5)
    dy = draw(1, *geometry.output, 5)
    arguments = {"forward": (x, k), "image": (dy, k), "kernel": (x, dy)}

    @quick  # one compilation for all
    def all_of_them(arguments):
        return {
            (name, map_name): maps[map_name](geometry, *arguments[map_name])
            for name, maps in formulations.ALL.items()
            for map_name in maps
            if takes(name, map_name, geometry)
        }

    found = all_of_them(arguments)
    assert {name for name, _ in found} >= {"lax", "product"}
    for (_, map_name), result in found.items():
        close(result, found["lax", map_name])


# Shapes for which the rule takes each formulation in turn; the names say which.
CHOSEN = {
    "product": (4, 2, 1, 8, 3, 5),
    "lax": (7, 1, 3, 10, 3, 16),
    "lax, filled": (7, 1, 3, 10, 3, 15),
    "rows": (4, 2, 1, 10, 3, 16),
    "swap": (7, 1, 3, 10, 5, 4),
    "winograd2": (4, 2, 1, 16, 32, 32),
    "winograd2, 8 pixels": (4, 2, 1, 8, 32, 32),
    "winograd4": (3, 1, 1, 16, 32, 32),
}


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("op", [ops.convolution, ops.transposed_convolution])
def test_values_and_derivatives_to_second_order_match_lax(op, name):
    kernel, stride, padding, size, channels, features = CHOSEN[name]
    formulation = name.split(",")[0]
    style = formulation if name.startswith("winograd") else "winograd2"
    batch = 4 if name == "winograd4" else 1
    geometry = Geometry((size, size), kernel, stride, padding, style)
    chosen = {choose(m, geometry, batch, channels, features) for m in MAPS}
    assert formulation in chosen
    assert ("filled" in name) == (filled(features) > features)

    x = draw(batch, size, size, channels)
    if op is ops.transposed_convolution:
        x = draw(batch, *geometry.output, features)
    k = draw(kernel, kernel, channels, features, seed=1) / kernel

    def results(style):
        """The value, both gradients, and both gradients of their size."""

        def objective(x, k):
            with ops.using(style):
                return jnp.square(op(x, k, stride=stride, padding=padding)).sum()

        def penalty(x, k):
            slopes = jax.grad(objective, (0, 1))(x, k)
            return jnp.square(sum(jnp.square(g).sum() for g in slopes) - 1)

        first = jax.value_and_grad(objective, (0, 1))
        second = jax.value_and_grad(penalty, (0, 1))
        return quick(lambda x, k: (first(x, k), second(x, k)))(x, k)

    jax.tree.map(close, results(style), results("plain"))


def test_third_derivatives_exist():
    x, k = draw(1, 6, 6, 2), draw(3, 3, 2, 2)

    def results(style):
        def f(x, k):
            with ops.using(style):
                return (ops.convolution(x, k, stride=2, padding=1) ** 4).sum()

        slope = jax.grad(f)
        bend = jax.grad(lambda x, k: jnp.sum(slope(x, k) ** 2))
        return jax.grad(lambda x, k: jnp.sum(bend(x, k) ** 2), 1)(x, k)

    close(*(quick(results, static_argnums=0)(s) for s in ("winograd2", "plain")))


def test_a_transposed_convolution_undoes_the_size():
    x, k = jnp.ones((1, 3, 5, 4)), jnp.ones((4, 4, 2, 4))
    assert ops.transposed_convolution(x, k, stride=2, padding=1).shape == (1, 6, 10, 2)


@pytest.mark.parametrize("style", ops.STYLES)
def test_bfloat16_comes_out_as_it_went_in(style):
    x = jnp.asarray(draw(1, 16, 16, 32), jnp.bfloat16)
    k = jnp.asarray(draw(3, 3, 32, 32) / 17, jnp.bfloat16)
    with ops.using(style):
        f = lambda x, k: ops.convolution(x, k, stride=1, padding=1)
        y, (dx, dk) = quick(lambda x, k: (f(x, k), jax.vjp(f, x, k)[1](f(x, k))))(x, k)
    exact = f(x.astype("float64"), k.astype("float64"))
    assert {y.dtype, dx.dtype, dk.dtype} == {jnp.dtype("bfloat16")}
    close(y.astype("float64"), exact, 1e-2)


@pytest.mark.parametrize("style, tolerance", [("winograd2", 1e-6), ("winograd4", 5e-6)])
@pytest.mark.parametrize(
    "kernel, stride, padding, size", [(3, 1, 1, 16), (4, 2, 1, 32)]
)
def test_float32_loses_few_digits(kernel, stride, padding, size, style, tolerance):
    """In the value, in both gradients, and in those of a penalty on one."""
    x, k = draw(4, size, size, 32), draw(kernel, kernel, 32, 32) / 17

    def results(x, k):
        f = functools.partial(ops.convolution, stride=stride, padding=padding)
        slope = lambda x, k: jax.vjp(f, x, k)[1](f(x, k))
        penalty = lambda x, k: jnp.square(slope(x, k)[0]).sum()
        return f(x, k), slope(x, k), jax.grad(penalty, (0, 1))(x, k)

    with ops.using("plain"):
        exact = quick(lambda x, k: results(x, k))(x, k)
    with ops.using(style):
        single = (x.astype("float32"), k.astype("float32"))
        found = quick(lambda x, k: results(x, k))(*single)
    jax.tree.map(lambda a, b: close(a, b, tolerance), found, exact)


def test_the_style_is_the_backends_unless_chosen():
    assert ops.style() == "winograd4"
    with contextlib.suppress(KeyError), ops.using("plain"):
        assert ops.style() == "plain"
        raise KeyError
    assert ops.style() == "winograd4"
    with pytest.raises(ValueError, match="Unknown style 'fast'; choose from"):
        with ops.using("fast"):
            pass


def test_a_single_face_takes_small_tiles_and_a_batch_large_ones():
    geometry = Geometry((32, 32), 3, 1, 1, ops.style())
    for batch, name in ((1, "winograd2"), (4, "winograd4")):
        assert {choose(m, geometry, batch, 64, 64) for m in MAPS} == {name}


@pytest.mark.parametrize("h, w", [(2, 4), (6, 6), (16, 12)])
def test_the_split_condition_equals_the_tiled_one(h, w):
    image, condition, k = draw(2, h, w, 3), draw(2, 5), draw(7, 7, 8, 4)

    def tiled(condition, k):
        maps = jnp.broadcast_to(condition[:, None, None], (2, h, w, 5))
        x = jnp.concatenate([jnp.asarray(image), maps], 3)
        return ops.convolution(x, k, stride=1, padding=3)

    def split(condition, k):
        return ops.convolution(
            image, k[:, :, :3], stride=1, padding=3
        ) + ops.condition_convolution(condition, k[:, :, 3:], size=(h, w), padding=3)

    @quick
    def results(condition, k):
        slopes = [
            jax.grad(lambda c, k, f=f: jnp.square(f(c, k)).sum(), (0, 1))
            for f in (tiled, split)
        ]
        one, two = (
            (f(condition, k), d(condition, k))
            for f, d in zip((tiled, split), slopes, strict=True)
        )
        return one, two

    jax.tree.map(close, *results(condition, k))


def test_instance_norm_matches_pytorch_to_second_order():
    torch = pytest.importorskip("torch")
    x, scale, offset = draw(2, 4, 6, 3) * 5 + 20, draw(3), draw(3, seed=1)
    weights = draw(2, 4, 6, 3, seed=2)

    def value(x, scale, offset):
        return (ops.instance_norm(x, scale, offset) * weights).sum()

    def penalty(*arguments):
        return sum(jnp.square(g).sum() for g in jax.grad(value, (0, 1, 2))(*arguments))

    ours = quick(lambda *a: (value(*a), jax.grad(penalty, (0, 1))(*a)))(
        x, scale, offset
    )
    theirs = [
        torch.tensor(np.asarray(a), requires_grad=True) for a in (x, scale, offset)
    ]
    y = torch.nn.functional.instance_norm(
        theirs[0].permute(0, 3, 1, 2), weight=theirs[1], bias=theirs[2]
    )
    total = (y.permute(0, 2, 3, 1) * torch.tensor(np.asarray(weights))).sum()
    slopes = torch.autograd.grad(total, theirs, create_graph=True)
    size = sum((slope**2).sum() for slope in slopes)
    bends = torch.autograd.grad(size, theirs[:2])
    jax.tree.map(
        lambda a, b: close(a, b, 1e-9),
        ours,
        (total.item(), tuple(b.numpy() for b in bends)),
    )


def test_instance_norm_keeps_its_digits_in_float32_and_its_type_in_bfloat16():
    x = draw(1, 8, 8, 2) + 1000
    one, zero = jnp.ones(2), jnp.zeros(2)
    exact = ops.instance_norm(x, one, zero)
    single = ops.instance_norm(*(a.astype("float32") for a in (x, one, zero)))
    close(single, exact, 1e-3)  # x itself has lost four digits
    half = ops.instance_norm(
        jnp.asarray(x - 1000, jnp.bfloat16),
        one.astype("float32"),
        zero.astype("float32"),
    )
    assert half.dtype == jnp.bfloat16
    close(half.astype("float64"), exact, 2e-2)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
@pytest.mark.parametrize("setting, kept", [("0", False), ("1", True)])
def test_memory_is_kept_unless_the_environment_says_no(setting, kept):
    assert _said("print(memory.keep())", setting) == str(kept)
    offered = memory._LARGE_PAGES
    anew = kept and offered.is_file() and "[never]" not in offered.read_text()
    assert _said("print(memory.large_pages())", setting) == str(anew)
    pages = "memory.train(); import os; print(os.environ.get('GLIBC_TUNABLES'))"
    assert _said(pages, setting) == ("glibc.malloc.hugetlb=1" if anew else "None")


OURS = "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"


@pytest.mark.skipif(sys.platform != "linux", reason="nobody says how many cores")
@pytest.mark.parametrize(
    "cores, version, before, after",
    [
        (1, "0.10.2", "", OURS),
        (1, "0.10.2", "--xla_a=1", f"--xla_a=1 {OURS}"),
        (1, "0.10.2", OURS, OURS),
        (1, "0.10.2", f"{OURS[:24]}=OTHER", f"{OURS[:24]}=OTHER"),
        (1, "0.99.0", "--xla_a=1", "--xla_a=1"),
        (2, "0.10.2", "", ""),
    ],
)
def test_xla_schedules_by_memory_on_one_core_where_it_knows_the_word(
    cores, version, before, after, monkeypatch
):
    monkeypatch.setenv("XLA_FLAGS", before)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(memory.importlib.metadata, "version", lambda _: version)
    memory.schedule()
    assert os.environ["XLA_FLAGS"] == after


@pytest.mark.skipif(
    sys.platform != "linux" or not jax.__version__.startswith("0.10."),
    reason="it is not said there",
)
def test_the_installed_xla_knows_the_word():
    one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    use = "import jax; print(jax.jit(abs)(-2.0), os.environ['XLA_FLAGS'][-16:])"
    assert _said(f"{one}; memory.schedule(); {use}", "1") == "2.0 MEMORY_OPTIMIZED"


def _said(line, setting):
    env = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
    done = subprocess.run(
        [sys.executable, "-c", f"from slider_jax import memory; {line}"],
        env=env | {"SLIDER_KEEP_MEMORY": setting},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
