//! Cases of a telling with a lie in it: an entry that is changed before it is signed, or entries in front of another one.

use std::sync::Arc;

use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::retelling::{change_at, insert_at};
use super::support::aftermath::join;
use super::support::cast::Who;
use super::support::story::Author;
use super::support::writer::{Draft, Writer};

/// The entry at `place` changed before it is signed; it is named.
pub(crate) fn changed(
    attack: &'static Attack,
    base: &Arc<Base>,
    place: usize,
    code: &'static str,
    change: impl Fn(&mut Draft) + Send + Sync + 'static,
) -> Case {
    let from = Arc::clone(base);
    let expected = vec![Expected::rejected(place as u64, &[code])];
    Case::new(attack, Class::K3, base, place.to_string(), expected, move || {
        change_at(&from, place, &change)
    })
}

/// Something written in front of the entry at `place`; `entry` is named.
pub(crate) fn inserted(
    attack: &'static Attack,
    (class, base): (Class, &Arc<Base>),
    (place, entry, codes): (usize, usize, &[&'static str]),
    write: impl Fn(&mut Writer<'_>) + Send + Sync + 'static,
) -> Case {
    let from = Arc::clone(base);
    let expected = vec![Expected::rejected(entry as u64, codes)];
    Case::new(attack, class, base, place.to_string(), expected, move || {
        insert_at(&from, place, &write)
    })
}

/// A process that joins beside the others in front of the entry at `place`, and then makes one that is named.
pub(crate) fn beside(
    attack: &'static Attack,
    base: &Arc<Base>,
    place: usize,
    code: &'static str,
    write: impl Fn(&mut Writer<'_>, Author) + Send + Sync + 'static,
) -> Case {
    let named = (place, place + 1, &[code][..]);
    inserted(attack, (Class::K3, base), named, move |writer| {
        let guest = join(writer, "guest", Who::Third, None);
        write(writer, guest);
    })
}
