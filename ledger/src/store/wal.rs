//! Whether a `-wal` has lost transactions that were durable (ledger-v1 §4.9).
//!
//! SQLite drops everything behind the first invalid frame of a `-wal` without a word: that is how it drops what a
//! crash left half-written, and it does the same when a bit flips in the middle. The two differ in what lies behind.
//! A transaction is written only when the one before is durable, so a crash leaves at most one commit mark in frames
//! that continue each other's checksums, that of the transaction in flight. Two prove that the first was durable.
//!
//! Written from the description of the format, <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::lock::beside;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number without its last bit, which tells the byte order of the checksums.
const MAGIC: u32 = 0x377F_0682;
/// Exponents of the page sizes that SQLite allows: 512 to 65,536 bytes.
const PAGE_BITS: std::ops::RangeInclusive<u32> = 9..=16;
/// Scans until two in a row agree: a writer that is at work meanwhile can make one of them err.
const SCANS_MAX: u32 = 4;

/// Durable transactions in a `-wal` that SQLite no longer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalDamage {
    /// The first invalid frame, counted from 1; 0 is the header.
    pub frame: u64,
    /// Commit marks in it and behind it, give or take one: transactions that are lost. Only the last may not have been
    /// durable.
    pub commits: u64,
}

/// Scans the `-wal` of the ledger at `path`, an absolute path; `None` also when there is none.
///
/// A writer may be at work meanwhile. The `-wal` bears no locks of SQLite's, so closing it takes none away.
pub(crate) fn damage_beside(path: &Path) -> io::Result<Option<WalDamage>> {
    let mut before = None;
    for _ in 0..SCANS_MAX {
        let file = match File::open(beside(path, "-wal")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let found = scan(&mut BufReader::with_capacity(1 << 18, file))?;
        if found.is_none() || found == before {
            return Ok(found);
        }
        before = found;
    }
    Ok(None)
}

/// Looks for lost transactions in the bytes of a `-wal`, with the memory of one page.
///
/// # Errors
/// Those of reading.
pub fn scan(wal: &mut (impl Read + Seek)) -> io::Result<Option<WalDamage>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(wal, &mut header)? {
        return Ok(None);
    }
    if let Some(header) = Header::parse(&header) {
        return scan_frames(wal, &header);
    }
    let commits = match commits_of_flipped_header(wal, &header)? {
        0 => commits_without_header(wal, &header)?,
        commits => commits,
    };
    Ok((commits > 0).then_some(WalDamage { frame: 0, commits }))
}

/// Finds the first invalid frame, and judges what lies behind it.
fn scan_frames(wal: &mut impl Read, header: &Header) -> io::Result<Option<WalDamage>> {
    let mut page = vec![0; header.page_bytes];
    let mut sum = header.sum;
    let mut number = 0;
    while let Some(frame) = Frame::read(wal, &mut page)? {
        number += 1;
        let computed = frame.checksum(header.order, sum, &page);
        if frame.is_valid(header, computed) {
            sum = computed;
            continue;
        }
        let behind = Behind::first(&frame, header, sum, &page).count(wal, header)?;
        return Ok(behind.proves_loss.then_some(WalDamage {
            frame: number,
            commits: behind.commits,
        }));
    }
    Ok(None)
}

/// What stands in and behind the first invalid frame.
struct Behind {
    /// Sums that the next frame may continue.
    sums: [Sum; 2],
    /// Commit marks in the present run of frames that continue each other.
    run: u64,
    /// Commit marks altogether.
    commits: u64,
    /// Whether one run had two commit marks.
    proves_loss: bool,
}

impl Behind {
    /// Begins behind a header.
    fn header(sum: Sum) -> Self {
        Self {
            sums: [sum, sum],
            run: 0,
            commits: 0,
            proves_loss: false,
        }
    }

    /// Begins with the first invalid frame, which stands behind frames with `sum`.
    ///
    /// The next frame continues what this one states if its page is damaged, or what it should state.
    fn first(frame: &Frame, header: &Header, sum: Sum, page: &[u8]) -> Self {
        let computed = frame.checksum(header.order, sum, page);
        // With the right sum the frame was written whole, whatever its salts are now; stale frames are no part of this.
        let is_ours = frame.salts == header.salts || computed == frame.sum;
        // A mark that one flipped bit turned into 0 shows in the sum, which covers it.
        let lost_mark = || {
            frame
                .flipped_marks()
                .any(|frame| frame.checksum(header.order, sum, page) == frame.sum)
        };
        let mut behind = Self::header(frame.sum);
        behind.sums[1] = computed;
        behind.mark(is_ours && (frame.mark != 0 || lost_mark()));
        behind
    }

    fn count(mut self, wal: &mut impl Read, header: &Header) -> io::Result<Self> {
        let mut page = vec![0; header.page_bytes];
        while let Some(frame) = Frame::read(wal, &mut page)? {
            if frame.salts != header.salts {
                // Of an earlier use of the file, or overwritten by something else.
                self.run = 0;
            } else {
                let continues = |sum: &Sum| frame.checksum(header.order, *sum, &page) == frame.sum;
                if !self.sums.iter().any(continues) {
                    self.run = 0;
                }
                self.mark(frame.mark != 0);
            }
            self.sums = [frame.sum, frame.sum];
        }
        Ok(self)
    }

    fn mark(&mut self, is_commit: bool) {
        self.run += u64::from(is_commit);
        self.commits += u64::from(is_commit);
        self.proves_loss |= self.run >= 2;
    }
}

/// Counts commit marks behind a header in which one bit was flipped. The sums are weak: several bits can be the one.
fn commits_of_flipped_header(wal: &mut (impl Read + Seek), header: &[u8; HEADER_BYTES]) -> io::Result<u64> {
    for header in flips(header).filter_map(|header| Header::parse(&header)) {
        wal.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
        let behind = Behind::header(header.sum).count(wal, &header)?;
        if behind.commits > 0 {
            return Ok(behind.commits);
        }
    }
    Ok(0)
}

/// Counts commit marks where not even the page size is known: in frames that bear the salts of the header, or
/// continue the frame before. No crash leaves such frames without a sound header, which is durable before them.
fn commits_without_header(wal: &mut (impl Read + Seek), header: &[u8; HEADER_BYTES]) -> io::Result<u64> {
    for bits in PAGE_BITS {
        for order in [Order::Little, Order::Big] {
            wal.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
            let mut page = vec![0; 1 << bits];
            let (mut sum, mut commits) = (None, 0);
            while let Some(frame) = Frame::read(wal, &mut page)? {
                let continues = sum.is_some_and(|sum| frame.checksum(order, sum, &page) == frame.sum);
                let is_ours = frame.page != 0 && frame.salts == header[16..24];
                commits += u64::from(frame.mark != 0 && (continues || is_ours));
                sum = Some(frame.sum);
            }
            if commits > 0 {
                return Ok(commits);
            }
        }
    }
    Ok(0)
}

/// The two running sums of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum(u32, u32);

/// How the words that are summed are stored.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    /// Goes on from `sum` over `bytes`, whose length is a multiple of eight.
    fn sum(self, sum: Sum, bytes: &[u8]) -> Sum {
        let word = |bytes: [u8; 4]| match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        };
        bytes
            .as_chunks::<8>()
            .0
            .iter()
            .fold(sum, |Sum(s0, s1), &[a, b, c, d, e, f, g, h]| {
                let s0 = s0.wrapping_add(word([a, b, c, d])).wrapping_add(s1);
                let s1 = s1.wrapping_add(word([e, f, g, h])).wrapping_add(s0);
                Sum(s0, s1)
            })
    }
}

struct Header {
    order: Order,
    page_bytes: usize,
    salts: [u8; 8],
    sum: Sum,
}

impl Header {
    /// Reads a header that SQLite would take.
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let magic = word(bytes, 0);
        let order = match magic.checked_sub(MAGIC)? {
            0 => Order::Little,
            1 => Order::Big,
            _ => return None,
        };
        let page_bytes = word(bytes, 8);
        if !{ PAGE_BITS }.any(|bits| page_bytes == 1 << bits) {
            return None;
        }
        let sum = order.sum(Sum(0, 0), &bytes[..24]);
        (sum == Sum(word(bytes, 24), word(bytes, 28))).then_some(Self {
            order,
            page_bytes: page_bytes as usize,
            salts: *bytes[16..].first_chunk()?,
            sum,
        })
    }
}

/// The header of a frame; its page stands behind it.
struct Frame {
    page: u32,
    /// Pages in the database after the commit, or 0 where nothing is committed.
    mark: u32,
    salts: [u8; 8],
    sum: Sum,
}

impl Frame {
    /// Reads a whole frame, and its page into `page`.
    fn read(wal: &mut impl Read, page: &mut [u8]) -> io::Result<Option<Self>> {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        if !(fill(wal, &mut bytes)? && fill(wal, page)?) {
            return Ok(None);
        }
        let [.., a, b, c, d, e, f, g, h, _, _, _, _, _, _, _, _] = bytes;
        Ok(Some(Self {
            page: word(&bytes, 0),
            mark: word(&bytes, 4),
            salts: [a, b, c, d, e, f, g, h],
            sum: Sum(word(&bytes, 16), word(&bytes, 20)),
        }))
    }

    /// The sum that the frame should state behind frames with `sum`.
    fn checksum(&self, order: Order, sum: Sum, page: &[u8]) -> Sum {
        let mut head = [0; 8];
        head[..4].copy_from_slice(&self.page.to_be_bytes());
        head[4..].copy_from_slice(&self.mark.to_be_bytes());
        order.sum(order.sum(sum, &head), page)
    }

    fn is_valid(&self, header: &Header, computed: Sum) -> bool {
        self.salts == header.salts && self.page != 0 && computed == self.sum
    }

    /// This frame with each commit mark of a single bit: pages of a database that holds this one.
    ///
    /// The sums are weak, and sometimes take a flipped bit of the page for one of these. It is a flipped bit all the same.
    fn flipped_marks(&self) -> impl Iterator<Item = Self> {
        let marks = (0..32)
            .map(|bit| 1 << bit)
            .filter(|mark| self.mark == 0 && *mark >= self.page);
        marks.map(|mark| Self { mark, ..*self })
    }
}

/// The header with each single bit flipped.
fn flips(header: &[u8; HEADER_BYTES]) -> impl Iterator<Item = [u8; HEADER_BYTES]> {
    (0..HEADER_BYTES * 8).map(|bit| {
        let mut flipped = *header;
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// A big-endian word, as both headers hold them.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
}

/// Fills `bytes`, or says that the file ends before.
fn fill(wal: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match wal.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

#[cfg(test)]
#[path = "wal_tests.rs"]
mod tests;
