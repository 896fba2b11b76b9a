//! Histories as data: what happens, in an order that can be shrunk.

use proptest::prelude::*;

/// Chooses among what is possible when its turn comes, so that most of what is left of a history still happens.
pub(super) type Pick = u8;

/// One thing that somebody does; where it is not lawful at that point, nobody does it.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// Time passes, or the clock of the host is set back; milliseconds.
    Wait(i32),
    /// Whoever speaks next has not seen this many of the last entries.
    Lag(Pick),
    /// A further process joins.
    Join {
        window: Pick,
    },
    /// A process dies.
    Crash(Pick),
    /// A further process takes over from a dead one, and may say that the end was lost.
    Succeed {
        whom: Pick,
        loss: Pick,
    },
    /// A successor ends one thing that those before it left.
    CleanUp {
        who: Pick,
        what: Pick,
    },
    /// A process ends.
    Leave(Pick),
    /// A process declares the stop of somebody who is dead.
    DeclareStop {
        who: Pick,
        whom: Pick,
    },
    Approver {
        by: Pick,
        window: Pick,
    },
    Advisor(Pick),
    /// A grant of the principal to the host.
    Issue {
        by: Pick,
        terms: Pick,
    },
    Lead {
        by: Pick,
        terms: Pick,
        window: Pick,
    },
    StartRun(Pick),
    EndRun {
        which: Pick,
        reason: Pick,
    },
    /// An agent or an advisor calls its model.
    Call(Pick),
    Answer {
        who: Pick,
        proposes: Pick,
        outcome: Pick,
        used: Pick,
    },
    Request {
        who: Pick,
        which: Pick,
        claims: Pick,
        advice: Pick,
    },
    /// A person's direct command: no model proposed it.
    Direct {
        who: Pick,
        which: Pick,
    },
    Decide {
        which: Pick,
        word: Pick,
        place: Pick,
    },
    Approve {
        which: Pick,
        verdict: Pick,
        approver: Pick,
    },
    Expire(Pick),
    Finish {
        which: Pick,
        outcome: Pick,
        began: Pick,
    },
    /// An agent introduces a child inside its permitted action.
    Spawn {
        who: Pick,
        terms: Pick,
        window: Pick,
    },
    /// An agent brings its own advisor inside its permitted action.
    Bring(Pick),
    Question {
        who: Pick,
        advisor: Pick,
    },
    Advise {
        who: Pick,
        form: Pick,
    },
    /// An agent or an advisor ends.
    Stop(Pick),
    Adopt {
        by: Pick,
        layer: Pick,
        text: Pick,
    },
    /// Somebody withdraws a grant, or has an approver withdrawn.
    Revoke {
        by: Pick,
        whom: Pick,
        reason: Pick,
    },
    /// The principal has a payload erased; that is done, or only recorded.
    Erase {
        by: Pick,
        which: u16,
        is_done: bool,
    },
    /// The principal has a layer that permits changed.
    AdoptOnOrder {
        by: Pick,
        layer: Pick,
        text: Pick,
    },
    Remark {
        who: Pick,
        code: Pick,
        about: Pick,
    },
    /// The tree is signed; the note is kept elsewhere too, or not.
    Checkpoint {
        kept: bool,
    },
    /// The state is written down and read back.
    PutAway,
    /// A question and its answer.
    Consult {
        who: Pick,
        advisor: Pick,
        form: Pick,
    },
    /// A call, its answer, and one request with its decision: what mostly happens.
    Turn {
        who: Pick,
        proposes: Pick,
        word: Pick,
        place: Pick,
    },
}

/// How a history ends.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// Everybody who lives ends what can be ended.
    pub(super) tidy: bool,
    /// Who closes the ledger, if anybody does.
    pub(super) closer: Option<Pick>,
    /// The closed ledger has a checkpoint over all of it.
    pub(super) sealed: bool,
}

/// What is there when the history begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// Layer 0 is adopted.
    pub(super) builtin: bool,
    /// Layer 1 is adopted.
    pub(super) organisation: bool,
    pub(super) approver: bool,
    /// An advisor, a lead under these terms, and its run.
    pub(super) lead: Option<Pick>,
}

/// A whole history, and what is handed to the verifier.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) commands: Vec<Command>,
    pub(super) ending: Ending,
    /// Entry 0 names a ledger that this one continues.
    pub(super) continues: bool,
    pub(super) start: Start,
    /// The principal is given as an anchor.
    pub(super) anchored: bool,
    /// Payloads that the copy lacks.
    pub(super) withheld: Vec<u16>,
}

/// Most commands of one history.
const COMMANDS_MAX: usize = 120;

/// Histories in which anything happens, and calm ones, of which many leave nothing open.
pub(super) fn history() -> impl Strategy<Value = History> {
    prop_oneof![3 => troubled(), 2 => calm()]
}

fn troubled() -> impl Strategy<Value = History> {
    let commands = prop::collection::vec(prop_oneof![5 => lossless(), 1 => lossy()], 0..COMMANDS_MAX);
    let ending = (
        any::<bool>(),
        prop::option::of(any::<Pick>()),
        prop::bool::weighted(0.8),
    );
    let withheld = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(any::<u16>(), 1..6)];
    let anchored = prop::bool::weighted(0.9);
    (commands, ending, any::<bool>(), start(), (anchored, withheld)).prop_map(
        |(commands, (tidy, closer, sealed), continues, start, (anchored, withheld))| History {
            commands,
            ending: Ending { tidy, closer, sealed },
            continues,
            start,
            anchored,
            withheld,
        },
    )
}

fn calm() -> impl Strategy<Value = History> {
    let commands = prop::collection::vec(lossless(), 0..COMMANDS_MAX);
    (commands, any::<Pick>(), any::<bool>(), start()).prop_map(|(commands, closer, continues, start)| History {
        commands,
        ending: Ending {
            tidy: true,
            closer: Some(closer),
            sealed: true,
        },
        continues,
        start,
        anchored: true,
        withheld: Vec::new(),
    })
}

fn start() -> impl Strategy<Value = Start> {
    let most = || prop::bool::weighted(0.9);
    let lead = prop::option::weighted(0.9, any::<Pick>());
    (most(), most(), most(), lead).prop_map(|(builtin, organisation, approver, lead)| Start {
        builtin,
        organisation,
        approver,
        lead,
    })
}

/// What takes nothing away that could be shown afterwards.
fn lossless() -> impl Strategy<Value = Command> {
    let pick = any::<Pick>;
    let two = || (pick(), pick());
    let three = || (pick(), pick(), pick());
    prop_oneof![
        2 => prop_oneof![9 => 1..20_000_i32, 2 => -30_000..0_i32, 1 => 0..3_000_000_i32].prop_map(Command::Wait),
        1 => pick().prop_map(Command::Lag),
        1 => Just(Command::Join { window: 0 }),
        1 => pick().prop_map(Command::Leave),
        1 => two().prop_map(|(by, window)| Command::Approver { by, window }),
        1 => pick().prop_map(Command::Advisor),
        1 => two().prop_map(|(by, terms)| Command::Issue { by, terms }),
        3 => two().prop_map(|(by, terms)| Command::Lead { by, terms, window: 0 }),
        3 => pick().prop_map(Command::StartRun),
        1 => two().prop_map(|(which, reason)| Command::EndRun { which, reason }),
        12 => (three(), pick()).prop_map(|((who, proposes, word), place)| Command::Turn {
            who,
            proposes,
            word,
            place,
        }),
        5 => pick().prop_map(Command::Call),
        5 => (three(), pick()).prop_map(|((who, proposes, outcome), used)| Command::Answer { who, proposes, outcome, used }),
        10 => (three(), pick()).prop_map(|((who, which, claims), advice)| Command::Request { who, which, claims, advice }),
        10 => three().prop_map(|(which, word, place)| Command::Decide { which, word, place }),
        5 => three().prop_map(|(which, verdict, approver)| Command::Approve { which, verdict, approver }),
        1 => pick().prop_map(Command::Expire),
        4 => two().prop_map(|(which, outcome)| Command::Finish { which, outcome: outcome % 4, began: 1 }),
        1 => three().prop_map(|(which, outcome, began)| Command::Finish { which, outcome: outcome % 4, began }),
        7 => two().prop_map(|(who, terms)| Command::Spawn { who, terms, window: 0 }),
        1 => pick().prop_map(Command::Bring),
        4 => three().prop_map(|(who, advisor, form)| Command::Consult { who, advisor, form }),
        2 => two().prop_map(|(who, advisor)| Command::Question { who, advisor }),
        2 => two().prop_map(|(who, form)| Command::Advise { who, form }),
        1 => pick().prop_map(Command::Stop),
        1 => three().prop_map(|(by, layer, text)| Command::Adopt { by, layer, text }),
        1 => three().prop_map(|(by, whom, reason)| Command::Revoke { by, whom, reason }),
        1 => three().prop_map(|(by, layer, text)| Command::AdoptOnOrder { by, layer, text }),
        1 => three().prop_map(|(who, code, about)| Command::Remark { who, code, about }),
        1 => any::<bool>().prop_map(|kept| Command::Checkpoint { kept }),
        1 => Just(Command::PutAway),
    ]
}

/// What leaves something that nobody can show any more.
fn lossy() -> impl Strategy<Value = Command> {
    let pick = any::<Pick>;
    prop_oneof![
        2 => (pick(), any::<u16>(), any::<bool>()).prop_map(|(by, which, is_done)| Command::Erase { by, which, is_done }),
        3 => pick().prop_map(Command::Crash),
        4 => (pick(), pick()).prop_map(|(whom, loss)| Command::Succeed { whom, loss }),
        6 => (pick(), pick()).prop_map(|(who, what)| Command::CleanUp { who, what }),
        1 => (pick(), pick()).prop_map(|(who, whom)| Command::DeclareStop { who, whom }),
        2 => (pick(), pick()).prop_map(|(who, which)| Command::Direct { who, which }),
        1 => (pick(), pick()).prop_map(|(which, began)| Command::Finish { which, outcome: 4, began }),
        1 => pick().prop_map(|window| Command::Join { window }),
        1 => (pick(), pick(), pick()).prop_map(|(by, terms, window)| Command::Lead { by, terms, window }),
        1 => (pick(), pick(), pick()).prop_map(|(who, terms, window)| Command::Spawn { who, terms, window }),
        1 => (600_000..9_000_000_i32).prop_map(Command::Wait),
    ]
}
