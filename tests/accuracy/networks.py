"""The networks of the test data, each with samples to calibrate with and others to measure on.

A sample is a list of arrays, one per input.  All are made from the pictures and tensors of the test
data, the same ones each time:

  pictures      calibration: the 64 of images/calib64; measured: those of images/cats and
                images/glow_imagenet.  Where the input is not 224x224 they are scaled to cover it
                (bilinear) and cropped in the middle.
  digits        calibration: the ten of images/glow_mnist; measured: those and each moved by one and
                two pixels in four directions.
  cifar64       calibration: the first three pictures of each class; measured: the other four.
  features      where the test data has one tensor: rows of the spectrogram rolled, gain and noise
                changed at random (perturbed()).
  speech        the recorded word of the wake-word chain, louder, softer, shifted and with noise; the
                inner tensors of the chain are computed with the float networks.
"""

import glob
import os
import re

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from PIL import Image

N_CALIBRATION = 64
N_MEASURED = 16


class Network:
    def __init__(self, name, model, calibration, measured, *, onnx_twin=None, options=(),
                 classifies=False, labels=None, to_probabilities=False):
        self.name = name
        self.model = model              # what the loader gets
        self.onnx = onnx_twin or model  # what ONNX Runtime gets
        self.calibration = calibration
        self.measured = measured
        self.options = list(options)    # of the loader
        self.classifies = classifies    # the first output has a score per class
        self.labels = labels            # the right class of each measured sample
        self.to_probabilities = to_probabilities  # the ONNX twin ends in logits, the model does not


# ---- pictures ----

def picture(path, height, width):
    """height x width x 3 floats from 0 to 255."""
    image = Image.open(path).convert("RGB")
    scale = max(height / image.height, width / image.width)
    if scale != 1:
        size = max(width, round(image.width * scale)), max(height, round(image.height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    return np.asarray(image, np.float32)


def planes(pixels):
    """As a batch of one, channels first."""
    return [np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)]


def imagenet(pixels):
    mean = np.float32([0.485, 0.456, 0.406])
    return planes((pixels / 255 - mean) / np.float32([0.229, 0.224, 0.225]))


def caffe(pixels):
    return planes(pixels[:, :, ::-1] - np.float32([104, 117, 123]))


def zero_to_one(pixels):
    return planes(pixels / 255)


def around_zero(pixels):
    return planes((pixels - 127) / 128)


def luma(pixels):
    return planes((pixels @ np.float32([0.299, 0.587, 0.114]))[:, :, None] / 255)


def pictures(data, form, height, width):
    def of(*folders):
        paths = [p for f in folders for p in sorted(glob.glob(f"{data}/images/{f}/*.png"))]
        return [form(picture(p, height, width)) for p in paths]
    return of("calib64"), of("cats", "glow_imagenet")


def digits(data, factor):
    paths = sorted(glob.glob(f"{data}/images/glow_mnist/*.png"))
    plain = [np.asarray(Image.open(p).convert("L"), np.float32)[None, None] * factor for p in paths]
    label = [int(os.path.basename(p)[0]) for p in paths]
    moves = [(0, 0)] + [m for n in (1, 2) for m in ((n, 0), (-n, 0), (0, n), (0, -n))]
    moved = [[np.roll(x, m, (2, 3))] for m in moves for x in plain]
    return [[x] for x in plain], moved, label * len(moves)


def cifar(data):
    parts = {True: ([], []), False: ([], [])}
    classes = []
    for path in sorted(glob.glob(f"{data}/images/cifar64/*.jpg")):
        name, number = re.match(r"(\w+)_(\d+)", os.path.basename(path)).groups()
        if name not in classes:
            classes.append(name)
        samples, labels = parts[int(number) <= 22]
        samples.append(planes(np.asarray(Image.open(path), np.float32)))
        labels.append(classes.index(name))
    return parts[True][0], *parts[False]


# ---- features and sound ----

def tensors(folder, number=0):
    """The inputs of a test data set."""
    found = []
    for path in sorted(glob.glob(f"{folder}/test_data_set_{number}/input_*.pb")):
        tensor = onnx.TensorProto()
        with open(path, "rb") as file:
            tensor.ParseFromString(file.read())
        found.append(numpy_helper.to_array(tensor))
    return found


def perturbed(x, rows, count, seed):
    """x as rows of a spectrogram, rolled, multiplied by 0.7 to 1.2 and with noise."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        moved = np.roll(x.reshape(rows, -1), rng.integers(rows), 0) * rng.uniform(0.7, 1.2)
        moved += rng.normal(0, 0.02, moved.shape) * x.std()
        found.append([moved.reshape(x.shape).astype(np.float32)])
    return found


def features(folder, rows):
    x = tensors(folder)[0]
    return perturbed(x, rows, N_CALIBRATION, 1), [[x]] + perturbed(x, rows, N_MEASURED - 1, 2)


def sounds(data, count, seed):
    """The recorded word: 16-bit samples as floats, 1 x N."""
    rng = np.random.default_rng(seed)
    x = tensors(f"{data}/nets/oww_melspectrogram")[0]
    found = []
    for _ in range(count):
        moved = np.roll(x, rng.integers(-8000, 8000), 1) * rng.uniform(0.2, 1)
        moved += rng.normal(0, rng.uniform(5, 100), x.shape)
        found.append(np.rint(np.clip(moved, -32768, 32767)).astype(np.float32))
    return found


def wake_word(data):
    """The samples of the three networks of the chain, by name."""
    stages = [onnxruntime.InferenceSession(f"{data}/nets/oww_{n}/model.onnx")
              for n in ("melspectrogram", "embedding", "alexa")]

    def chain(sound):
        mel = stages[0].run(None, {"input": sound})[0].squeeze() / 10 + 2
        windows = np.stack([mel[i:i + 76] for i in range(0, len(mel) - 75, 8)])[..., None]
        embedding = stages[1].run(None, {"input_1": windows})[0]
        return [[sound], [windows], [embedding.reshape(1, 16, 96)]]

    parts = []
    for count, seed in ((N_CALIBRATION, 3), (N_MEASURED, 4)):
        parts.append(list(zip(*(chain(s) for s in sounds(data, count, seed)))))
    names = ("oww_melspectrogram", "oww_embedding", "oww_alexa")
    return {n: (list(c), list(m)) for n, c, m in zip(names, *parts)}


def noise_filter(data):
    """Spectra of the recorded word, with the state that the float network leaves between them."""
    session = onnxruntime.InferenceSession(f"{data}/nets/dtln_1/model.onnx")
    parts = []
    for sound in sounds(data, 2, 5):
        state = np.zeros((1, 2, 128, 2), np.float32)
        samples = []
        for start in range(0, sound.shape[1] - 511, 128):
            block = sound[0, start:start + 512] / 32768
            spectrum = np.abs(np.fft.rfft(block)).astype(np.float32)[None, None]
            samples.append([spectrum, state])
            state = session.run(None, {"input_2": spectrum, "input_3": state})[1]
        parts.append(samples)
    return parts[0][::4], parts[1][::8]


def sentences(data):
    """Bytes of the names of ImageNet's classes, two strings of 58."""
    with open(f"{data}/images/imagenet_classes.txt", "rb") as file:
        text = np.frombuffer(file.read().replace(b"\n", b". "), np.uint8)
    n = N_CALIBRATION + N_MEASURED - 1
    cut = [[text[i * 116:(i + 1) * 116].reshape(2, 58)] for i in range(n)]
    measured = [tensors(f"{data}/nets/byte_sb_bidi_lstm")] + cut[N_CALIBRATION:]
    return cut[:N_CALIBRATION], measured


# ---- the list ----

def classifiers(data, models, lenet):
    net50 = pictures(data, imagenet, 224, 224)
    squeeze = pictures(data, caffe, 224, 224)
    onnx50 = f"{models}/onnx-resnet50/model.onnx"
    squeeze11 = f"{models}/onnx-squeezenet11_fp32/model.onnx"
    *small, labels = digits(data, 1 / 255)
    *byte, _ = digits(data, 1)
    *tiny, classes = cifar(data)
    return [
        Network("resnet50", f"{models}/resnet50", *net50, onnx_twin=onnx50, classifies=True,
                options=["-model-input=gpu_0/data,float,[1,3,224,224]"], to_probabilities=True),
        Network("onnx-resnet50", onnx50, *net50, classifies=True),
        Network("squeezenet", f"{models}/squeezenet", *squeeze, onnx_twin=squeeze11,
                options=["-model-input=data,float,[1,3,224,224]"], classifies=True),
        Network("onnx-squeezenet11_fp32", squeeze11, *squeeze, classifies=True),
        Network("mnist_lenet", f"{models}/mnist_lenet", *small, onnx_twin=lenet,
                options=["-model-input=1,float,[1,1,28,28]"], classifies=True, labels=labels),
        Network("onnx-mnist_8", f"{models}/onnx-mnist_8/model.onnx", *byte, classifies=True,
                labels=labels),
        Network("onnx-mlperf_resnet8", f"{models}/onnx-mlperf_resnet8/model.onnx", *tiny,
                classifies=True, labels=classes),
    ]


def all_networks(data, models, lenet):
    nets = f"{data}/nets"

    def net(name, samples, **more):
        return Network(name, f"{nets}/{name}/model.onnx", *samples, **more)

    def with_tensors(name, samples, numbers=(0,)):
        return samples[0], samples[1] + [tensors(f"{nets}/{name}", i) for i in numbers]

    speech = wake_word(data)
    found = classifiers(data, models, lenet) + [
        net("kws_fp32", features(f"{nets}/kws_fp32", 49), classifies=True),
        net("mlperf_vww96", with_tensors("mlperf_vww96", pictures(data, zero_to_one, 96, 96),
                                         range(3)), classifies=True),
        net("mlperf_ad01", features(f"{nets}/mlperf_ad01", 5)),
        net("stm_mbv2_035_128", with_tensors("stm_mbv2_035_128",
                                             pictures(data, around_zero, 128, 128)),
            classifies=True),
        net("ultraface_rfb320", with_tensors("ultraface_rfb320",
                                             pictures(data, around_zero, 240, 320))),
        net("fastestdet", with_tensors("fastestdet", pictures(data, zero_to_one, 352, 352))),
        net("super_resolution_10", with_tensors("super_resolution_10",
                                                pictures(data, luma, 224, 224))),
        net("oww_melspectrogram", speech["oww_melspectrogram"],
            options=["-model-input=input,float,[1,31840]"]),
        net("oww_embedding", speech["oww_embedding"],
            options=["-model-input=input_1,float,[16,76,32,1]"]),
        net("oww_alexa", speech["oww_alexa"]),
        net("dtln_1", noise_filter(data)),
        net("byte_sb_bidi_lstm", sentences(data),
            options=["-model-input=input,uint8,[2,58]"]),
    ]
    return found
