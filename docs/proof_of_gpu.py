"""The proof of GPU once more, written from proof-of-gpu.md alone: nothing of the Rust code is used.

python3 docs/proof_of_gpu.py        recomputes all of proof-vectors.json, prover's side and verifier's (about 10 s)
"""
import json
import sys
from hashlib import sha256
from operator import mul
from pathlib import Path
from struct import Struct, pack, unpack

QUERIES = 512
NODE = 24


class Refused(Exception):
    """Why something is not accepted: a kind, and the round or query it is about."""

    def __init__(self, kind, at=None, wrong=()):
        self.kind, self.at, self.wrong = kind, at, list(wrong)


def expect(condition, kind, at=None):
    if not condition:
        raise Refused(kind, at)


def h(*parts):
    return sha256(b"".join(parts)).digest()


# Trees.


def leaf_node(content):
    return h(b"\0", content)[:NODE]


def parent(left, right):
    return h(b"\1", left, right)[:NODE]


def depth(leaves):
    return (leaves - 1).bit_length()


def levels_of(nodes):
    """All levels of a tree, the leaves first, padded with zeros."""
    levels = [nodes + [bytes(NODE)] * ((1 << depth(len(nodes))) - len(nodes))]
    while len(levels[-1]) > 1:
        level = levels[-1]
        levels.append([parent(*pair) for pair in zip(level[::2], level[1::2])])
    return levels


def path_of(levels, index):
    return [level[index >> height ^ 1] for height, level in enumerate(levels[:-1])]


def root_from_path(node, index, path):
    for sibling in path:
        node = parent(sibling, node) if index & 1 else parent(node, sibling)
        index >>= 1
    return node


# The computation.


def line(seed, m, index, n):
    """A row of A (m = 0) or a column of B (m = 1), as bytes: an element is its byte less 128."""
    return b"".join(h(b"MRmat\0\0\0", seed, pack("<BII", m, index, block)) for block in range(n // 32))


def elements(line):
    return [byte - 128 for byte in line]


def entry(seed, n, row, col):
    return sum(map(mul, elements(line(seed, 0, row, n)), elements(line(seed, 1, col, n))))


def product(seed, n):
    """C, row by row. A row of B is one large number with 32 bits for each column, so a row of C is n products."""
    every_column = int.from_bytes(b"\1\0\0\0" * n, "little")
    rows_of_b = zip(*(line(seed, 1, col, n) for col in range(n)))
    b = [int.from_bytes(pack(f"<{n}I", *row), "little") - 128 * every_column for row in rows_of_b]
    for row in range(n):
        # 2^31 more in each column keeps it from borrowing of the next.
        total = sum(map(mul, elements(line(seed, 0, row, n)), b)) + (every_column << 31)
        yield [cell - 2**31 for cell in unpack(f"<{n}I", total.to_bytes(4 * n, "little"))]


def leaves(c):
    """16 entries of a row, each modulo 2^24 in three bytes."""
    for row in c:
        cells = b"".join(pack("<I", cell % 2**24)[:3] for cell in row)
        yield from (cells[at : at + 48] for at in range(0, len(cells), 48))


def cell(leaf, col):
    return int.from_bytes(leaf[col % 16 * 3 :][:3], "little")


# Seeds, commits, queries.

TASK = Struct("<32s32sIQ32s32sII")
TASK_FIELDS = "deployment_id node gpu_index epoch beacon nonce n rounds".split()


def seed_0(task):
    fields = TASK.pack(*(task[name] for name in TASK_FIELDS))
    return h(b"MRseed", fields[:-8])


def next_seed(seed, root):
    return h(b"MRnext", seed, root)


def commit_bytes(task, super_root):
    return b"MRcommit" + TASK.pack(*(task[name] for name in TASK_FIELDS)) + super_root


def read_commit(data):
    expect(len(data) == 180, "length")
    expect(data[:8] == b"MRcommit", "tag")
    task = dict(zip(TASK_FIELDS, TASK.unpack(data[8:156])))
    n = task["n"]
    expect(256 <= n <= 65_536 and n & n - 1 == 0, "size")
    expect(1 <= task["rounds"] <= 64, "rounds")
    return task, data[156:]


def queries(task, super_root, next_beacon):
    for i in range(QUERIES):
        q = h(b"MRchal", super_root, next_beacon, pack("<I", i))
        number = lambda start, end: int.from_bytes(q[start:end], "little")
        yield number(0, 8) % task["rounds"], number(8, 12) % task["n"], number(12, 16) % task["n"]


def query_bytes(query):
    return pack("<BHH", *query)


# The prover.


class Run:
    """R rounds; `lie` says how they depart from the rules."""

    def __init__(self, task, lie):
        self.task, self.pairs, self.trees, self.contents = task, [], [], []
        seed = seed_0(task)
        for t in range(task["rounds"]):
            if lie.get("seed", {}).get("round") == t:
                seed = bytes.fromhex(lie["seed"]["seed"])
            zero_rows = lie.get("zero_rows_below", 0)
            rows = (row if i >= zero_rows else [0] * task["n"] for i, row in enumerate(product(seed, task["n"])))
            self.contents.append(list(leaves(rows)))
            self.trees.append(levels_of([leaf_node(content) for content in self.contents[t]]))
            root = self.trees[t][-1][0]
            self.pairs.append((seed, root))
            seed = next_seed(seed, root)
        self.super_root = levels_of([leaf_node(seed + root) for seed, root in self.pairs])[-1][0]

    def open(self, query):
        t, row, col = query
        index = (row * self.task["n"] + col) // 16
        return query_bytes(query) + self.contents[t][index] + b"".join(path_of(self.trees[t], index))

    def bundle(self, next_beacon):
        asked = queries(self.task, self.super_root, next_beacon)
        return b"MRbundle" + b"".join(seed + root for seed, root in self.pairs) + b"".join(map(self.open, asked))


# The verifier.


def split(data, *lengths):
    """The parts of data of these lengths, which together are all of it."""
    expect(len(data) == sum(lengths), "length")
    for length in lengths:
        yield data[:length]
        data = data[length:]


def nodes(data):
    return [data[at : at + NODE] for at in range(0, len(data), NODE)]


def tree_depth(task):
    return depth(task["n"] ** 2 // 16)


def check_entry(task, super_root, query, seed, leaf, path, super_path):
    """Whether a committed entry is what its seed gives."""
    t, row, col = query
    n = task["n"]
    expect(t < task["rounds"], "round")
    expect(row < n and col < n, "index")
    root = root_from_path(leaf_node(leaf), (row * n + col) // 16, path)
    expect(root_from_path(leaf_node(seed + root), t, super_path) == super_root, "not_committed")
    return cell(leaf, col) == entry(seed, n, row, col) % 2**24


def check_entry_proof(commit, data):
    task, super_root = read_commit(commit)
    paths = NODE * tree_depth(task), NODE * depth(task["rounds"])
    query, seed, leaf, path, super_path = split(data, 5, 32, 48, *paths)
    return check_entry(task, super_root, unpack("<BHH", query), seed, leaf, nodes(path), nodes(super_path))


def check_link_proof(commit, data):
    task, super_root = read_commit(commit)
    opening = 32, NODE, NODE * depth(task["rounds"])

    def check_opening(t, seed, root, super_path):
        expect(root_from_path(leaf_node(seed + root), t, nodes(super_path)) == super_root, "not_committed")

    expect(data[:1] in (b"", b"\0", b"\1"), "link_kind")
    if data[:1] != b"\1":
        _, seed, *rest = split(data, 1, *opening)
        check_opening(0, seed, *rest)
        return seed == seed_0(task)
    _, t, seed, root, path, next_, *rest = split(data, 1, 1, *opening, *opening)
    t = t[0]
    expect(t + 1 < task["rounds"], "round")
    check_opening(t, seed, root, path)
    check_opening(t + 1, next_, *rest)
    return next_ == next_seed(seed, root)


def verify_bundle(commit, next_beacon, data):
    task, super_root = read_commit(commit)
    n, rounds = task["n"], task["rounds"]
    entry_len = 5 + 48 + NODE * tree_depth(task)
    tag, claims, answers = split(data, 8, 56 * rounds, QUERIES * entry_len)
    expect(tag == b"MRbundle", "tag")
    pairs = [(claims[at : at + 32], claims[at + 32 : at + 56]) for at in range(0, len(claims), 56)]
    super_tree = levels_of([leaf_node(seed + root) for seed, root in pairs])
    expect(super_tree[-1][0] == super_root, "super_root")
    follows = seed_0(task)
    for t, (seed, root) in enumerate(pairs):
        expect(seed == follows, "false_seed", t)
        follows = next_seed(seed, root)
    wrong = []
    for i, asked in enumerate(queries(task, super_root, next_beacon)):
        answer = answers[i * entry_len :][:entry_len]
        query, leaf, path = split(answer, 5, 48, entry_len - 53)
        expect(query == query_bytes(asked), "other_entry", i)
        t = asked[0]
        try:
            is_right = check_entry(task, super_root, asked, pairs[t][0], leaf, nodes(path), path_of(super_tree, t))
        except Refused as refused:
            raise Refused(refused.kind, i)
        if not is_right:
            wrong.append(query.hex())
    if wrong:
        raise Refused("wrong_entries", wrong=wrong)


# The vectors.


def verdict_of(check, *args):
    """A verdict as the vectors have it: kind, place, wrong entries."""
    try:
        check(*args)
        return "accepted", None, []
    except Refused as refused:
        return refused.kind, refused.at, refused.wrong


def proof_verdict(check, *args):
    try:
        return "correct" if check(*args) else "wrong"
    except Refused as refused:
        return refused.kind


def spliced(data, splices):
    for splice in splices:
        at = splice["at"]
        data = data[:at] + bytes.fromhex(splice["insert"]) + data[at + splice["remove"] :]
    return data


def same(what, computed, expected):
    if computed != expected:
        sys.exit(f"{what}: computed {computed!r}, the vectors have {expected!r}")


def check_run(vector):
    name = vector["name"]
    fields = vector["task"]
    shares = map(bytes.fromhex, fields["shares"])
    task = {key: bytes.fromhex(fields[key]) for key in ("deployment_id", "node", "beacon")}
    task |= {"gpu_index": fields["gpu_index"], "epoch": int(fields["epoch"]), "nonce": h(*shares)}
    task |= {"n": fields["n"], "rounds": fields["rounds"]}
    n = task["n"]
    same(f"{name}: nonce", task["nonce"].hex(), fields["nonce"])
    run = Run(task, vector.get("lie", {}))
    same(f"{name}: rounds", len(run.pairs), len(vector["rounds"]))
    for t, round_ in enumerate(vector["rounds"]):
        what = f"{name}: round {t}"
        seed, root = run.pairs[t]
        same(f"{what}: seed and root", [seed.hex(), root.hex()], [round_["seed"], round_["root"]])
        for m, key in enumerate("ab"):
            first = line(seed, m, round_[key]["index"], 64)
            same(f"{what}: {key}", first.hex(), round_[key]["first_bytes"])
        for row, col, value in round_["entries"]:
            committed = cell(run.contents[t][(row * n + col) // 16], col)
            same(f"{what}: entry {row}, {col}", committed, value % 2**24)
            if "lie" not in vector:
                same(f"{what}: entry {row}, {col}", entry(seed, n, row, col), value)
        for leaf in round_["leaves"]:
            content = run.contents[t][leaf["index"]]
            same(f"{what}: leaf", [content.hex(), leaf_node(content).hex()], [leaf["content"], leaf["node"]])
    commit = commit_bytes(task, run.super_root)
    next_beacon = bytes.fromhex(vector["next_beacon"])
    asked = list(map(query_bytes, queries(task, run.super_root, next_beacon)))
    bundle = run.bundle(next_beacon)
    same(f"{name}: super-root", run.super_root.hex(), vector["super_root"])
    same(f"{name}: commit", [commit.hex(), h(commit).hex()], [vector["commit"], vector["commit_id"]])
    same(f"{name}: queries", [query.hex() for query in asked[:4]], vector["queries"])
    same(f"{name}: all queries", h(*asked).hex(), vector["queries_sha256"])
    same(f"{name}: bundle", [len(bundle), h(bundle).hex()], [vector["bundle_len"], vector["bundle_sha256"]])
    for opened in vector["opened"]:
        same(f"{name}: opened", run.open(unpack("<BHH", asked[opened["index"]])).hex(), opened["bytes"])
    for judged in vector["verdicts"]:
        altered = spliced(commit, judged.get("commit", [])), spliced(bundle, judged.get("bundle", []))
        beacon = bytes.fromhex(judged.get("next_beacon", vector["next_beacon"]))
        verdict = verdict_of(verify_bundle, altered[0], beacon, altered[1])
        expected = judged["verdict"], judged.get("at"), judged.get("wrong", [])
        same(f"{name}: verdict on {judged['change']}", verdict, expected)


def main():
    vectors = json.loads((Path(__file__).parent / "proof-vectors.json").read_text())
    for vector in vectors["runs"]:
        check_run(vector)
    for proof in vectors["proofs"]:
        check = {"entry": check_entry_proof, "link": check_link_proof}[proof["kind"]]
        verdict = proof_verdict(check, bytes.fromhex(proof["commit"]), bytes.fromhex(proof["proof"]))
        same(proof["name"], verdict, proof["verdict"])
    for commit in vectors["commits"]:
        kind, _, _ = verdict_of(read_commit, bytes.fromhex(commit["bytes"]))
        same(commit["name"], "read" if kind == "accepted" else kind, commit["verdict"])
    counts = ", ".join(f"{len(vectors[key])} {key}" for key in ("runs", "proofs", "commits"))
    print(f"proof-vectors.json holds: {counts} recomputed")


if __name__ == "__main__":
    main()
