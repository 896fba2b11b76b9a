//! A clock that was set back between two openings of a ledger: the ledger goes on, and says so.

use crate::support::programs::run;
use crate::support::shim::Shim;
use crate::support::stored::log;
use crate::support::writer::{Told, writer};
use crate::support::{Checked, scratch};

#[test]
fn ledger_goes_on_under_a_clock_that_was_set_back() -> Checked {
    let Some(shim) = Shim::for_test("ledger_goes_on_under_a_clock_that_was_set_back") else {
        return Ok(());
    };
    let folder = scratch()?;
    let ledger = folder.path().join("ledger.db");
    let mut told = Told::default();
    for (seconds, end) in [(7_200, "end=leave"), (0, "end=leave"), (-7_200, "end=close")] {
        let mut command = writer(&ledger, &["callers=2", "entries=4", end]);
        shim.shift_clock(&mut command, seconds);
        told.hear_all(&run(&mut command)?.expect(0).stdout)?;
        told.kept_by(&ledger)?.ok_or("no ledger")?;
    }
    let entries = log(&ledger)?;
    let stepped = entries.iter().filter(|entry| entry["body"]["code"] == "clock-stepped");
    assert_eq!(stepped.count(), 2, "each step once: {entries:#?}");
    let times: Vec<_> = entries.iter().filter_map(|entry| entry["received"].as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    Ok(())
}
