"""What is refused, what stops the fold of one entry, and what need not be read twice."""

from functools import lru_cache

# The ledgers of a corpus repeat most of their bytes. What is remembered is never changed.
remembered = lru_cache(4_096)


class Refused(Exception):
    """Bytes, a document or a proof break a rule of the format. The word says which; it binds where ledger-v1 gives one."""


class NotFolded(Exception):
    """The entry is damaged (authority-v1 §6 F)."""


def demand(holds, word="refused"):
    """Refuses what does not hold."""
    if not holds:
        raise Refused(word)
