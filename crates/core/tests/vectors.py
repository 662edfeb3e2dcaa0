"""The proof of GPU once more, from its description alone and with nothing shared with the Rust code.

Prints the constants of proof_vectors.rs: python3 crates/core/tests/vectors.py (15 s)
"""
from hashlib import sha256
from operator import mul
from struct import pack

N, ROUNDS = 256, 3


def h(*parts):
    return sha256(b"".join(parts)).digest()


def line(seed, m, index):
    """A row of A (m = 0) or a column of B (m = 1)."""
    blocks = (h(b"MRmat\0\0\0", seed, bytes([m]), pack("<II", index, b)) for b in range(N // 32))
    return [byte - 128 for block in blocks for byte in block]


def root(nodes):
    while len(nodes) & len(nodes) - 1:
        nodes.append(bytes(24))
    while len(nodes) > 1:
        nodes = [h(b"\1", l, r)[:24] for l, r in zip(nodes[::2], nodes[1::2])]
    return nodes[0]


def product(seed):
    a = [line(seed, 0, i) for i in range(N)]
    b = [line(seed, 1, j) for j in range(N)]
    return [[sum(map(mul, row, col)) for col in b] for row in a]


def leaves(c):
    cells = b"".join(pack("<I", entry % 2**24)[:3] for row in c for entry in row)
    return [cells[i : i + 48] for i in range(0, len(cells), 48)]


def show(name, value):
    print(f"{name}: {value.hex() if isinstance(value, bytes) else value}")


deployment, node, gpu, epoch, beacon = b"\1" * 32, b"\2" * 32, 3, 4, b"\5" * 32
nonce = h(b"\6" * 16, b"\7" * 16)
show("NONCE", nonce)
seed = h(b"MRseed", deployment, node, pack("<IQ", gpu, epoch), beacon, nonce)
rounds = []
for t in range(ROUNDS):
    c = product(seed)
    rounds.append((seed, root([h(b"\0", leaf)[:24] for leaf in leaves(c)])))
    show(f"SEEDS[{t}]", seed)
    show(f"ROOTS[{t}]", rounds[-1][1])
    if t == 0:
        show("BLOCK (A, row 7, block 2)", bytes(e + 128 for e in line(seed, 0, 7)[64:96]))
        show("BLOCK (B, column 255, block 7)", bytes(e + 128 for e in line(seed, 1, 255)[224:256]))
        show("ENTRIES (0, 0), (7, 255), (255, 100)", [c[0][0], c[7][255], c[255][100]])
        show("LEAF (7, 255)", leaves(c)[(7 * N + 255) // 16])
    seed = h(b"MRnext", *rounds[-1])
super_root = root([h(b"\0", *pair)[:24] for pair in rounds])
show("SUPER_ROOT", super_root)
commit = b"".join([b"MRcommit", deployment, node, pack("<IQ", gpu, epoch), beacon, nonce, pack("<II", N, ROUNDS), super_root])
show("COMMIT", commit)
show("COMMIT_ID", h(commit))
for i in (0, 1, 511):
    q = h(b"MRchal", super_root, b"\x08" * 32, pack("<I", i))
    number = lambda a, b: int.from_bytes(q[a:b], "little")
    show(f"QUERY {i}", (number(0, 8) % ROUNDS, number(8, 12) % N, number(12, 16) % N))
