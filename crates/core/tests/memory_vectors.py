"""The proof of memory once more, from its description alone and with nothing shared with the Rust code.

Prints the constants of memory_vectors.rs: python3 crates/core/tests/memory_vectors.py (1 s)
"""
from hashlib import sha256
from struct import pack, unpack

WORDS, WALKERS, SLICES, STEPS, LANES = 2**14 + 2**12, 700, 64, 4, 16


def h(*parts):
    return sha256(b"".join(parts)).digest()


def root(nodes):
    while len(nodes) & len(nodes) - 1:
        nodes.append(bytes(24))
    while len(nodes) > 1:
        nodes = [h(b"\1", l, r)[:24] for l, r in zip(nodes[::2], nodes[1::2])]
    return nodes[0]


def leaves(contents):
    return [h(b"\0", content)[:24] for content in contents]


def addresses(word, limit):
    parts = unpack("<8I", word)
    return [((parts[i] * 2**32 + parts[(i + 1) % 8]) * limit) >> 64 for i in range(8)]


def fill(seed):
    words = []
    slice_words = WORDS // SLICES
    for index in range(WORDS):
        step, lane = divmod(index, LANES)
        previous = words[index - LANES] if step else bytes(32)
        finished = index // slice_words * slice_words
        refs = [words[a] if finished else bytes(32) for a in addresses(previous, finished)]
        words.append(h(b"MRword\0\0", seed, bytes(24), pack("<II", lane, step), previous, *refs))
    return words


def walk(seed, walker, words):
    state = h(b"MRstep", seed, pack("<I", walker))
    for _ in range(STEPS):
        mixed = unpack("<4Q", state)
        for a in addresses(state, WORDS):
            products = [(m ^ w) * 0x9E3779B97F4A7C15 % 2**64 for m, w in zip(mixed, unpack("<4Q", words[a]))]
            mixed = [product >> 32 | product % 2**32 << 32 for product in products]
        state = h(b"\2", pack("<4Q", *mixed))
    return state


def query(tag, walk_id, i, limit):
    bits = int.from_bytes(h(tag, walk_id, b"\x08" * 32, pack("<I", i))[:8], "little")
    return bits * limit >> 64


def show(name, value):
    print(f"{name}: {value.hex() if isinstance(value, bytes) else value}")


task = b"".join([b"\1" * 32, b"\2" * 32, pack("<IQ", 3, 4), b"\5" * 32, h(b"\6" * 16, b"\7" * 16), pack("<Q", WORDS)])
seed = h(b"MRfill", task)
show("FILL_SEED", seed)
words = fill(seed)
for lane, step in ((0, 0), (3, 1), (15, 20), (7, 1279)):
    show(f"WORD ({lane}, {step})", words[step * LANES + lane])
show("ADDRESSES", addresses(words[0], WORDS))
fill_root = root(leaves(words))
show("FILL_ROOT", fill_root)
memory_commit = b"MRmemory" + task + pack("<I", WALKERS) + fill_root
show("MEMORY_COMMIT", memory_commit)
nonce = h(b"\x09" * 16, b"\x0a" * 16)
seed = h(b"MRwalk", fill_root, nonce)
show("WALK_SEED", seed)
ends = [walk(seed, walker, words) for walker in range(WALKERS)]
show("ENDS[0]", ends[0])
show("ENDS[699]", ends[699])
walk_commit = b"MRwalked" + h(memory_commit) + nonce + root(leaves(ends))
show("WALK_COMMIT", walk_commit)
for i in (0, 1, 127):
    show(f"WALKER_QUERY {i}", query(b"MRchwk", h(walk_commit), i, WALKERS))
for i in (0, 1, 511):
    show(f"WORD_QUERY {i}", query(b"MRchwd", h(walk_commit), i, WORDS))
