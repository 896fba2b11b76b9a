//! Entries forged with the tools of the trade: correct encodings, recomputed chains, other people's keys (attackers K0, K1).

use countersign_identity::keys::HybridSecret;
use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointKeys, UnixSeconds};
use countersign_ledger::cose;
use countersign_ledger::merkle::Frontier;
use countersign_schemas::body::Body;
use countersign_schemas::chain::link;
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::number::{Millis, Seq, Size};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use crate::support::Checked;
use crate::support::ledger_copy::LedgerCopy;
use crate::support::stored::Stored;
use crate::support::story::story;
use crate::support::verdict::Verdict;

/// The demo's entries, taken apart, to be put together otherwise.
struct Forge {
    records: Vec<Record>,
    ledger: LedgerId,
}

impl Forge {
    fn open() -> Checked<Self> {
        let stored = Stored::read(&story().ledger())?;
        let records = stored
            .records
            .iter()
            .map(|row| Ok(Record::decode(&row.parts[0])?))
            .collect::<Checked<Vec<_>>>()?;
        let genesis = cose::Unverified::parse(&records[0].statement)?;
        Ok(Self {
            ledger: LedgerId::of_genesis(genesis.payload()),
            records,
        })
    }

    fn statement(&self, seq: usize) -> Checked<Statement> {
        Ok(Statement::decode(
            cose::Unverified::parse(&self.records[seq].statement)?.payload(),
        )?)
    }

    /// Signs `statement` in the place of entry `seq` by keys that nobody introduced.
    fn replace(&mut self, seq: usize, statement: &Statement) -> Checked {
        let signed = cose::sign(
            &statement.encode(),
            statement.kind().signatures(),
            self.ledger,
            &HybridSecret::generate()?,
        );
        self.records[seq].statement = signed;
        Ok(())
    }

    /// Number of the first entry whose statement fits.
    fn find(&self, fits: impl Fn(&Statement) -> bool) -> Checked<usize> {
        for seq in 0..self.records.len() {
            if fits(&self.statement(seq)?) {
                return Ok(seq);
            }
        }
        Err("no such entry".into())
    }

    /// Numbers the records anew and makes their chain fit.
    fn relink(&mut self) {
        let mut prev = None;
        for (seq, record) in (0..).zip(&mut self.records) {
            record.seq = Seq::clamped(seq);
            record.prev = prev.unwrap_or(record.prev);
            prev = Some(link(&record.encode()));
        }
    }

    fn root(&self) -> Frontier {
        let mut tree = Frontier::new();
        self.records.iter().for_each(|record| tree.push(&record.encode()));
        tree
    }

    /// Writes the forged records into a copy of the ledger; its checkpoints stay.
    fn write(&self) -> Checked<LedgerCopy> {
        let copy = LedgerCopy::of(&story().ledger())?;
        copy.change("DELETE FROM record", [])?;
        for record in &self.records {
            let seq = record.seq.get().cast_signed();
            copy.change("INSERT INTO record VALUES (?1, ?2)", (seq, record.encode()))?;
        }
        Ok(copy)
    }

    /// Writes them with a last checkpoint that fits, signed by keys that the genesis does not name.
    fn write_with_own_checkpoint(&self) -> Checked<LedgerCopy> {
        let copy = self.write()?;
        let Body::LedgerOpened(opened) = self.statement(0)?.body else {
            return Err("no genesis".into());
        };
        let root = self.root();
        let head = Checkpoint {
            origin: opened.origin,
            size: root.size(),
            root: root.root(),
        };
        let time = UnixSeconds::new(1_795_000_000).ok_or("a time")?;
        let note = checkpoint::sign(
            &head,
            &CheckpointKeys::derive(&HybridSecret::generate()?, &[0; 16]),
            time,
        );
        let size = root.size().get().cast_signed();
        copy.change("DELETE FROM checkpoint WHERE size > 1", [])?;
        copy.change("INSERT INTO checkpoint VALUES (?1, ?2)", (size, note.as_bytes()))?;
        Ok(copy)
    }
}

#[track_caller]
fn rejected(copy: &LedgerCopy) -> Checked<Verdict> {
    Ok(copy.verdict(story().trust())?.expect(1))
}

#[test]
fn unchanged_entries_written_by_the_forge_are_the_ledger() -> Checked {
    let mut forge = Forge::open()?;
    forge.relink();
    forge.write()?.verdict(story().trust())?.expect(0);
    Ok(())
}

#[test]
fn entry_signed_by_another_key_is_named() -> Checked {
    for seq in (0..Forge::open()?.records.len()).step_by(13) {
        let mut forge = Forge::open()?;
        forge.replace(seq, &forge.statement(seq)?)?;
        let named = rejected(&forge.write()?)?;
        assert!(named.finds("I2", seq as u64), "entry {seq}: {}", named.ran);
        forge.relink();
        let named = rejected(&forge.write_with_own_checkpoint()?)?;
        assert!(
            named.finds("I2", seq as u64),
            "entry {seq}, chain recomputed: {}",
            named.ran
        );
    }
    Ok(())
}

#[test]
fn whole_ledger_signed_by_other_keys_is_rejected() -> Checked {
    let mut forge = Forge::open()?;
    for seq in 0..forge.records.len() {
        forge.replace(seq, &forge.statement(seq)?)?;
    }
    forge.relink();
    rejected(&forge.write_with_own_checkpoint()?)?;
    Ok(())
}

#[test]
fn decision_turned_from_deny_to_allow_is_named() -> Checked {
    use countersign_schemas::body::Outcome;
    let mut forge = Forge::open()?;
    let denies = |body: &Body| matches!(body, Body::DecisionMade(decision) if decision.outcome == Outcome::Deny);
    let seq = forge.find(|statement| denies(&statement.body))?;
    let mut statement = forge.statement(seq)?;
    if let Body::DecisionMade(decision) = &mut statement.body {
        decision.outcome = Outcome::Allow;
    }
    forge.replace(seq, &statement)?;
    forge.relink();
    let named = rejected(&forge.write_with_own_checkpoint()?)?;
    assert!(named.finds("I2", seq as u64), "{}", named.ran);
    Ok(())
}

#[test]
fn action_attributed_to_another_agent_is_named() -> Checked {
    let mut forge = Forge::open()?;
    let lead = forge.find(|statement| matches!(statement.body, Body::ActionRequested(_)))?;
    let lead_by = forge.statement(lead)?.by;
    let other =
        forge.find(|statement| matches!(statement.body, Body::ActionRequested(_)) && statement.by != lead_by)?;
    let mut statement = forge.statement(lead)?;
    statement.by = forge.statement(other)?.by;
    // The author named cannot have signed it before it was introduced, so the later request is given to the lead.
    if statement.by.get() > lead as u64 {
        statement = forge.statement(other)?;
        statement.by = lead_by;
        forge.replace(other, &statement)?;
        forge.relink();
        let named = rejected(&forge.write_with_own_checkpoint()?)?;
        assert!(named.finds("I2", other as u64), "{}", named.ran);
        return Ok(());
    }
    forge.replace(lead, &statement)?;
    forge.relink();
    let named = rejected(&forge.write_with_own_checkpoint()?)?;
    assert!(named.finds("I2", lead as u64), "{}", named.ran);
    Ok(())
}

#[test]
fn entry_left_out_with_the_chain_recomputed_is_rejected() -> Checked {
    let denied = Forge::open()?.find(|statement| matches!(statement.body, Body::DecisionMade(_)))?;
    for seq in [1, denied, Forge::open()?.records.len() - 2] {
        let mut forge = Forge::open()?;
        forge.records.remove(seq);
        forge.relink();
        rejected(&forge.write_with_own_checkpoint()?)?;
        let copy = forge.write()?;
        copy.change("DELETE FROM checkpoint WHERE size > 1", [])?;
        rejected(&copy)?;
    }
    Ok(())
}

#[test]
fn entry_inserted_with_the_chain_recomputed_is_rejected() -> Checked {
    let mut forge = Forge::open()?;
    let twice = forge.records[10].clone();
    forge.records.insert(11, twice);
    forge.relink();
    rejected(&forge.write_with_own_checkpoint()?)?;
    Ok(())
}

#[test]
fn ledger_cut_and_closed_again_by_another_is_rejected() -> Checked {
    let mut forge = Forge::open()?;
    let last = forge.records.len() - 1;
    let mut closing = forge.statement(last)?;
    let mut close = forge.records[last].clone();
    forge.records.truncate(last / 2);
    let tree = forge.root();
    if let Body::LedgerClosed(closed) = &mut closing.body {
        closed.size = Size::clamped(tree.size().get());
        closed.root = Digest::from_bytes(*tree.root().as_bytes());
    }
    close.prev = link(&forge.records[last / 2 - 1].encode());
    closing.seen.size = Size::clamped(tree.size().get());
    closing.seen.link = close.prev;
    forge.records.push(close);
    forge.replace(last / 2, &closing)?;
    forge.relink();
    let named = rejected(&forge.write_with_own_checkpoint()?)?;
    assert!(named.finds("I2", last as u64 / 2), "{}", named.ran);
    Ok(())
}

#[test]
fn missing_second_signature_is_a_downgrade() -> Checked {
    use countersign_schemas::kind::SignatureSet;
    let mut forge = Forge::open()?;
    let seq = forge.find(|statement| matches!(statement.body, Body::InstanceStopped(_)))?;
    let statement = forge.statement(seq)?.encode();
    forge.records[seq].statement = cose::sign(
        &statement,
        SignatureSet::Ed25519,
        forge.ledger,
        &HybridSecret::generate()?,
    );
    forge.relink();
    let named = rejected(&forge.write_with_own_checkpoint()?)?;
    assert!(named.finds("I2", seq as u64), "{}", named.ran);
    Ok(())
}

#[test]
fn time_of_receipt_of_the_last_entry_cannot_be_changed() -> Checked {
    for later_ms in [1, 1_000, 86_400_000] {
        let mut forge = Forge::open()?;
        let last = forge.records.len() - 1;
        let received = forge.records[last].received.get();
        forge.records[last].received = Millis::clamped(received + later_ms);
        let copy = forge.write()?;
        copy.change("DELETE FROM checkpoint WHERE size > 1", [])?;
        let verdict = copy.verdict(story().trust())?;
        assert!([1, 3].contains(&verdict.code()), "{later_ms} ms later: {}", verdict.ran);
        // With the checkpoint left in place the change is named.
        let verdict = rejected(&forge.write()?)?;
        assert!(verdict.names(last as u64), "{later_ms} ms later: {}", verdict.ran);
    }
    Ok(())
}

#[test]
fn time_of_receipt_of_any_entry_cannot_be_changed_with_the_chain_recomputed() -> Checked {
    for seq in [0, 7, 40] {
        let mut forge = Forge::open()?;
        forge.records[seq].received = Millis::clamped(forge.records[seq].received.get().saturating_sub(1));
        forge.relink();
        let named = rejected(&forge.write_with_own_checkpoint()?)?;
        assert!(named.finding_codes().contains(&"I5"), "entry {seq}: {}", named.ran);
    }
    Ok(())
}
