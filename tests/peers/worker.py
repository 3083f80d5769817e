"""One engine in a process of its own, which stays loaded: the Python engines' side of what examples/peer.rs does.

    python worker.py ENGINE WEIGHTS INPUT FOLDER THREADS BACKBONE

prints one line of JSON and then answers each line of stdin with one line:

    run N          the first N pictures once through the network; prints the nanoseconds
    write PATH N   the same, the maps (N, 512, 7, 7), or the features (N, 1280), going to PATH as little-endian f32

An engine is a function (setting) -> (what is to be said of it, forward), and `forward` takes a C-contiguous
(N, 3, 224, 224) array of f32 to another of the output's shape. What it needs to change the layout on the way in
and out is part of its time; what it prepares once, or once for a size of batch, is not.
FOLDER is for files that an engine makes of the weights.
"""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np

import backbones

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore")


@dataclasses.dataclass
class Setting:
    weights: pathlib.Path
    folder: pathlib.Path
    threads: int
    # Of backbones.MODULES.
    network: object

    @functools.cached_property
    def onnx(self):
        """The network as an ONNX file, of this process alone: no two ever write the same one."""
        path = self.folder / f"network-{os.getpid()}.onnx"
        self.network.write_onnx(self.weights, path)
        return path

    def forget_onnx(self):
        """For engines that have read it."""
        self.onnx.unlink()


def prepared_for_each_batch(prepare):
    """A `forward` of the `forward` that `prepare(N)` makes, which is called once for each N."""
    prepare = functools.cache(prepare)
    return lambda x: prepare(len(x))(x)


# ---------------------------------------------------------------------------------------------------
# PyTorch


def pytorch(s, forward_of, precision="f32"):
    """`forward_of(torch, module)` makes a function of tensors."""
    import torch

    torch.set_num_threads(s.threads)
    compute = forward_of(torch, s.network.torch_module(s.weights))

    def forward(x):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return compute(torch.from_numpy(x)).float().contiguous().numpy()

    return {"version": torch.__version__}, forward


def channels_last(torch, module):
    module = module.to(memory_format=torch.channels_last)
    return lambda x: module(x.contiguous(memory_format=torch.channels_last))


def channels_first(torch, module):
    return module


def mkldnn(torch, module):
    from torch.utils.mkldnn import to_mkldnn

    module = to_mkldnn(module)
    return lambda x: module(x.to_mkldnn()).to_dense()


# ---------------------------------------------------------------------------------------------------
# OpenVINO


def openvino(s, precision, streams):
    """With several streams a batch is cut into as many parts, each computed by threads / streams."""
    import openvino as ov

    core = ov.Core()
    options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": s.threads, "NUM_STREAMS": streams}

    def compiled(batch):
        model = core.read_model(s.onnx)
        model.reshape([batch, 3, s.network.SIDE, s.network.SIDE])
        return core.compile_model(model, "CPU", options)

    def prepare(batch):
        n_parts = min(streams, batch)
        if batch % n_parts:
            raise ValueError(f"a batch of {batch} does not fall into {n_parts} parts")
        model = compiled(batch // n_parts)
        requests = [model.create_infer_request() for _ in range(n_parts)]

        def forward(x):
            for request, part in zip(requests, np.split(x, n_parts)):
                # The model reads the part where it lies.
                request.set_input_tensor(ov.Tensor(part, shared_memory=True))
                request.start_async()
            for request in requests:
                request.wait()
            return np.concatenate([request.get_output_tensor().data for request in requests])

        return forward

    about = {"version": ov.__version__.split("-")[0], "kernels": primitives(compiled(1))}
    return about, prepared_for_each_batch(prepare)


def primitives(model):
    """What OpenVINO says that it computes the convolutions with."""
    info = [node.get_rt_info() for node in model.get_runtime_model().get_ops()]
    text = lambda node, key: node[key].astype(str) if key in node else ""
    return ", ".join(sorted({text(node, "primitiveType") for node in info if "Convolution" in text(node, "layerType")}))


# ---------------------------------------------------------------------------------------------------
# The others


def onnxruntime(s):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = s.threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(s.onnx, options, providers=["CPUExecutionProvider"])
    s.forget_onnx()
    return {"version": ort.__version__}, lambda x: session.run(None, {"x": x})[0]


def ncnn(s, precision):
    """One picture a call: this library has no batches."""
    import ncnn as library

    net = library.Net()
    net.opt.num_threads = s.threads
    net.opt.use_bf16_storage = precision == "bf16"
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    # As its own benchmark does; the network does not keep them alive.
    allocators = library.UnlockedPoolAllocator(), library.PoolAllocator()
    net.opt.blob_allocator, net.opt.workspace_allocator = allocators
    parameters, weights = ncnn_files(s)
    net.load_param(str(parameters))
    net.load_model(str(weights))

    def one(picture):
        extractor = net.create_extractor()
        extractor.input("in0", library.Mat(picture))
        return np.array(extractor.extract("out0")[1])

    def forward(x, keep_alive=allocators):
        return np.stack([one(picture) for picture in x])

    return {"version": library.__version__}, forward


def ncnn_files(s):
    """What pnnx, which is installed beside this Python, makes of the network."""
    import torch

    folder = s.folder / f"ncnn-{os.getpid()}"
    folder.mkdir()
    picture = torch.zeros(1, 3, s.network.SIDE, s.network.SIDE)
    torch.jit.trace(s.network.torch_module(s.weights), picture).save(folder / "v.pt")
    converter = pathlib.Path(sys.executable).parent / "pnnx"
    shape = f"inputshape=[1,3,{s.network.SIDE},{s.network.SIDE}]"
    subprocess.run([converter, "v.pt", shape, "fp16=0"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "v.ncnn.param", folder / "v.ncnn.bin"


def tensorflow(s):
    """Weights as constants of a graph in NHWC, so that bias and ReLU are fused into the convolutions."""
    import tensorflow as tf
    from safetensors.numpy import load_file

    tf.config.threading.set_intra_op_parallelism_threads(s.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tensors = load_file(s.weights)
    kernels = {name: tf.constant(tensors[f"{name}.weight"].transpose(2, 3, 1, 0)) for name, *_ in s.network.convolutions()}
    biases = {name: tf.constant(tensors[f"{name}.bias"]) for name, *_ in s.network.convolutions()}

    @tf.function
    def compute(x):
        for step in s.network.steps():
            if step[0] == "pool":
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            else:
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernels[step[1]], 1, "SAME"), biases[step[1]]))
        return x

    def forward(x):
        nhwc = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        return np.ascontiguousarray(compute(tf.constant(nhwc)).numpy().transpose(0, 3, 1, 2))

    return {"version": tf.__version__}, forward


def opencv(s):
    import cv2

    cv2.setNumThreads(s.threads)

    def prepare(batch):
        net = cv2.dnn.readNetFromONNX(str(s.onnx))

        def forward(x):
            net.setInput(x)
            return net.forward()

        return forward

    return {"version": cv2.__version__}, prepared_for_each_batch(prepare)


ENGINES = {
    "pytorch channels_last": lambda s: pytorch(s, channels_last),
    "pytorch channels_first": lambda s: pytorch(s, channels_first),
    "pytorch mkldnn": lambda s: pytorch(s, mkldnn),
    "pytorch autocast": lambda s: pytorch(s, channels_last, "bf16"),
    "openvino f32": lambda s: openvino(s, "f32", 1),
    "openvino f32 streams": lambda s: openvino(s, "f32", s.threads),
    "openvino bf16": lambda s: openvino(s, "bf16", 1),
    "openvino bf16 streams": lambda s: openvino(s, "bf16", s.threads),
    "onnxruntime": onnxruntime,
    "ncnn f32": lambda s: ncnn(s, "f32"),
    "ncnn bf16": lambda s: ncnn(s, "bf16"),
    "tensorflow": tensorflow,
    "opencv": opencv,
}


# ---------------------------------------------------------------------------------------------------


def execute(command, forward, pictures):
    """The answer to one line."""
    match command.split():
        case ["run", n]:
            x = pictures[: int(n)]
            start = time.perf_counter_ns()
            forward(x)
            return str(time.perf_counter_ns() - start)
        case ["write", path, n]:
            np.ascontiguousarray(forward(pictures[: int(n)]), np.float32).tofile(path)
            return "written"
    raise ValueError(f"unknown command {command!r}")


def main():
    name, weights, pictures, folder, threads, backbone = sys.argv[1:]
    network = backbones.MODULES[backbone]
    # The libraries print to stdout what they like; the answers have a copy of it to themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    start = time.perf_counter()
    about, forward = ENGINES[name](Setting(pathlib.Path(weights), pathlib.Path(folder), int(threads), network))
    print(json.dumps({**about, "load_s": time.perf_counter() - start}), file=answers)
    pictures = network.read_input(pictures)
    for command in sys.stdin:
        try:
            answer = execute(command, forward, pictures)
        except Exception as error:
            answer = f"error: {error}".replace("\n", " ")
        print(answer, file=answers)


if __name__ == "__main__":
    main()
