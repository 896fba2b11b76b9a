//! What can be done to a ledger, as data: drawn at random, printed and shrunk by proptest.

use proptest::prelude::*;

/// One row that is to be made: lengths only, the bytes follow from its place and from how many were made before it.
#[derive(Clone, Debug)]
pub(super) struct RowPlan {
    pub(super) record_bytes: usize,
    /// Slot and length of each payload, in rising order of slots.
    pub(super) payloads: Vec<(u8, usize)>,
}

/// Something done to the ledger, or to the files it lies in.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Rows are submitted; whether their durability is awaited, or something else happens meanwhile.
    Submit { rows: Vec<RowPlan>, await_all: bool },
    /// A row is submitted for a place so many behind, or ahead of, the next one.
    SubmitElsewhere { ahead: bool, distance: u64 },
    /// A batch is given to the store for a size that the ledger does not have.
    AppendToOtherSize { rows: Vec<RowPlan>, distance: u64 },
    /// A checkpoint over everything that was submitted.
    Checkpoint { note_bytes: usize },
    /// A checkpoint over more than there is, over nothing, or a second one.
    CheckpointMisfit { distance: u64 },
    /// The writer goes without closing.
    Abandon,
    /// The process is killed: the files are what they are between two transactions.
    Kill,
    /// The power is cut in the middle of a commit: of what was not synced, some sectors are written and others are not.
    PowerCut { rows: Vec<RowPlan>, seed: u64 },
    /// The ledger is opened; nothing happens if it is open.
    Open,
    /// The file is closed.
    Close,
    /// Housekeeping, as when nobody waits.
    Tidy,
    /// A backup is made, beside the writer or without one.
    Backup,
    /// An auditor's copy is made, likewise.
    Export,
}

fn row() -> impl Strategy<Value = RowPlan> {
    let record_bytes = prop_oneof![
        8 => 16_usize..1_200,
        1 => Just(countersign_schemas::record::RECORD_BYTES_MAX),
    ];
    let length = prop_oneof![8 => 0_usize..800, 1 => Just(70_000)];
    let payloads = proptest::collection::btree_map(0_u8..8, length, 0..3);
    (record_bytes, payloads).prop_map(|(record_bytes, payloads)| RowPlan {
        record_bytes,
        payloads: payloads.into_iter().collect(),
    })
}

fn rows() -> impl Strategy<Value = Vec<RowPlan>> {
    prop_oneof![
        12 => proptest::collection::vec(row(), 1..6),
        // More than goes into one transaction.
        1 => proptest::collection::vec(row(), 600..601),
        // Enough for housekeeping to follow, after which the `-wal` is written from its beginning again.
        2 => Just(vec![RowPlan { record_bytes: 300, payloads: vec![(0, 4_500_000)] }]),
    ]
}

fn few_rows() -> impl Strategy<Value = Vec<RowPlan>> {
    proptest::collection::vec(row(), 1..4)
}

/// Any operation; those that end a writer's life are rarer than those that fill it.
pub(super) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        10 => (rows(), any::<bool>()).prop_map(|(rows, await_all)| Submit { rows, await_all }),
        2 => (any::<bool>(), 1_u64..5).prop_map(|(ahead, distance)| SubmitElsewhere { ahead, distance }),
        2 => (few_rows(), 1_u64..5).prop_map(|(rows, distance)| AppendToOtherSize { rows, distance }),
        3 => (1_usize..4_000).prop_map(|note_bytes| Checkpoint { note_bytes }),
        1 => (0_u64..3).prop_map(|distance| CheckpointMisfit { distance }),
        1 => Just(Abandon),
        2 => Just(Kill),
        3 => (few_rows(), any::<u64>()).prop_map(|(rows, seed)| PowerCut { rows, seed }),
        3 => Just(Open),
        2 => Just(Close),
        2 => Just(Tidy),
        2 => Just(Backup),
        2 => Just(Export),
    ]
}
