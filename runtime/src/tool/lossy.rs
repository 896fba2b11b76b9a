//! Bytes that come piece by piece, as text: what is no UTF-8 becomes U+FFFD, and a character may lie across a seam.

/// Turns pieces of bytes into text.
#[derive(Debug, Default)]
pub(super) struct Lossy {
    /// The beginning of a character whose end has not come yet, at most three bytes.
    unfinished: Vec<u8>,
}

impl Lossy {
    /// The text of the next piece, and of what was unfinished before it.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let all = [std::mem::take(&mut self.unfinished).as_slice(), bytes].concat();
        let mut text = String::with_capacity(all.len());
        let mut rest = all.as_slice();
        loop {
            let (valid, error) = match std::str::from_utf8(rest) {
                Ok(valid) => (valid.len(), None),
                Err(error) => (error.valid_up_to(), Some(error.error_len())),
            };
            text.push_str(&String::from_utf8_lossy(&rest[..valid]));
            match error {
                None => return text,
                Some(None) => {
                    self.unfinished = rest[valid..].to_vec();
                    return text;
                }
                Some(Some(len)) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[valid + len..];
                }
            }
        }
    }

    /// What stands for a character that was never finished; empty if there is none.
    pub(super) fn finish(&mut self) -> &'static str {
        let is_finished = self.unfinished.is_empty();
        self.unfinished.clear();
        if is_finished { "" } else { "\u{fffd}" }
    }

    /// How many bytes of the last piece wait for the rest of their character.
    pub(super) fn unfinished_len(&self) -> usize {
        self.unfinished.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], piece_len: usize) -> String {
        let mut lossy = Lossy::default();
        let text: String = bytes.chunks(piece_len).map(|piece| lossy.push(piece)).collect();
        text + lossy.finish()
    }

    #[test]
    fn seams_change_nothing() {
        let bytes = b"a\xe2\x82\xac\xff\xf0\x9f\xa6\x80b\xc3\x28\xe2\x82";
        for piece_len in 1..=bytes.len() {
            assert_eq!(decoded(bytes, piece_len), String::from_utf8_lossy(bytes), "{piece_len}");
        }
    }

    #[test]
    fn long_rubbish_takes_no_longer_than_text() {
        let begin = std::time::Instant::now();
        assert_eq!(decoded(&vec![0xff; 1 << 20], 64 << 10).chars().count(), 1 << 20);
        assert!(begin.elapsed() < std::time::Duration::from_secs(10));
    }

    #[test]
    fn unfinished_character_is_counted_and_replaced_once() {
        let mut lossy = Lossy::default();
        assert_eq!((lossy.push(b"a\xe2\x82"), lossy.unfinished_len()), ("a".to_owned(), 2));
        assert_eq!((lossy.finish(), lossy.finish()), ("\u{fffd}", ""));
    }
}
