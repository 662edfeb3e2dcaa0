"""Compiles CUDA sources, one behind the other, to PTX with NVRTC and checks it with ptxas. Called by `toolchain/ptx`."""

import ctypes
import hashlib
import importlib
import pathlib
import re
import subprocess
import sys
import tempfile

# Which cards run the PTX of which generation.
CARDS = {61: [61, 70], 75: [75], 80: [80, 86, 89, 90, 100, 120]}


def folder(package: str) -> pathlib.Path:
    return pathlib.Path(importlib.import_module(package).__path__[0])


def nvrtc() -> ctypes.CDLL:
    libraries = folder("nvidia.cuda_nvrtc") / "lib"
    ctypes.CDLL(next(libraries.glob("libnvrtc-builtins.so*")), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(next(libraries.glob("libnvrtc.so*")))


def text_of(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, text)
    return text.value.decode()


def compile_ptx(library: ctypes.CDLL, source: bytes, generation: int) -> str:
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source, b"kernels.cu", 0, None, None)
    options = [f"-arch=compute_{generation}".encode(), b"-std=c++17"]
    failed = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = text_of(library, program, "ProgramLog")
    if failed or log:
        sys.exit(f"compute_{generation}: {log}")
    return text_of(library, program, "PTX")


def check(ptx: pathlib.Path, card: int) -> None:
    with tempfile.NamedTemporaryFile() as out:
        command = [folder("nvidia.cuda_nvcc") / "bin" / "ptxas", "-v", f"-arch=sm_{card}", ptx, "-o", out.name]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode:
        sys.exit(f"{ptx}, sm_{card}: {said.stderr}")
    kernels = re.findall(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers", said.stderr, re.S)
    if any(spilled != "0" for _, spilled, _ in kernels):
        sys.exit(f"{ptx}, sm_{card}: registers are spilled to memory\n{said.stderr}")
    print(f"{ptx.name} on sm_{card}: registers " + ", ".join(f"{name} {registers}" for name, _, registers in sorted(kernels)))


def main(*paths: str) -> None:
    source = b"".join(pathlib.Path(path).read_bytes() for path in paths)
    library = nvrtc()
    for generation, cards in CARDS.items():
        ptx = pathlib.Path(paths[0]).with_name(f"kernels_{generation}.ptx")
        # Without the compiler's banner and the constants of its own headers.
        code = re.sub(r"^\s*//.*\n|^\.global .*nv6target.*\n|^\s*\n", "", compile_ptx(library, source, generation), flags=re.M)
        ptx.write_text(f"// Made by toolchain/ptx of {' and '.join(paths)}, sha256 {hashlib.sha256(source).hexdigest()}.\n{code}")
        for card in cards:
            check(ptx, card)


main(*sys.argv[1:])
