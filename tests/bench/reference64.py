"""An ONNX model's outputs in float64, by onnx's own reference operators."""

import numpy as np
import onnx
from onnx import numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

OPSET = 21  # of earlier ones some reference operators are wrong


def widen(tensor):
    if tensor.data_type == onnx.TensorProto.FLOAT:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def widen_graph(graph):
    for tensor in graph.initializer:
        widen(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen(attribute.t)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                widen_graph(attribute.g)
            elif node.op_type == "Cast" and attribute.name == "to" and \
                    attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.DOUBLE


def run(path, inputs):
    """The bytes of each output, for the inputs as TensorProtos' types, dims and bytes; None where
    the model is none that these operators run in float64."""
    try:
        model = version_converter.convert_version(onnx.load(path), OPSET)
        widen_graph(model.graph)
        constants = {tensor.name for tensor in model.graph.initializer}
        values = [v for v in model.graph.input if v.name not in constants]
        feeds = {}
        for value, (dtype, dims, data) in zip(values, inputs):
            array = np.frombuffer(data, onnx.helper.tensor_dtype_to_np_dtype(dtype))
            if dtype == onnx.TensorProto.FLOAT:
                array = array.astype(np.float64)
            feeds[value.name] = array.reshape(dims)
        outputs = ReferenceEvaluator(model).run(None, feeds)
    except Exception as e:  # whatever a converter or an operator does not know
        print(f"no reference in float64: {path}: {type(e).__name__}", flush=True)
        return None
    return [output.tobytes() for output in outputs] if all(
        output.dtype == np.float64 for output in outputs) else None
