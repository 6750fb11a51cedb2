"""Dynamic int8 quantisation of a BERT-like ONNX graph that keeps its vectors close to the original's.

As in the dynamic quantisation of ONNX Runtime, weights have a scale for each output channel, and the activations of a
text one that is found as it runs. It does three things more:

- a large embedding table has a scale for each row, not one for the whole table;
- activations are divided by a factor per channel before they are quantised, and the weights that meet them multiplied
  by it (SmoothQuant, Xiao et al. 2023, arXiv 2211.10438). A few channels of BERT-like models are many times larger than
  the others, and would leave them few of the 256 steps;
- weights use 8 bits where that cannot overflow, see `WEIGHT_TOP`.

The factor of a channel is the root of its largest magnitude among the calibration texts: the root halves the spread of
the channels, counted in powers of ten, for the activations, and gives the other half to the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WEIGHT_TOP = 127
"""Largest weight, and largest sum of two weights of one sign among `TOGETHER`: x86 processors without VNNI add two
products in 16 bits. 255 · 128 still fits, so a text has the same vector there (ONNX Runtime, "Quantize ONNX models", on
U8S8 saturation). The usual way out is 7 bits for all weights; all-MiniLM-L6-v2 is further from fp32 with that."""
TOGETHER = 4
"""Inputs that the matrix product of ONNX Runtime takes in one 32-bit word; the two it adds are among them."""
TABLE_TOP = 127
"""Largest value of a table, whose rows are looked up and not multiplied."""
TABLE_ROWS = 10_000
"""Tables with fewer rows stay as they are: small, and added to every token."""
MIGRATION = 0.5
"""SmoothQuant's alpha, and its usual value: the share of the channels' spread that the weights take over. The paper
divides by the weights' own spread too. That is left out: here the weights of an input have no scale of their own. The
mean of 1 - cosine to fp32 on 160 public texts was .012 with it, .0021 without, and .0054 with no factors at all."""
LEAST = 1e-3
"""Of the largest channel: smaller ones count as this large, so that texts unlike those of the calibration fit too."""


def quantize(model: Any, texts: Iterable[Mapping[str, Array]]) -> None:
    """Rewrite the graph in place. `texts` are the model's inputs for each calibration text, at least one."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in constants]
    tables = [
        node
        for node in model.graph.node
        if node.op_type == "Gather"
        and len(dims := getattr(constants.get(node.input[0]), "dims", ())) == 2
        and dims[0] >= TABLE_ROWS
    ]
    sources = list(dict.fromkeys(node.input[0] for node in products))
    nodes: dict[str, list[Any]] = {}
    tensors: dict[str, Array] = {}

    largest = _largest(model, sources, texts)
    for source in sources:
        factors = np.maximum(largest[source], LEAST * largest[source].max()) ** MIGRATION
        tensors[f"{source}_factors"] = (1 / factors).astype(np.float32)
        before = [
            _node("Mul", [source, f"{source}_factors"], [f"{source}_even"]),
            _node("DynamicQuantizeLinear", [f"{source}_even"], [f"{source}_{part}" for part in ("u8", "step", "zero")]),
        ]
        for node in products:
            if node.input[0] != source:
                continue
            name, made = node.input[1], node.output[0]
            weights = _array(constants[name]) * factors[:, None]
            tensors[f"{name}_steps"] = _weight_steps(weights)
            tensors[f"{name}_i8"] = _whole(weights, tensors[f"{name}_steps"])
            tensors[f"{name}_zero"] = np.zeros(weights.shape[1], np.int8)
            nodes[made] = [
                *before,
                _node(
                    "MatMulInteger", [f"{source}_u8", f"{name}_i8", f"{source}_zero", f"{name}_zero"], [f"{made}_i32"]
                ),
                _node("Cast", [f"{made}_i32"], [f"{made}_f32"], to=1),
                _node("Mul", [f"{source}_step", f"{name}_steps"], [f"{made}_steps"]),
                _node("Mul", [f"{made}_f32", f"{made}_steps"], [made]),
            ]
            before = []

    for node in tables:
        name, ids, made = node.input[0], node.input[1], node.output[0]
        rows = _array(constants[name])
        tensors[f"{name}_steps"] = _steps(np.abs(rows).max(axis=1, keepdims=True), TABLE_TOP)
        tensors[f"{name}_i8"] = _whole(rows, tensors[f"{name}_steps"])
        nodes[made] = [
            _node("Gather", [f"{name}_i8", ids], [f"{made}_i8"]),
            _node("Cast", [f"{made}_i8"], [f"{made}_f32"], to=1),
            _node("Gather", [f"{name}_steps", ids], [f"{made}_steps"]),
            _node("Mul", [f"{made}_f32", f"{made}_steps"], [made]),
        ]
    _replace(model, nodes, tensors)


def _largest(model: Any, names: Sequence[str], texts: Iterable[Mapping[str, Array]]) -> dict[str, Array]:
    """Largest magnitude of each channel of the named values when the fp32 graph runs the texts."""
    import onnx  # pyright: ignore[reportMissingImports]
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

    watched: Any = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest: dict[str, Array] = {}
    for text in texts:
        for name, values in zip(names, session.run(list(names), dict(text)), strict=True):
            here = np.abs(values.reshape(-1, values.shape[-1])).max(axis=0)
            largest[name] = np.maximum(largest[name], here) if name in largest else here
    return largest


def _weight_steps(weights: Array) -> Array:
    """Of each output (outputs,) of `weights` (inputs, outputs): the smallest that keep to `WEIGHT_TOP`."""
    inputs, outputs = weights.shape
    groups = np.pad(weights, ((0, -inputs % TOGETHER), (0, 0))).reshape(-1, TOGETHER, outputs)
    sums = [np.sort(np.maximum(side, 0), axis=1)[:, -2:].sum(axis=1) for side in (groups, -groups)]
    return _steps(np.maximum(*sums).max(axis=0), WEIGHT_TOP)


def _steps(largest: Array, top: int) -> Array:
    return np.maximum(largest / top, np.finfo(np.float32).tiny).astype(np.float32)


def _whole(values: Array, steps: Array) -> Array:
    return np.round(values / steps).astype(np.int8)


def _array(tensor: Any) -> Array:
    from onnx import numpy_helper  # pyright: ignore[reportMissingImports]

    return numpy_helper.to_array(tensor)


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    from onnx import helper  # pyright: ignore[reportMissingImports]

    return helper.make_node(kind, inputs, outputs, name=f"{outputs[0]}_{kind}", **attributes)


def _replace(model: Any, nodes: Mapping[str, Sequence[Any]], tensors: Mapping[str, Array]) -> None:
    """Put `nodes` in place of those whose outputs they make, and `tensors` in place of what nothing reads any more."""
    from onnx import numpy_helper  # pyright: ignore[reportMissingImports]

    before: Any = type(model).FromString(model.SerializeToString())
    graph = model.graph
    del graph.node[:], graph.initializer[:]
    for node in before.graph.node:
        graph.node.extend(nodes.get(node.output[0], [node]))
    read = {name for node in graph.node for name in node.input}
    graph.initializer.extend(tensor for tensor in before.graph.initializer if tensor.name in read)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in tensors.items()
    )
