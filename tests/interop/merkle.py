"""The Merkle tree over the records (ledger-v1 §5, RFC 9162 §2.1)."""

from hashlib import sha256


class Refused(Exception):
    """A proof does not hold. The word is that of ledger-v1 §5."""


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
    if index >= size:
        raise Refused("index-beyond-size")
    first, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise Refused("too-long")
        if first & 1 or first == last:
            found = node(sibling, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node(found, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise Refused("too-short")
    if found != root:
        raise Refused("root-mismatch")


def check_consistency(old_size, old_root, size, root, proof):
    """Checks §5.3."""
    if old_size < 1:
        raise Refused("old-tree-empty")
    if old_size > size:
        raise Refused("tree-shrank")
    if old_size == size:
        if proof:
            raise Refused("too-long")
        if old_root != root:
            raise Refused("root-mismatch")
        return
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise Refused("too-short")
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise Refused("too-long")
        if first & 1 or first == last:
            old, new = node(sibling, old), node(sibling, new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new = node(new, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise Refused("too-short")
    if old != old_root:
        raise Refused("old-root-mismatch")
    if new != root:
        raise Refused("root-mismatch")
