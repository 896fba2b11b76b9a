//! CBOR as a tree that may say anything: read leniently, changed item by item, and written with all lengths fitting again.
//!
//! So a change deep inside still reaches the decoder of that depth, and is not lost to a length outside.

use crate::fuzz::Outcome;
use crate::fuzz::dice::Dice;

/// The deepest that is read; what lies below stays bytes.
const DEPTH_MAX: u32 = 24;

/// One data item (RFC 8949 §3).
#[derive(Clone)]
pub(crate) enum Item {
    /// Major types 0, 1 and 7, and how many bytes the argument is written in, where that is not the shortest.
    Head { major: u8, argument: u64, wide: bool },
    /// A byte string.
    Bytes(Vec<u8>),
    /// A byte string that holds one item.
    Nested(Box<Item>),
    /// A text string, valid or not.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Item>),
    /// A map: keys and values in turn.
    Map(Vec<Item>),
    /// A tag.
    Tag(u64, Box<Item>),
    /// Bytes as they are.
    Raw(Vec<u8>),
}

impl Item {
    /// Reads one item that fills `bytes`; what is no such item is `Raw`.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        match Reader(bytes).item(0) {
            Ok((item, [])) => item,
            _ => Self::Raw(bytes.to_vec()),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Head { major, argument, wide } => head(out, *major, *argument, *wide),
            Self::Bytes(bytes) => string(out, 2, bytes),
            Self::Nested(item) => string(out, 2, &item.write()),
            Self::Text(bytes) => string(out, 3, bytes),
            Self::Array(items) => {
                head(out, 4, items.len() as u64, false);
                items.iter().for_each(|item| item.write_to(out));
            }
            Self::Map(items) => {
                head(out, 5, items.len() as u64 / 2, false);
                items.iter().for_each(|item| item.write_to(out));
            }
            Self::Tag(tag, item) => {
                head(out, 6, *tag, false);
                item.write_to(out);
            }
            Self::Raw(bytes) => out.extend(bytes),
        }
    }

    /// Number of items in the tree, itself included.
    fn count(&self) -> usize {
        1 + match self {
            Self::Nested(item) | Self::Tag(_, item) => item.count(),
            Self::Array(items) | Self::Map(items) => items.iter().map(Self::count).sum(),
            _ => 0,
        }
    }

    /// Item `number` of the tree, counted from the outside.
    fn nth(&mut self, number: usize) -> Option<&mut Self> {
        if number == 0 {
            return Some(self);
        }
        let mut left = number - 1;
        let inside: &mut [Self] = match self {
            Self::Nested(item) | Self::Tag(_, item) => std::slice::from_mut(&mut **item),
            Self::Array(items) | Self::Map(items) => items,
            _ => return None,
        };
        for item in inside {
            let count = item.count();
            if left < count {
                return item.nth(left);
            }
            left -= count;
        }
        None
    }

    /// One item of the tree, whichever.
    fn piece(&mut self, dice: &mut Dice) -> Self {
        let place = dice.below(self.count());
        self.nth(place).map_or(Self::Raw(Vec::new()), |item| item.clone())
    }

    /// Changes one item of the tree; items to put in its place come from `other`.
    pub(crate) fn mutate(&mut self, dice: &mut Dice, other: &mut Self) {
        let place = dice.below(self.count());
        let lent = other.piece(dice);
        let Some(item) = self.nth(place) else { return };
        match dice.below(6) {
            0 => *item = lent,
            1 => item.bury(dice),
            _ => item.alter(dice, lent),
        }
    }

    /// Changes what the item says, by its type.
    fn alter(&mut self, dice: &mut Dice, lent: Self) {
        match self {
            Self::Head { major, argument, wide } => match dice.below(5) {
                0 => *major = [0, 1, 7][dice.below(3)],
                1 => *wide = true,
                _ => *argument = dice.number(*argument),
            },
            Self::Bytes(bytes) | Self::Text(bytes) if dice.once_in(3) => resize(dice, bytes),
            Self::Bytes(bytes) | Self::Text(bytes) | Self::Raw(bytes) => {
                let other = lent.write();
                spoil(dice, bytes, &other);
            }
            Self::Nested(inside) => *self = Self::Bytes(inside.write()),
            Self::Tag(tag, _) => *tag = dice.number(*tag),
            Self::Array(items) | Self::Map(items) => rearrange(dice, items, lent),
        }
    }

    /// Wraps the item, perhaps many times over.
    fn bury(&mut self, dice: &mut Dice) {
        let inside = std::mem::replace(self, Self::Raw(Vec::new())).write();
        let levels = 1 + if dice.once_in(4) {
            dice.below(60_000)
        } else {
            dice.below(20)
        };
        let wrap: &[u8] = match dice.below(5) {
            0 => &[0x81],
            1 => &[0xa1, 0x00],
            2 => &[0xd2],
            3 => &[0xa1],
            _ => &[0xd8, 0x62],
        };
        *self = Self::Raw([wrap.repeat(levels), inside].concat());
    }
}

/// Takes items out, doubles them, swaps them, or says another number of them.
fn rearrange(dice: &mut Dice, items: &mut Vec<Item>, lent: Item) {
    let (at, to) = (dice.below(items.len()), dice.below(items.len()));
    match dice.below(5) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => items.insert(to, items[at].clone()),
        2 if !items.is_empty() => items.swap(at, to),
        3 => {
            let mut out = Vec::new();
            head(
                &mut out,
                4 + u8::from(dice.once_in(2)),
                dice.number(items.len() as u64),
                dice.once_in(2),
            );
            items.iter().for_each(|item| item.write_to(&mut out));
            *items = vec![Item::Raw(out)];
        }
        _ => items.push(lent),
    }
}

/// Another length: around the limits of fields, or up to that of a record.
fn resize(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let len = match dice.below(3) {
        0 => *dice.pick(&[
            0, 1, 16, 31, 32, 33, 64, 65, 128, 129, 1_312, 2_420, 8_192, 8_193, 16_384, 16_385, 65_535,
        ]),
        1 => bytes.len() + 1,
        _ => bytes.len().saturating_sub(1),
    };
    let fill = bytes.last().copied().unwrap_or(b'a');
    bytes.resize(len, fill);
}

fn string(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    head(out, major, bytes.len() as u64, false);
    out.extend(bytes);
}

/// The head of an item, as short as it goes or one size too wide.
fn head(out: &mut Vec<u8>, major: u8, argument: u64, wide: bool) {
    let bytes = argument.to_be_bytes();
    let shortest = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    };
    let width = if wide { (shortest * 2).clamp(1, 8) } else { shortest };
    let information = match width {
        0 => bytes[7],
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    out.push(major << 5 | information);
    out.extend(&bytes[8 - width..]);
}

/// What is left to be read.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn item(mut self, depth: u32) -> Outcome<(Item, &'b [u8])> {
        let (major, argument) = self.head()?;
        if depth > DEPTH_MAX {
            return Err("too deep".into());
        }
        let item = match major {
            2 => {
                let bytes = self.take(argument)?;
                // What reads as one structure is one; a short string is more likely just bytes.
                match Reader(bytes).item(depth + 1) {
                    Ok((item @ (Item::Array(_) | Item::Map(_) | Item::Tag(..)), [])) => Item::Nested(Box::new(item)),
                    _ => Item::Bytes(bytes.to_vec()),
                }
            }
            3 => Item::Text(self.take(argument)?.to_vec()),
            4 => Item::Array(self.items(argument, depth)?),
            5 => Item::Map(self.items(argument.saturating_mul(2), depth)?),
            6 => {
                let (item, rest) = Reader(self.0).item(depth + 1)?;
                self.0 = rest;
                Item::Tag(argument, Box::new(item))
            }
            _ => Item::Head {
                major,
                argument,
                wide: false,
            },
        };
        Ok((item, self.0))
    }

    fn items(&mut self, count: u64, depth: u32) -> Outcome<Vec<Item>> {
        let mut items = Vec::new();
        for _ in 0..count {
            let (item, rest) = Reader(self.0).item(depth + 1)?;
            self.0 = rest;
            items.push(item);
        }
        Ok(items)
    }

    fn head(&mut self) -> Outcome<(u8, u64)> {
        let first = self.take(1)?[0];
        let argument = match first & 0x1f {
            short @ 0..24 => u64::from(short),
            long @ 24..28 => {
                let bytes = self.take(1 << (long - 24))?;
                bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
            }
            _ => return Err("no definite length".into()),
        };
        Ok((first >> 5, argument))
    }

    fn take(&mut self, len: u64) -> Outcome<&'b [u8]> {
        let (taken, rest) = usize::try_from(len)
            .ok()
            .and_then(|len| self.0.split_at_checked(len))
            .ok_or("too short")?;
        self.0 = rest;
        Ok(taken)
    }
}

/// A piece of `bytes`.
fn slice<'b>(dice: &mut Dice, bytes: &'b [u8]) -> &'b [u8] {
    let from = dice.below(bytes.len() + 1);
    let len = dice.below(bytes.len() - from + 1);
    &bytes[from..from + len]
}

/// Changes bytes without a thought for what they mean.
pub(crate) fn spoil(dice: &mut Dice, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = dice.below(bytes.len());
    match dice.below(7) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *dice.pick(&[0, 1, 0x1f, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xdf, 0xff]);
            }
        }
        3 => bytes.truncate(at),
        4 => {
            let piece = slice(dice, other).to_vec();
            bytes.splice(at..at, piece);
        }
        5 => {
            let piece = slice(dice, other).to_vec();
            let end = bytes.len().min(at + piece.len());
            bytes.splice(at..end, piece);
        }
        _ => {
            let end = at + dice.below((bytes.len() - at).min(64) + 1);
            bytes.drain(at..end);
        }
    }
}
