"""What stops the fold of one entry."""


class NotFolded(Exception):
    """The entry is damaged (authority-v1 §6 F)."""
