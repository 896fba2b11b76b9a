//! The ledger of a run: a new one, or one that is there and is gone on with, under the policies that hold in it.

use std::time::{Duration, Instant};

use countersign_identity::instant::Window;
use countersign_ledger::store::StoreError;
use countersign_schemas::body::{PolicyLayer, Predecessor};
use countersign_schemas::digest::Digest;
use countersign_verifier::law::Law;
use countersign_verifier::policy;

use super::root::{GivenGrant, layer_of_policy_file, run_window};
use super::{SessionError, build};
use crate::clock::Clock;
use crate::recorder::{Authority, Existing, Joining, OpenError, Place, RecordError, Recorder, refuse_closed};

/// Longest wait for a ledger that changes hands.
const CHANGE_WAIT: Duration = Duration::from_secs(10);

/// The policies of a run, checked.
pub(super) struct Policies<'p> {
    /// The `--policy` file, as this layer.
    file: Option<(PolicyLayer, &'p str)>,
    /// The layer 1 that the run acts under: its own, the one that its grant pins, or none.
    organisation: Option<Digest>,
}

/// A ledger that takes entries, and what has to be entered first.
pub(super) struct Begun<'p> {
    pub(super) recorder: Recorder,
    /// The window of everybody who is introduced for this run.
    pub(super) window: Window,
    /// Policies that are not in force yet.
    pub(super) to_adopt: Vec<(PolicyLayer, &'p str)>,
}

impl<'p> Policies<'p> {
    /// A policy must be usable before anything begins: one that would only deny is a mistake to be told at once.
    pub(super) fn of(given: Option<&GivenGrant>, text: Option<&'p str>) -> Result<Self, SessionError> {
        let layer = layer_of_policy_file(given);
        let file = text.map(|text| (layer, text));
        if let Some((layer, text)) = file
            && policy::LoadedLayer::load_with_examples(layer, text)?.is_empty()
        {
            return Err(SessionError::EmptyPolicy);
        }
        let own = file.filter(|(layer, _)| *layer == PolicyLayer::Organisation);
        let pinned = || given.and_then(|given| given.pinned(PolicyLayer::Organisation));
        Ok(Self {
            file,
            organisation: own.map(|(_, text)| digest(text)).or_else(pinned),
        })
    }

    /// Everything that a new ledger begins with.
    fn all(&self) -> Vec<(PolicyLayer, &'p str)> {
        let builtin = (PolicyLayer::Builtin, policy::BUILTIN_LAYER0);
        [Some(builtin), self.file].into_iter().flatten().collect()
    }

    /// What is not in force yet in a ledger that is gone on with.
    ///
    /// Layers 0 and 1 are fixed once a run has begun (authority-v1 §5.4): what earlier runs were permitted by, later ones
    /// are as well. A file of layer 5 only forbids, and may take the place of the one before.
    fn missing_in(&self, law: &Law) -> Result<Vec<(PolicyLayer, &'p str)>, SessionError> {
        let in_force = |layer| law.layers_in_force().find(|adopted| adopted.layer() == layer);
        let has_run = law.instances().any(|instance| instance.run().is_some());
        let mut missing = Vec::new();
        for (layer, text) in self.all() {
            match in_force(layer) {
                Some(adopted) if adopted.digest() == Some(digest(text)) => {}
                Some(_) if layer == PolicyLayer::Builtin => return Err(SessionError::OtherBuiltin),
                _ if layer != PolicyLayer::File && has_run => return Err(SessionError::PolicyFixed),
                _ => missing.push((layer, text)),
            }
        }
        let kept = in_force(PolicyLayer::Organisation);
        if kept.is_some_and(|adopted| has_run && adopted.digest() != self.organisation) {
            return Err(SessionError::PolicyFixed);
        }
        Ok(missing)
    }
}

/// Makes the ledger at `place`, goes on with the one that is there, or joins the process that has it, for a run within
/// `outer`. While the ledger changes hands, it is tried again.
///
/// # Errors
/// A ledger that is there and does not fit gets no entry.
pub(super) fn begin<'p>(
    place: &Place,
    after: Option<Predecessor>,
    authority: &Authority,
    outer: Option<Window>,
    policies: &Policies<'p>,
) -> Result<Begun<'p>, SessionError> {
    let outer = match outer {
        Some(outer) => overlap(authority.window(), outer)?,
        None => authority.window(),
    };
    // What follows another ledger is a new one, and never replaces anything.
    if let Some(older) = after {
        let made = |window| Recorder::create_after(older, place.clone(), authority, window, build::digest());
        return create(made, outer, policies);
    }
    let deadline = Instant::now() + CHANGE_WAIT;
    loop {
        let begun = if place.ledger().symlink_metadata().is_err() {
            let made = |window| Recorder::create(place.clone(), authority, window, build::digest());
            create(made, outer, policies)
        } else {
            go_on_with(place, authority, outer, policies)
        };
        match begun {
            Err(SessionError::Record(error)) if error.is_passing() && Instant::now() < deadline => rest(),
            begun => return begun,
        }
    }
}

/// Another process may be at the same point: who rests for different times does not meet again.
fn rest() {
    let own = u64::from(std::process::id()) % 17;
    std::thread::sleep(Duration::from_millis(5 + own));
}

fn create<'p>(
    make: impl FnOnce(Window) -> Result<Recorder, RecordError>,
    outer: Window,
    policies: &Policies<'p>,
) -> Result<Begun<'p>, SessionError> {
    let window = run_window(Clock::default().read(), outer)?;
    Ok(Begun {
        recorder: make(window)?,
        window,
        to_adopt: policies.all(),
    })
}

fn go_on_with<'p>(
    place: &Place,
    authority: &Authority,
    outer: Window,
    policies: &Policies<'p>,
) -> Result<Begun<'p>, SessionError> {
    refuse_closed(place.ledger()).map_err(RecordError::from)?;
    let mut existing = match Existing::open(place, authority) {
        Err(OpenError::Store(StoreError::LockedByAnotherWriter { .. })) => {
            return join(place, authority, outer, policies);
        }
        opened => opened.map_err(RecordError::from)?,
    };
    let fitting = policies.missing_in(existing.law()).and_then(|missing| {
        let now = existing.now();
        Ok((run_window(now, overlap(existing.host_window(), outer)?)?, missing))
    });
    match fitting {
        Ok((window, to_adopt)) => Ok(Begun {
            recorder: existing.take_up(authority, window)?,
            window,
            to_adopt,
        }),
        Err(error) => {
            existing.put_back();
            Err(error)
        }
    }
}

/// Takes part in a ledger that another process has.
fn join<'p>(
    place: &Place,
    authority: &Authority,
    outer: Window,
    policies: &Policies<'p>,
) -> Result<Begun<'p>, SessionError> {
    let mut joining = Joining::open(place, authority).map_err(RecordError::from)?;
    let to_adopt = policies.missing_in(joining.law())?;
    let window = run_window(joining.now(), overlap(joining.host_window(), outer)?)?;
    Ok(Begun {
        recorder: joining.join(authority, window)?,
        window,
        to_adopt,
    })
}

/// The time in which both hold.
fn overlap(first: Window, second: Window) -> Result<Window, SessionError> {
    Ok(Window::new(
        first.from().max(second.from()),
        first.until().min(second.until()),
    )?)
}

fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}
