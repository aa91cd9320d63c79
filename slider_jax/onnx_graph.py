"""Our networks in ONNX, node by node from their weights: plain operators, no own ones.

Pictures are [b h w c] at the door, as everywhere here, and [b c h w] inside, as ONNX
has them. The batch is free.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import slider_jax
from slider_jax.model_file import Model
from slider_jax.nets import generator
from slider_jax.nets.critic import Critic

OPSET, IR = 17, 8  # what onnxruntime and onnxruntime-web have read since 2022
EPSILON = 1e-5  # as in ops/norm.py


class _Graph:
    """Nodes and constants, in the order in which they were added."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def add(self, operator, *inputs, **attributes):
        """The name of what comes out. Arrays that go in become constants."""
        inputs = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append((operator, inputs, [output], attributes))
        return output

    def _constant(self, value):
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def file(self, name, inputs, outputs, notes):
        """Its bytes, of {name: shape without the batch} and {name: (node, shape)}."""
        from onnx import TensorProto, checker, helper, numpy_helper

        for output, (node, _) in outputs.items():
            self.nodes.append(("Identity", [node], [output], {}))
        value = lambda name, shape: helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["batch", *shape]
        )
        graph = helper.make_graph(
            [helper.make_node(*node[:3], **node[3]) for node in self.nodes],
            name,
            [value(*item) for item in inputs.items()],
            [value(output, shape) for output, (_, shape) in outputs.items()],
            [numpy_helper.from_array(x, name) for name, x in self.constants.items()],
        )
        whole = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="slider_jax",
            producer_version=slider_jax.__version__,
        )
        helper.set_model_props(whole, notes)
        checker.check_model(whole, full_check=True)
        return whole.SerializeToString()


def knows(model: Model) -> bool:
    """Whether its generator is ours; a system may bring its own."""
    return isinstance(getattr(model.system, "generator", None), generator.Generator)


def editor(model: Model, **notes: str) -> bytes:
    """`image` [b s s 3] in [-1, 1] and `expression` [b n] to `edited`, `mask`, `flow`.

    `notes` become the metadata of the file.
    """
    if not knows(model):
        raise ValueError("ONNX knows the generator of slidergan only: take stablehlo.")
    net, size = model.system.generator, model.size
    graph, weights = _Graph(), model.generator["params"]
    image = graph.add("Transpose", "image", perm=[0, 3, 1, 2])
    kernel, colours = weights["enter"]["kernel"], 3 * net.fold**2
    x = graph.add(
        "Add",
        _convolution(graph, _fold(graph, image, net), kernel[:, :, :colours], pads=3),
        _condition(graph, kernel[:, :, colours:], size // net.fold),
    )
    x = _norm_relu(graph, x, weights["enter_norm"])
    for i in range(net.down):
        kernel = weights[f"down_{i}"]["kernel"]
        x = _convolution(graph, x, kernel, pads=1, stride=2)
        x = _norm_relu(graph, x, weights[f"down_{i}_norm"])
    if net.mapped:
        drawn = 4 * weights["map"]["kernel"].transpose(0, 3, 1, 2)
        x = graph.add("Add", x, _linear(graph, "expression", drawn))
    for i in range(net.blocks):
        block = weights[f"block_{i}"]
        y = _convolution(graph, x, block["first"]["kernel"], pads=1)
        y = _norm_relu(graph, y, block["first_norm"])
        y = _convolution(graph, y, block["second"]["kernel"], pads=1)
        x = graph.add("Add", x, _norm(graph, y, block["second_norm"]))
    for i in range(net.down):
        kernel = weights[f"up_{i}"]["kernel"]
        shape = dict(kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)
        x = graph.add("ConvTranspose", x, kernel.transpose(3, 2, 0, 1), **shape)
        x = _norm_relu(graph, x, weights[f"up_{i}_norm"])
    names = ("colour", "mask", *(("flow", "cover") if net.warped else ()))
    heads = [jnp.asarray(weights["heads"][name]) for name in names]
    heads = np.asarray(generator.joined(heads, net.fold**2))
    x = _convolution(graph, x, heads, pads=3)
    x = graph.add("DepthToSpace", x, blocksize=net.fold)
    part = lambda low, high: graph.add("Slice", x, *_ints([low], [high], [1]))
    back = lambda x: graph.add("Transpose", x, perm=[0, 2, 3, 1])
    colour, mask = graph.add("Tanh", part(0, 3)), graph.add("Sigmoid", part(3, 4))
    flow, base = graph.add("Mul", part(0, 2), np.float32(0)), image
    if net.warped:
        farthest = np.float32(generator.FARTHEST)
        flow = graph.add("Mul", graph.add("Tanh", part(4, 6)), farthest)
        base = graph.add("GridSample", image, _places(graph, back(flow), size), **_LOOK)
        cover = graph.add("Sub", part(6, 7), np.float32(generator.SHUT))
        cover = graph.add("Sigmoid", cover)
        base = graph.add("Mul", graph.add("Sub", np.float32(1), cover), base)
        tint = np.float32(net.tint)
        share = graph.add("Add", tint, graph.add("Mul", 1 - tint, cover))
        colour = graph.add("Mul", share, colour)
    if net.added or net.warped:
        limits = np.float32(-1), np.float32(1)
        colour = graph.add("Clip", graph.add("Add", base, colour), *limits)
    shut = graph.add("Sub", np.float32(1), mask)
    drawn = (mask, shut) if generator.MASK_SHOWS_COLOUR else (shut, mask)
    both = zip(drawn, (colour, image), strict=True)
    edited = graph.add("Add", *(graph.add("Mul", *pair) for pair in both))
    new, flow = drawn[0], graph.add("Mul", drawn[0], flow)
    if net.warped:
        new = graph.add("Mul", new, _touched(graph, image, edited, flow, size))
    return graph.file(
        "editor",
        {"image": [size, size, 3], "expression": [model.parameters]},
        {
            "edited": (back(edited), [size, size, 3]),
            "mask": (back(new), [size, size, 1]),
            "flow": (back(flow), [size, size, 2]),
        },
        notes,
    )


def reader(model: Model, mirror: Float[np.ndarray, "n n"], **notes: str) -> bytes:
    """`image` to the `expression` on it: the critic's mean over it and its mirror
    image, as the Editor reads faces."""
    net = getattr(model.system, "critic", None)
    if not isinstance(net, Critic):
        raise ValueError("ONNX knows the critic of StarGAN only: take stablehlo.")
    graph, weights, size = _Graph(), model.critic["params"], model.size
    image = graph.add("Transpose", "image", perm=[0, 3, 1, 2])
    flipped = graph.add("Slice", image, *_ints([-1], [-size - 1], [3], [-1]))
    x = _fold(graph, graph.add("Concat", image, flipped, axis=0), net)
    for i in range(net.depth):
        layer = weights[f"down_{i}"]
        x = _convolution(graph, x, layer["kernel"], layer["bias"], pads=1, stride=2)
        x = graph.add("LeakyRelu", x, alpha=0.01)
    x = _convolution(graph, x, weights["parameters"]["kernel"], pads=0)
    x = graph.add("Flatten", x)
    if net.bounded:
        x = graph.add("Tanh", x)
    # The mirrored ones are the second half of the batch.
    count = graph.add("Shape", "image", start=0, end=1)
    rest = graph.add("Slice", x, count, *_ints([np.iinfo(np.int64).max], [0]))
    seen = graph.add("Slice", x, *_ints([0]), count, *_ints([0]))
    rest = graph.add("MatMul", rest, mirror.T.astype(np.float32))
    mean = graph.add("Mul", graph.add("Add", seen, rest), np.float32(0.5))
    worn = graph.add("Clip", mean, np.float32(-1), np.float32(1))
    inputs = {"image": [size, size, 3]}
    outputs = {"expression": (worn, [model.parameters])}
    return graph.file("reader", inputs, outputs, notes)


def _fold(graph, x, net):
    return graph.add("SpaceToDepth", x, blocksize=net.fold)


def _convolution(graph, x, kernel, *bias, pads, stride=1):
    shape = dict(kernel_shape=kernel.shape[:2], strides=[stride] * 2, pads=[pads] * 4)
    return graph.add("Conv", x, kernel.transpose(3, 2, 0, 1), *bias, **shape)


def _condition(graph, kernel, size):
    """As ops/condition.py: the taps of a tiled condition, and where each one counts."""
    k, _, n, o = kernel.shape
    taps = _linear(graph, "expression", kernel.transpose(2, 3, 0, 1))  # [b o k k]
    inside = np.abs(np.arange(k) - k // 2 + np.arange(size)[:, None] - (size - 1) / 2)
    inside = (inside < size / 2).astype(np.float32)  # [size k]
    return graph.add("MatMul", graph.add("MatMul", inside, taps), inside.T)


def _linear(graph, x, kernel):
    """[b n] with [n c h w] to [b c h w]."""
    flat = graph.add("MatMul", x, kernel.reshape(len(kernel), -1))
    return graph.add("Reshape", flat, *_ints([-1, *kernel.shape[1:]]))


_LOOK = dict(mode="bilinear", padding_mode="border", align_corners=1)


def _places(graph, flow, size):
    """Where each pixel looks: -1 is the first pixel's centre, 1 the last one's."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    here = np.stack(np.meshgrid(line, line), -1)[None]
    return graph.add(
        "Add", here, graph.add("Mul", flow, np.float32(2 * size / (size - 1)))
    )


def _touched(graph, image, edited, flow, size):
    """As in nets/generator.py."""
    largest = lambda x: graph.add("ReduceMax", graph.add("Abs", x), axes=[1])
    change = graph.add("Mul", largest(graph.add("Sub", edited, image)), np.float32(4))
    way = graph.add("Mul", largest(flow), np.float32(size / 2))
    return graph.add(
        "Clip", graph.add("Max", change, way), np.float32(0), np.float32(1)
    )


def _norm(graph, x, norm):
    given = norm["scale"], norm["offset"]
    return graph.add("InstanceNormalization", x, *given, epsilon=EPSILON)


def _norm_relu(graph, x, norm):
    return graph.add("Relu", _norm(graph, x, norm))


def _ints(*values):
    return [np.array(value, np.int64) for value in values]
