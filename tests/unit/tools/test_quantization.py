from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tools import quantization

onnx = pytest.importorskip("onnx")

MODEL = Path(__file__).parents[3] / "models" / "all-MiniLM-L6-v2" / "onnx" / "model_int8.onnx"
WIDTH, OUTPUTS = 16, 24
OUTLIER = 5
UNSEEN = 9
"""A channel that is zero in every calibration text."""
ZERO_ROW = 7


def model() -> Any:
    """A word table and a small one, their sum scaled to an outlier channel, and two products of it, concatenated."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(quantization.TABLE_ROWS, WIDTH)).astype(np.float32)
    table[:100, UNSEEN] = 0
    table[ZERO_ROW] = 0
    gain = np.ones(WIDTH, np.float32)
    gain[OUTLIER] = 100
    left, right = rng.normal(size=(2, WIDTH, OUTPUTS)).astype(np.float32)
    left[OUTLIER] /= 100
    right[OUTLIER] /= 100
    kinds = np.zeros((2, WIDTH), np.float32)
    tensors = {"words": table, "kinds": kinds, "gain": gain, "left": left, "right": right}
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            node("Gather", ["words", "ids"], ["word"]),
            node("Gather", ["kinds", "types"], ["kind"]),
            node("Add", ["word", "kind"], ["even"]),
            node("Mul", ["even", "gain"], ["token"]),
            node("MatMul", ["token", "left"], ["a"]),
            node("MatMul", ["token", "right"], ["b"]),
            node("Concat", ["a", "b"], ["out"], axis=-1),
        ],
        "small",
        [value(name, onnx.TensorProto.INT64, ["batch", "sequence"]) for name in ("ids", "types")],
        [value("out", onnx.TensorProto.FLOAT, ["batch", "sequence", 2 * OUTPUTS])],
        [onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    made.ir_version = 10
    return made


def feed(ids: range) -> dict[str, Any]:
    return {"ids": np.array([list(ids)], np.int64), "types": np.zeros((1, len(ids)), np.int64)}


CALIBRATION = [feed(range(50)), feed(range(50, 100))]
OTHERS = feed(range(200, 260))


def quantized() -> Any:
    made = model()
    quantization.quantize(made, CALIBRATION)
    return made


def run(made: Any, inputs: dict[str, Any]) -> np.ndarray:
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["out"], inputs)[0])[0]


def error(made: Any, inputs: dict[str, Any]) -> float:
    """Of the outputs' length."""
    right = run(model(), inputs)
    return float(np.linalg.norm(run(made, inputs) - right) / np.linalg.norm(right))


def tensors(made: Any) -> dict[str, np.ndarray]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in made.graph.initializer}


def test_the_outputs_stay_what_they_were():
    onnx.checker.check_model(quantized())
    assert error(quantized(), OTHERS) < 0.1


def test_an_outlier_channel_does_not_take_the_range_from_the_others(monkeypatch: pytest.MonkeyPatch):
    even = error(quantized(), OTHERS)
    monkeypatch.setattr(quantization, "MIGRATION", 0)
    assert even < error(quantized(), OTHERS) / 4


def whole_weights(made: Any) -> dict[str, np.ndarray]:
    """(inputs, outputs) of each product."""
    by_name = tensors(made)
    return {node.input[1]: by_name[node.input[1]] for node in made.graph.node if node.op_type == "MatMulInteger"}


@pytest.mark.parametrize("shipped", [False, True])
def test_two_products_fit_into_sixteen_bits(*, shipped: bool):
    weights = whole_weights(onnx.load(MODEL) if shipped else quantized())
    assert len(weights) == (36 if shipped else 2)
    for array in weights.values():
        assert array.dtype == np.int8
        groups = array.astype(int).reshape(-1, 4, array.shape[1])
        two = [np.sort(side.clip(0), axis=1)[:, -2:].sum(axis=1).max() for side in (groups, -groups)]
        assert 127 <= max(two) <= 2**15 // 255


def test_inputs_need_not_fill_the_last_word():
    weights = np.array([[1], [1], [1], [1], [2]], np.float32)
    assert quantization._weight_steps(weights) == pytest.approx(2 / 127)


def test_a_table_uses_all_bits_in_each_row():
    largest = np.abs(tensors(quantized())["words_i8"].astype(int)).max(axis=1)
    assert set(np.delete(largest, ZERO_ROW)) == {127}


def test_no_float_weights_are_left_but_the_small_table():
    left = {name for name, array in tensors(quantized()).items() if array.dtype == np.float32 and array.ndim == 2}
    assert left == {"kinds", "words_steps"}


def test_products_of_one_input_quantise_it_once():
    assert [node.op_type for node in quantized().graph.node].count("DynamicQuantizeLinear") == 1


def test_a_row_of_zeros_stays_zero():
    assert not run(quantized(), feed(range(ZERO_ROW, ZERO_ROW + 1))).any()


def test_a_channel_that_calibration_did_not_see_does_not_take_the_range_either(monkeypatch: pytest.MonkeyPatch):
    unseen = error(quantized(), OTHERS)
    monkeypatch.setattr(quantization, "LEAST", 1e-9)
    assert unseen < error(quantized(), OTHERS) / 4


def test_the_same_model_and_texts_give_the_same_bytes():
    assert quantized().SerializeToString() == quantized().SerializeToString()


def test_without_a_text_there_is_no_factor():
    with pytest.raises(KeyError):
        quantization.quantize(model(), [])
