//! What a program did to the files of a folder, in order, as `faults/shim.c` wrote it down.

use std::path::Path;

use super::Checked;

/// One change, sync or word.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Made { inode: u64, name: String },
    Linked { inode: u64, name: String },
    Removed { name: String },
    Renamed { from: String, to: String },
    Written { inode: u64, place: u64, bytes: Vec<u8> },
    Resized { inode: u64, length: u64 },
    Synced { inode: u64 },
    FolderSynced,
    Said(String),
}

impl Event {
    /// The letter of the shim.
    pub(crate) fn kind(&self) -> char {
        match self {
            Self::Made { .. } => 'C',
            Self::Linked { .. } => 'L',
            Self::Removed { .. } => 'U',
            Self::Renamed { .. } => 'R',
            Self::Written { .. } => 'W',
            Self::Resized { .. } => 'T',
            Self::Synced { .. } => 'S',
            Self::FolderSynced => 'D',
            Self::Said(_) => 'A',
        }
    }

    fn new(kind: u8, inode: u64, place: u64, bytes: &[u8]) -> Checked<Self> {
        Ok(match kind {
            b'C' => Self::Made {
                inode,
                name: name(bytes)?,
            },
            b'L' => Self::Linked {
                inode,
                name: name(bytes)?,
            },
            b'U' => Self::Removed { name: name(bytes)? },
            b'R' => {
                let mut both = bytes.split(|byte| *byte == 0);
                let mut next = || name(both.next().ok_or("a name is missing")?);
                Self::Renamed {
                    from: next()?,
                    to: next()?,
                }
            }
            b'W' => Self::Written {
                inode,
                place,
                bytes: bytes.to_vec(),
            },
            b'T' => Self::Resized { inode, length: place },
            b'S' => Self::Synced { inode },
            b'D' => Self::FolderSynced,
            b'A' => Self::Said(String::from_utf8(bytes.to_vec())?),
            _ => return Err(format!("an event of kind {kind}").into()),
        })
    }
}

/// The name of a file in the one folder.
fn name(path: &[u8]) -> Checked<String> {
    let path = std::str::from_utf8(path)?;
    Ok(path.rsplit('/').next().unwrap_or(path).to_owned())
}

/// Reads a whole trace.
pub(crate) fn trace(path: &Path) -> Checked<Vec<Event>> {
    let bytes = std::fs::read(path)?;
    let mut rest = &bytes[..];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let (kind, after) = rest.split_first().ok_or("cut short")?;
        let (inode, after) = after.split_first_chunk().ok_or("cut short")?;
        let (place, after) = after.split_first_chunk().ok_or("cut short")?;
        let (length, after) = after.split_first_chunk().ok_or("cut short")?;
        let length = u32::from_ne_bytes(*length) as usize;
        let (bytes, after) = after.split_at_checked(length).ok_or("cut short")?;
        events.push(Event::new(
            *kind,
            u64::from_ne_bytes(*inode),
            u64::from_ne_bytes(*place),
            bytes,
        )?);
        rest = after;
    }
    Ok(events)
}
