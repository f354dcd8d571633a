"""A network is a regular file of bounded size that holds all its weights; whatever else it is said to be is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earmark.errors import OptionError
from earmark.fingerprints.neural import WEIGHTS, Neural
from earmark.fingerprints.onnx import LARGEST_BYTES, open_network, read_metadata, read_network


def external(name: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def model(**changes: list[object]) -> onnx.ModelProto:
    """Return a network of one addition, with tensors or nodes of one's own."""
    here = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    there = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    nodes = [helper.make_node("Add", ["x", "x"], ["y"]), *changes.get("nodes", [])]
    return helper.make_model(
        helper.make_graph(nodes, "g", [here], [there], initializer=changes.get("initializers", []))
    )


def hostile() -> dict[str, onnx.ModelProto]:
    branch = helper.make_graph([], "inner", [], [], initializer=[external("deep")])
    constant = helper.make_node("Constant", [], ["c"], value=external("value"))
    sparse = model()
    sparse.graph.sparse_initializer.add().values.CopyFrom(external("sparse"))
    function = model()
    function.functions.add(name="f", domain="d").node.append(constant)
    return {
        "a weight": model(initializers=[external("w")]),
        "a constant": model(nodes=[constant]),
        "a branch": model(nodes=[helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)]),
        "a sparse weight": sparse,
        "a function": function,
    }


@pytest.mark.parametrize("where", hostile())
def test_weights_in_another_file_are_refused_wherever_they_are_named(where: str, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(hostile()[where].SerializeToString())
    with pytest.raises(OptionError, match=r"keeps weights in another file; give another"):
        read_network(path, "give another")
    with pytest.raises(OptionError, match="another file"):
        Neural(model=str(path))


def field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of a protocol buffer."""
    length, digits = len(content), bytearray()
    while length > 127:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *digits, length]) + content


def test_graphs_within_graphs_have_an_end(tmp_path: Path) -> None:
    message = b"\x0a\x00"
    for _ in range(40):
        attribute = field(6, message)
        message = field(1, field(5, attribute))  # a graph's node, whose attribute is a graph
    (tmp_path / "deep.onnx").write_bytes(field(7, message))
    with pytest.raises(OptionError, match="graphs within graphs"):
        read_network(tmp_path / "deep.onnx", "give another")


def test_what_is_no_regular_file_or_too_large_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero"), tmp_path):
        with pytest.raises(OptionError, match="cannot be read"):
            read_network(path, "give another")
    with pytest.raises(OptionError, match="256,000,001 bytes, and 256,000,000 are allowed"):
        read_network(tmp_path / "large.onnx", "give another")
    with pytest.raises(OptionError, match="No such file"):
        Neural(model=str(tmp_path / "absent.onnx"))


def test_what_is_hashed_is_what_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes((WEIGHTS / "default.onnx").read_bytes())
    maker = Neural(model=str(path))
    path.write_bytes(model().SerializeToString())  # another network takes its place
    sound = np.sin(np.arange(16_000, dtype=np.float32) ** 2 * 1e-4)
    assert maker.spec == Neural().spec
    assert np.array_equal(
        maker.extract(sound).layers["vectors"].values, Neural().extract(sound).layers["vectors"].values
    )


def test_a_network_of_ones_own_is_read_with_its_metadata(tmp_path: Path) -> None:
    path, own = tmp_path / "own.onnx", model(initializers=[numpy_helper.from_array(np.ones(4, np.float32), "w")])
    own.metadata_props.add(key="dimensions", value="8")
    own.ir_version = 10
    own.opset_import[0].version = 18
    path.write_bytes(own.SerializeToString())
    content = read_network(path, "give another")
    assert read_metadata(content) == {"dimensions": "8"}
    (doubled,) = open_network(content, path, "give another").run(None, {"x": np.ones(4, np.float32)})
    assert doubled.tolist() == [2.0] * 4
