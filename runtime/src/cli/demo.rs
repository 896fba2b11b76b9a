//! `countersign demo`: a whole story without key or network, ending with its own proof.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use countersign_examples::{DEMO_POLICY, DEMO_SCRIPT, DEMO_TASK, unpack_demo};
use countersign_identity::did::PeerDid;
use countersign_schemas::body::RunMode;

use super::arguments::DemoArguments;
use super::exit::{Exit, Failure};
use super::household::Household;
use super::init::write_text;
use super::session::{block_on, failure};
use super::watch::{Show, Watcher};
use crate::clock::Clock;
use crate::gate::Manner;
use crate::model::prices::PriceTable;
use crate::model::{Script, ScriptedModel};
use crate::recorder::{Authority, Place};
use crate::redact::Redactor;
use crate::session::{self, ApproverKey, AtEnd, Models, Plan, StopSwitch};
use crate::tool::Nobody;

/// Plays the story, verifies what it leaves, and prints who allowed what.
pub(super) fn run(arguments: &DemoArguments) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    make_folder(dir)?;
    let project = dir.join("project");
    unpack_demo(&project).map_err(|error| Failure::caused(Exit::Environment, "the demo's project", &error))?;
    let ledger = dir.join("ledger.db");
    let anchor = dir.join("principal.did");
    let show = if arguments.json { Show::Json } else { Show::Text };

    let now = Clock::default().read();
    let household = Household::make(now).map_err(|error| Failure::caused(Exit::Environment, "keys", &error))?;
    let principal = household.principal_did();
    write_text(&anchor, &format!("{}\n", principal.long()))?;
    let plan = |cancel| -> Result<Plan, Failure> {
        let Household {
            host,
            host_credential,
            approver,
            approver_credential,
            ..
        } = household;
        let script = Script::parse(DEMO_SCRIPT.as_bytes())
            .map_err(|error| Failure::caused(Exit::Bug, "the demo's script", &error))?;
        let authority = Authority::new(principal, host, host_credential)
            .map_err(|error| Failure::caused(Exit::Bug, "the demo's host", &error))?;
        Ok(Plan {
            after: None,
            task: DEMO_TASK.to_owned(),
            dir: project,
            ledger: Place::new(ledger.clone()),
            at_end: AtEnd::Close,
            own: vec![anchor.clone()],
            models: Models::same(Arc::new(ScriptedModel::new(script))),
            prices: PriceTable::builtin().clone(),
            hosts: BTreeSet::new(),
            coordinates: false,
            policy: Some(DEMO_POLICY.to_owned()),
            grant: None,
            authority,
            approver: Some(ApproverKey {
                did: PeerDid::from_keys(approver.public()),
                secret: approver,
                credential: approver_credential,
                manner: Manner::Unattended,
            }),
            mode: RunMode::Headless,
            cancel,
            switch: StopSwitch::default(),
            observer: Arc::new(Watcher::new(show, Arc::default())),
            person: Arc::new(Nobody),
            instructor: None,
            redactor: Redactor::standard(),
        })
    };
    let report = block_on(|cancel, _| async move { Ok::<_, Failure>(session::run(plan(cancel)?).await) })??;
    let report = report.map_err(|error| failure(&error, &dir.join("ledger.db"), None))?;
    let ended = Exit::of_run(report.reason);
    let verified = prove(dir, arguments.json)?;
    Ok(if ended == Exit::Done { verified } else { ended })
}

/// Verifies the demo's ledger as an auditor would and prints the authority tree.
fn prove(dir: &Path, json: bool) -> Result<Exit, Failure> {
    let (ledger, anchor) = (dir.join("ledger.db"), dir.join("principal.did"));
    let how = if json { "--json" } else { "--explain" };
    let mut out = io::stdout().lock();
    if !json {
        writeln!(
            out,
            "\n$ verify {} --trust {} --explain",
            ledger.display(),
            anchor.display()
        )?;
    }
    let arguments = [
        "verify".as_ref(),
        ledger.as_os_str(),
        "--trust".as_ref(),
        anchor.as_os_str(),
        how.as_ref(),
    ];
    let code = countersign_verifier::cli::run(arguments.map(Into::into), &mut out, &mut io::stderr());
    Ok(if code == 0 { Exit::Done } else { Exit::Failed })
}

fn make_folder(dir: &Path) -> Result<(), Failure> {
    if dir.symlink_metadata().is_ok() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} exists; the demo touches nothing that is there", dir.display()),
        )
        .hint("name another folder with --dir"));
    }
    fs::create_dir_all(dir).map_err(|error| Failure::caused(Exit::Environment, dir.display(), &error))
}
