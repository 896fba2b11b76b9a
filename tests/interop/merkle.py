"""The Merkle tree over the records (ledger-v1 §5, RFC 9162 §2.1)."""

from hashlib import sha256

from .errors import demand


def leaf(record):
    """Hashes one record."""
    return sha256(b"\x00" + record).digest()


def node(left, right):
    """Hashes two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """Takes leaves in order; `root` is that over all of them so far."""

    def __init__(self):
        self.size, self.stack = 0, []

    def append(self, record):
        """Adds one record behind the others."""
        right, before = leaf(record), self.size
        while before & 1:
            right, before = node(self.stack.pop(), right), before >> 1
        self.stack.append(right)
        self.size += 1

    def root(self):
        """Folds the stack from its top."""
        if not self.stack:
            return sha256(b"").digest()
        so_far = self.stack[-1]
        for left in reversed(self.stack[:-1]):
            so_far = node(left, so_far)
        return so_far


def check_inclusion(leaf_hash, index, size, proof, root):
    """Checks §5.2."""
    demand(index < size, "index-beyond-size")
    found = leaf_hash
    for is_left, sibling in sides(index, size - 1, proof):
        found = node(sibling, found) if is_left else node(found, sibling)
    demand(found == root, "root-mismatch")


def sides(first, last, proof):
    """Yields the siblings of a path from `first` of 0 to `last` up to the root, and whether each stands left of it."""
    for sibling in proof:
        demand(last, "too-long")
        is_left = first & 1 or first == last
        yield is_left, sibling
        while is_left and first and not first & 1:
            first, last = first >> 1, last >> 1
        first, last = first >> 1, last >> 1
    demand(not last, "too-short")


def check_consistency(old_size, old_root, size, root, proof):
    """Checks §5.3."""
    demand(old_size >= 1, "old-tree-empty")
    demand(old_size <= size, "tree-shrank")
    if old_size == size:
        demand(not proof, "too-long")
        demand(old_root == root, "root-mismatch")
        return
    is_whole = old_size & (old_size - 1) == 0
    hashes = [old_root] * is_whole + proof
    demand(hashes, "too-short")
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old = new = hashes[0]
    for is_left, sibling in sides(first, last, hashes[1:]):
        old, new = (node(sibling, old), node(sibling, new)) if is_left else (old, node(new, sibling))
    demand(old == old_root, "old-root-mismatch")
    demand(new == root, "root-mismatch")
