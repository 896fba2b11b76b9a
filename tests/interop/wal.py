"""Whether a damaged `-wal` hides transactions that were durable (ledger-v1 §4.9)."""

from dataclasses import dataclass
from struct import unpack

HEADER = 32
FRAME_HEADER = 24
MAGICS = {0x377F0682: "<", 0x377F0683: ">"}
PAGE_SIZES = [1 << power for power in range(9, 17)]


def has_lost(octets):
    """Tells whether a transaction behind the first invalid frame was durable."""
    if len(octets) < HEADER:
        return False
    log = parse_header(octets[:HEADER])
    if log:
        return has_lost_behind(log, log.frames(octets))
    if logs := [log for bit in range(HEADER * 8) if (log := parse_header(flipped(octets[:HEADER], bit)))]:
        return any(frame.mark and frame.salts == log.salts for log in logs for frame in log.frames(octets))
    return any(has_marks(Log(order, size, octets[16:24], None), octets) for size in PAGE_SIZES for order in "<>")


def flipped(header, bit):
    """Returns a header with one bit flipped."""
    octets = bytearray(header)
    octets[bit // 8] ^= 1 << bit % 8
    return bytes(octets)


def has_marks(log, octets):
    """Tells whether a frame has a commit mark, and the salts of the header or the checksum that continues the one before."""
    before = None
    for frame in log.frames(octets):
        continues = before is not None and log.checksum(before, frame.content) == frame.stated
        if frame.mark and (frame.salts == log.salts or continues):
            return True
        before = frame.stated
    return False


@dataclass(frozen=True)
class Frame:
    """One frame: the size of the database after a commit, or 0, and what its checksum is over."""

    mark: int
    salts: bytes
    stated: tuple
    content: bytes


@dataclass(frozen=True)
class Log:
    """What the header of a `-wal` says."""

    order: str
    page_size: int
    salts: bytes
    stated: tuple | None

    def frames(self, octets):
        """Yields the whole frames behind the header."""
        length = FRAME_HEADER + self.page_size
        for start in range(HEADER, len(octets) - length + 1, length):
            head, page = octets[start : start + FRAME_HEADER], octets[start + FRAME_HEADER : start + length]
            mark = int.from_bytes(head[4:8], "big")
            yield Frame(mark, head[8:16], unpack(">2I", head[16:24]), head[:8] + page)

    def checksum(self, before, content):
        """Continues a checksum (SQLite file format §4.2)."""
        first, second = before
        words = unpack(f"{self.order}{len(content) // 4}I", content)
        for left, right in zip(words[::2], words[1::2]):
            first = (first + left + second) & 0xFFFFFFFF
            second = (second + right + first) & 0xFFFFFFFF
        return first, second


def parse_header(octets):
    """Reads a header; None if its magic, page size or checksum is invalid."""
    magic, _, page_size = unpack(">3I", octets[:12])
    if magic not in MAGICS or page_size not in PAGE_SIZES:
        return None
    log = Log(MAGICS[magic], page_size, octets[16:24], unpack(">2I", octets[24:32]))
    return log if log.checksum((0, 0), octets[:24]) == log.stated else None


def has_lost_behind(log, frames):
    """Looks for a run with two commit marks from the first invalid frame on."""
    before, marks, continued = log.stated, 0, None
    for frame in frames:
        if continued is None:
            due = log.checksum(before, frame.content)
            if frame.salts == log.salts and due == frame.stated:
                before = frame.stated
                continue
            marks = int(counts_as_commit(log, frame, before, due))
            continued = {frame.stated, due}
            continue
        if not any(log.checksum(stated, frame.content) == frame.stated for stated in continued):
            marks = 0
        marks += frame.mark != 0 and frame.salts == log.salts
        if marks > 1:
            return True
        continued = {frame.stated}
    return False


def counts_as_commit(log, frame, before, due):
    """Tells whether the first invalid frame counts as one with a commit mark."""
    has_salts = frame.salts == log.salts
    if frame.mark:
        return has_salts or due == frame.stated
    if not has_salts:
        return False
    pages, rest = frame.content[:4], frame.content[8:]
    marked = (pages + (1 << bit).to_bytes(4, "big") + rest for bit in range(32))
    return any(log.checksum(before, content) == frame.stated for content in marked)
