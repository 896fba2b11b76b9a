//! Mutations of a SQLite file and of its `-wal` that know where things stand.
//!
//! Written from <https://sqlite.org/fileformat2.html>; offsets are of that document.

use crate::fuzz::dice::Dice;

/// Fields of the database header: offset and length.
const HEADER: [(usize, usize); 20] = [
    (0, 16),
    (16, 2),
    (18, 1),
    (19, 1),
    (20, 1),
    (21, 1),
    (22, 1),
    (23, 1),
    (24, 4),
    (28, 4),
    (32, 4),
    (36, 4),
    (40, 4),
    (44, 4),
    (52, 4),
    (56, 4),
    (60, 4),
    (64, 4),
    (68, 4),
    (92, 4),
];
/// Bytes before the page's own header on the first page.
const FIRST_PAGE_OFFSET: usize = 100;
const WAL_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// Changes a database file.
pub(crate) fn spoil_database(dice: &mut Dice, file: &mut Vec<u8>, page_bytes: usize) {
    let pages = file.len() / page_bytes;
    let (one, other) = (dice.below(pages) * page_bytes, dice.below(pages) * page_bytes);
    match dice.below(12) {
        0 => {
            let (at, len) = *dice.pick(&HEADER);
            set(dice, file, at, len);
        }
        1..=4 => spoil_page(dice, file, one, page_bytes),
        5 => file.copy_within(one..one + page_bytes, other),
        6 => file[one..one + page_bytes].fill(if dice.once_in(2) { 0 } else { 0xff }),
        7 => {
            let end = dice.below(file.len());
            file.truncate(if dice.once_in(2) {
                end
            } else {
                end / page_bytes * page_bytes
            });
        }
        8 => file.extend(vec![0; page_bytes * (1 + dice.below(4))]),
        9 => spoil_schema(dice, file),
        _ => {
            for _ in 0..=dice.below(16) {
                let at = dice.below(file.len());
                file[at] ^= 1 << dice.below(8);
            }
        }
    }
}

/// Changes one page where it steers how the tree is read: type, counts, cell pointers, children, lengths, overflow.
fn spoil_page(dice: &mut Dice, file: &mut [u8], page: usize, page_bytes: usize) {
    let start = if page == 0 { FIRST_PAGE_OFFSET } else { page };
    let cells = usize::from(u16::from_be_bytes([file[start + 3], file[start + 4]]));
    let is_interior = matches!(file[start], 2 | 5);
    let array = start + if is_interior { 12 } else { 8 };
    let pointer = array + 2 * dice.below(cells.min(page_bytes / 2));
    let cell = match file.get(pointer..pointer + 2) {
        Some(bytes) => page + usize::from(u16::from_be_bytes([bytes[0], bytes[1]])),
        None => start,
    };
    match dice.below(9) {
        0 => set(dice, file, start, 1),
        1 => set(dice, file, start + 1, 2),
        2 => set(dice, file, start + 3, 2),
        3 => set(dice, file, start + 5, 2),
        // The right-most child, or the first cell pointers of a leaf.
        4 => set_page_number(dice, file, start + 8, page_bytes),
        5 => set(dice, file, pointer, 2),
        // A child on its left, or the length of its content.
        6 if is_interior => set_page_number(dice, file, cell, page_bytes),
        6 | 7 => {
            let at = cell + dice.below(12);
            set(dice, file, at, 1);
        }
        // The number of an overflow page, which a leaf's cell ends with.
        _ => {
            let at = page + page_bytes - 4 - dice.below(page_bytes - 8);
            set_page_number(dice, file, at, page_bytes);
        }
    }
}

/// Changes the text that the tables are defined by, where it stands in the file.
fn spoil_schema(dice: &mut Dice, file: &mut [u8]) {
    const CHANGES: [(&[u8], &[u8]); 8] = [
        (b"CREATE TABLE record", b"CREATE VIEW  record"),
        (b"seq INTEGER PRIMARY KEY", b"seq INTEGER            "),
        (b"STRICT", b"      "),
        (b"salt BLOB", b"salt TEXT"),
        (b"tablerecordrecord", b"tablepayldarecord"),
        (b"RAISE(ABORT", b"abs(-9),(12"),
        (b"checkpoint", b"checkpoinT"),
        (b"BLOB NOT NULL", b"BLOB AS (x'') "),
    ];
    let (from, to) = *dice.pick(&CHANGES);
    let len = from.len().min(to.len());
    let places: Vec<usize> = file
        .windows(from.len())
        .enumerate()
        .filter_map(|(at, window)| (window == from).then_some(at))
        .collect();
    if !places.is_empty() {
        let at = *dice.pick(&places);
        file[at..at + len].copy_from_slice(&to[..len]);
    }
}

/// Changes a `-wal`; often the checksums are made to fit again, so that what was changed is taken in.
pub(crate) fn spoil_wal(dice: &mut Dice, wal: &mut Vec<u8>, page_bytes: usize) {
    let frame_bytes = FRAME_HEADER_BYTES + page_bytes;
    let frames = wal.len().saturating_sub(WAL_HEADER_BYTES) / frame_bytes;
    let at = |frame: usize| WAL_HEADER_BYTES + frame * frame_bytes;
    let (one, other) = (at(dice.below(frames)), at(dice.below(frames)));
    match dice.below(10) {
        0 => {
            let field = 4 * dice.below(8);
            set(dice, wal, field, 4);
        }
        1 | 2 => {
            let field = one + 4 * dice.below(6);
            set(dice, wal, field, 4);
        }
        3 | 4 => {
            let page = one + FRAME_HEADER_BYTES;
            if let Some(bytes) = wal.get_mut(page..page + page_bytes) {
                // A frame of the first page has the database header in front.
                let mut content = bytes.to_vec();
                if dice.once_in(3) {
                    let (field, len) = *dice.pick(&HEADER);
                    set(dice, &mut content, field, len);
                } else {
                    let is_first = content.starts_with(b"SQLite format 3");
                    let shift = if is_first { 0 } else { page_bytes };
                    let mut padded = [vec![0; shift], content].concat();
                    spoil_page(dice, &mut padded, shift, page_bytes);
                    content = padded.split_off(shift);
                }
                bytes.copy_from_slice(&content);
            }
        }
        5 if frames > 0 => wal.copy_within(one..one + frame_bytes, other),
        6 if frames > 0 => drop(wal.drain(one..one + frame_bytes)),
        7 => {
            let end = dice.below(wal.len());
            wal.truncate(end);
        }
        8 => {
            let piece = wal[WAL_HEADER_BYTES.min(wal.len())..].to_vec();
            wal.extend(piece);
        }
        _ => {
            for _ in 0..=dice.below(8) {
                let at = dice.below(wal.len());
                if let Some(byte) = wal.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    if !dice.once_in(3) {
        sum_up(wal, page_bytes);
    }
}

/// Makes salts and checksums of all frames fit the header, and those of the header its content.
fn sum_up(wal: &mut [u8], page_bytes: usize) {
    if wal.len() < WAL_HEADER_BYTES {
        return;
    }
    let is_big = wal[3] & 1 == 1;
    let mut sum = checksum(is_big, [0, 0], &wal[..24]);
    write_sum(&mut wal[24..32], sum);
    let salts: [u8; 8] = [wal[16], wal[17], wal[18], wal[19], wal[20], wal[21], wal[22], wal[23]];
    for frame in wal[WAL_HEADER_BYTES..].chunks_exact_mut(FRAME_HEADER_BYTES + page_bytes) {
        frame[8..16].copy_from_slice(&salts);
        sum = checksum(is_big, sum, &frame[..8]);
        sum = checksum(is_big, sum, &frame[FRAME_HEADER_BYTES..]);
        write_sum(&mut frame[16..24], sum);
    }
}

fn write_sum(out: &mut [u8], sum: [u32; 2]) {
    out[..4].copy_from_slice(&sum[0].to_be_bytes());
    out[4..].copy_from_slice(&sum[1].to_be_bytes());
}

/// The checksum of §4.2.
fn checksum(is_big: bool, [mut one, mut two]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let word = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if is_big {
                u32::from_be_bytes(word)
            } else {
                u32::from_le_bytes(word)
            }
        };
        one = one.wrapping_add(word(0)).wrapping_add(two);
        two = two.wrapping_add(word(4)).wrapping_add(one);
    }
    [one, two]
}

/// Writes a number that a reader may dislike into a field.
fn set(dice: &mut Dice, bytes: &mut [u8], at: usize, len: usize) {
    let Some(field) = bytes.get_mut(at..at + len) else {
        return;
    };
    let near = field.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let number = dice.number(near).to_be_bytes();
    let len = len.min(8);
    field[..len].copy_from_slice(&number[8 - len..]);
}

/// Points to a page that is there, to itself, or beyond the end.
fn set_page_number(dice: &mut Dice, bytes: &mut [u8], at: usize, page_bytes: usize) {
    let pages = u64::try_from(bytes.len() / page_bytes).unwrap_or(1);
    let number = match dice.below(4) {
        0 => dice.number(pages),
        1 => u64::try_from(at / page_bytes + 1).unwrap_or(1),
        _ => 1 + dice.next() % (pages + 1),
    };
    if let Some(field) = bytes.get_mut(at..at + 4) {
        field.copy_from_slice(&number.to_be_bytes()[4..]);
    }
}
