"""Caffe2's LeNet as an ONNX model, for ONNX Runtime: lenet.to_onnx(FOLDER, FILE)."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

import caffe2_run


def node(op):
    """The ONNX node of one operator of that net."""
    if op.kind == "Conv":
        return helper.make_node("Conv", op.inputs, op.outputs, kernel_shape=op.get("kernels", None))
    if op.kind == "Add":  # of a bias, along the channels
        return helper.make_node("Add", op.inputs, op.outputs)
    if op.kind == "MaxPool":
        return helper.make_node("MaxPool", op.inputs, op.outputs,
                                kernel_shape=op.get("kernels", None),
                                strides=op.get("strides", None))
    if op.kind == "Relu":
        return helper.make_node("Relu", op.inputs, op.outputs)
    if op.kind == "Reshape":  # to rows
        return helper.make_node("Flatten", op.inputs, op.outputs[:1])
    if op.kind == "FC":
        return helper.make_node("Gemm", op.inputs, op.outputs, transB=1)
    raise SystemExit(f"lenet: there is no rule for {op.kind}")


def to_onnx(folder, path):
    operators, outputs = caffe2_run.read_net(f"{folder}/predict_net.pb")
    weights = {}
    caffe2_run.Model.execute(caffe2_run.read_net(f"{folder}/init_net.pb")[0], weights)
    for op in operators:
        if op.kind == "Add":
            weights[op.inputs[1]] = weights[op.inputs[1]].reshape(-1, 1, 1)
    constants = [numpy_helper.from_array(np.ascontiguousarray(w), n) for n, w in weights.items()]
    graph = helper.make_graph(
        [node(op) for op in operators], "lenet",
        [helper.make_tensor_value_info(operators[0].inputs[0], 1, [1, 1, 28, 28])],
        [helper.make_tensor_value_info(outputs[0], 1, [1, 10])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
