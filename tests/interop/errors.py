"""What is refused, and what stops the fold of one entry."""


class Refused(Exception):
    """Bytes, a document or a proof break a rule of the format. The word says which; it binds where ledger-v1 gives one."""


class NotFolded(Exception):
    """The entry is damaged (authority-v1 §6 F)."""


def demand(holds, word="refused"):
    """Refuses what does not hold."""
    if not holds:
        raise Refused(word)
