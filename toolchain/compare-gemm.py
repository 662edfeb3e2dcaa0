"""The table of toolchain/compare-gemm, which says what it measures and how to call it."""

import subprocess
import sys
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

parts, n, threads, times = sys.argv[1], *map(int, sys.argv[2:])
operations = 2 * n**3
random = numpy.random.default_rng(0)


def integer_product(a_type, b):
    """onnxruntime's product of an input of a_type with b, which it may pack beforehand as our kernels do."""
    a_info = helper.make_tensor_value_info("a", helper.np_dtype_to_tensor_dtype(numpy.dtype(a_type)), [n, n])
    c_info = helper.make_tensor_value_info("c", TensorProto.INT32, [n, n])
    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "product", [a_info], [c_info], [numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda a: session.run(None, {"a": a})[0]


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def operand(dtype):
    return random.integers(numpy.iinfo(dtype).min, numpy.iinfo(dtype).max, (n, n), dtype, endpoint=True)


libraries = {}
for a_type, b_type in ((numpy.uint8, numpy.uint8), (numpy.int8, numpy.int8)):
    a, b = operand(a_type), operand(b_type)
    product = integer_product(a_type, b)
    # Some rows by numpy, whose sums of products are exact in float64.
    exact = numpy.array_equal(product(a)[:4], (a[:4].astype(float) @ b.astype(float)).astype(numpy.int32))
    name = f"onnxruntime {onnxruntime.__version__}, {a.dtype} × {b.dtype}{'' if exact else ' (saturates: other bits)'}"
    libraries[name] = lambda a=a, product=product: product(a)
a, b = (random.random((n, n), numpy.float32) for _ in range(2))
libraries[f"numpy {numpy.__version__} (OpenBLAS), float32"] = lambda a=a, b=b: a @ b

ours = subprocess.Popen([parts, str(n), str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
peak = int(ours.stdout.readline())
measured = {}
for _ in range(times):
    ours.stdin.write("\n")
    ours.stdin.flush()
    kernel, *nanos = ours.stdout.readline().split()
    for part, part_nanos in zip(("generate", "multiply", "hash"), nanos):
        measured.setdefault(part, []).append(int(part_nanos) / 1e9)
    for name, work in libraries.items():
        measured.setdefault(name, []).append(seconds(work))
ours.stdin.close()
if ours.wait():
    sys.exit(f"{parts} failed")

best = {name: min(secs) for name, secs in measured.items()}
print(f"n = {n:,}, {threads} threads, the best of {times}\n")
print("| product | gops | to ours |\n|---|--:|--:|")
print(f"| {kernel}, multiply-accumulate on registers alone | {peak} | {peak * best['multiply'] * 1e9 / operations:.2f} |")
for name in ("multiply", *libraries):
    shown = f"**{kernel}**" if name == "multiply" else name
    print(f"| {shown} | {operations / best[name] / 1e9:.0f} | {best['multiply'] / best[name]:.2f} |")
print("\n| part of a round | ms | of the product |\n|---|--:|--:|")
for part in ("multiply", "generate", "hash"):
    print(f"| {part} | {best[part] * 1e3:.0f} | {best[part] / best['multiply']:.0%} |")
