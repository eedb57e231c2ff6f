"""ONNX Runtime's own static quantization, and runs of ONNX models."""

import logging

import numpy as np
import onnx
import onnxruntime
from onnx import version_converter
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

PER_CHANNEL_OPSET = 13  # the first whose DequantizeLinear has an axis

onnxruntime.set_default_logger_severity(3)
logging.getLogger().setLevel(logging.ERROR)


class Reader(quantization.CalibrationDataReader):
    def __init__(self, names, samples):
        self.feeds = iter([dict(zip(names, sample)) for sample in samples])

    def get_next(self):
        return next(self.feeds, None)


def input_names(model):
    constant = {c.name for c in model.graph.initializer}
    return [v.name for v in model.graph.input if v.name not in constant]


def quantize(path, samples, folder):
    """Writes the quantized model, as the documentation of onnxruntime.quantization advises: shapes
    inferred and batch normalizations folded first.  Returns its path."""
    model = onnx.load(path)
    names = input_names(model)
    version = next(o.version for o in model.opset_import if not o.domain)
    if version < PER_CHANNEL_OPSET:
        model = version_converter.convert_version(model, PER_CHANNEL_OPSET)
    converted, ready, out = (f"{folder}/{n}.onnx" for n in ("converted", "ready", "quantized"))
    onnx.save(model, converted)
    quant_pre_process(converted, ready, skip_symbolic_shape=True)
    options = {
        "quant_format": quantization.QuantFormat.QDQ,
        "per_channel": True,
        "activation_type": quantization.QuantType.QUInt8,
        "weight_type": quantization.QuantType.QInt8,
        "calibrate_method": quantization.CalibrationMethod.MinMax,
    }
    try:
        quantization.quantize_static(ready, out, Reader(names, samples), **options)
    except ValueError:
        # One of its steps, a rare correction for small biases, fails where a bias is not a vector.
        options["extra_options"] = {"QDQDisableWeightAdjustForInt32Bias": True}
        quantization.quantize_static(ready, out, Reader(names, samples), **options)
    return out


def run(path, samples):
    """The outputs of each sample."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return [session.run(None, dict(zip(names, sample))) for sample in samples]


def softmax(outputs):
    """The same with softmax over the first output."""
    found = []
    for first, *rest in outputs:
        powers = np.exp(first - first.max())
        found.append([powers / powers.sum(), *rest])
    return found
