//! Changes encodings item by item, so that each refused vector is a good statement with one fault.

/// An encoding to be damaged. Paths name map keys and array indexes from the outside in.
#[derive(Clone)]
pub(crate) struct Edit(Vec<u8>);

impl Edit {
    /// Begins with a canonical encoding.
    pub(crate) fn of(canonical: Vec<u8>) -> Self {
        Self(canonical)
    }

    /// The bytes as they are now.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Puts `raw` in the place of the value at `path`.
    pub(crate) fn set(mut self, path: &[u64], raw: &[u8]) -> Self {
        let (start, end) = self.span(path);
        self.0.splice(start..end, raw.iter().copied());
        self
    }

    /// Adds `raw`, which is one item in an array or one pair in a map, behind the last of the container at `path`.
    pub(crate) fn add(mut self, path: &[u64], raw: &[u8]) -> Self {
        let (start, end) = self.span(path);
        self.0.splice(end..end, raw.iter().copied());
        self.0[start] += 1;
        self
    }

    /// Takes the pair `key` out of the map at `path`.
    pub(crate) fn remove(mut self, path: &[u64], key: u64) -> Self {
        let (start, _) = self.span(path);
        let value_path: Vec<u64> = path.iter().copied().chain([key]).collect();
        let (value, end) = self.span(&value_path);
        // Keys in use are below 24 and so one byte long.
        self.0.drain(value - 1..end);
        self.0[start] -= 1;
        self
    }

    /// Puts `raw` in the place of the key of the pair `key` in the map at `path`.
    pub(crate) fn key(mut self, path: &[u64], key: u64, raw: &[u8]) -> Self {
        let value_path: Vec<u64> = path.iter().copied().chain([key]).collect();
        let (value, _) = self.span(&value_path);
        self.0.splice(value - 1..value, raw.iter().copied());
        self
    }

    fn span(&self, path: &[u64]) -> (usize, usize) {
        let mut at = 0;
        for step in path {
            at = self.child(at, *step);
        }
        (at, skip(&self.0, at))
    }

    fn child(&self, at: usize, step: u64) -> usize {
        let (major, len, mut at) = head(&self.0, at);
        for index in 0..len {
            let found = if major == 5 {
                let (_, key, value) = head(&self.0, at);
                at = value;
                key
            } else {
                index
            };
            if found == step {
                return at;
            }
            at = skip(&self.0, at);
        }
        unreachable!("a path names what is there: {step}")
    }
}

/// Major type, argument and end of the head at `at` in canonical bytes.
fn head(bytes: &[u8], at: usize) -> (u8, u64, usize) {
    let additional = bytes[at] & 0x1f;
    let len = if additional < 24 { 0 } else { 1 << (additional - 24) };
    let argument = &bytes[at + 1..at + 1 + len];
    let value = argument.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    (
        bytes[at] >> 5,
        if len == 0 { additional.into() } else { value },
        at + 1 + len,
    )
}

/// The end of the item at `at` in canonical bytes without tags.
fn skip(bytes: &[u8], at: usize) -> usize {
    let (major, value, end) = head(bytes, at);
    match major {
        2 | 3 => end + usize::try_from(value).expect("a sample is short"),
        4 => (0..value).fold(end, |at, _| skip(bytes, at)),
        5 => (0..2 * value).fold(end, |at, _| skip(bytes, at)),
        _ => end,
    }
}
