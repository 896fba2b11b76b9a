//! Several runs on one ledger at the same time: each a process of its own, one of which has the file.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::child::Running;
use crate::support::programs::{Ran, run};
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop, turn};
use crate::support::{Checked, skip};

/// A workshop with a policy that lets everybody work.
fn workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    Ok(workshop)
}

/// A run with a script of its own.
fn command(workshop: &Workshop, name: &str, commands: &[String]) -> Checked<Command> {
    let mut turns: Vec<Value> = commands
        .iter()
        .map(|command| turn("bash", &json!({ "command": command })))
        .collect();
    turns.push(json!({ "say": "Done." }));
    let script = json!({ "schema": "countersign.script/v1", "agents": { "lead": turns } });
    workshop.file(&format!("{name}.json"), script.to_string())?;
    let mut command = workshop.countersign();
    command
        .args(["run", name, "--model", &format!("scripted:{name}.json")])
        .args(["--dir", "work", "--ledger", "ledger.db", "--approve", "never"])
        .args(["--policy", "policy.cedar"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// Shows that this run is at work, and waits until `all` are.
fn meet(name: &str, all: usize) -> String {
    format!("touch met-{name}; until [ $(ls | grep -c '^met-') -ge {all} ]; do sleep 0.05; done")
}

/// Shows that this run is at work, and waits for a file.
fn wait_for(name: &str, file: &str) -> String {
    format!("touch met-{name}; until [ -e {file} ]; do sleep 0.05; done")
}

fn write(name: &str, number: u32) -> String {
    format!("echo {number} > {name}-{number}.txt")
}

fn finish(child: Child, name: &str) -> Checked<Ran> {
    Ran::of(child.wait_with_output()?, name)
}

fn count(entries: &[Value], kind: &str) -> usize {
    entries.iter().filter(|entry| entry["kind"] == kind).count()
}

/// Runs that all begin at once and work side by side.
fn work_side_by_side(runs: usize) -> Checked {
    let workshop = workshop()?;
    let mut children = Vec::new();
    for number in 0..runs {
        let name = format!("run{number}");
        let commands = [meet(&name, runs), write(&name, 1), write(&name, 2), write(&name, 3)];
        children.push((command(&workshop, &name, &commands)?.spawn()?, name));
    }
    for (child, name) in children {
        finish(child, &name)?.expect(0);
    }
    workshop.verdict()?.expect(0);
    let entries = log(&workshop.ledger())?;
    assert_eq!(count(&entries, "run.started"), runs);
    assert_eq!(count(&entries, "run.ended"), runs);
    assert_eq!(count(&entries, "action.finished"), 4 * runs);
    assert_eq!(count(&entries, "ledger.closed"), 1);
    // Built-in and own policy: whoever comes second finds them in force.
    assert_eq!(count(&entries, "policy.adopted"), 2);
    for left in ["ledger.db-sock", "ledger.db-joined", "ledger.db-lock", "ledger.db-wal"] {
        assert!(!workshop.root().join(left).exists(), "{left} was left behind");
    }
    Ok(())
}

#[test]
fn two_runs_that_begin_at_once_share_a_ledger() -> Checked {
    work_side_by_side(2)
}

#[test]
fn eight_runs_that_begin_at_once_share_a_ledger() -> Checked {
    work_side_by_side(8)
}

#[test]
fn run_that_has_the_ledger_ends_first_and_the_others_go_on() -> Checked {
    let workshop = workshop()?;
    let at_work = |name: &str| workshop.work().join(format!("met-{name}"));
    let first = command(&workshop, "first", &[wait_for("first", "first-may-end")])?.spawn()?;
    wait_until(&at_work("first"))?;
    let mut others = Vec::new();
    for name in ["second", "third"] {
        let commands = [wait_for(name, "others-may-end"), write(name, 1), write(name, 2)];
        others.push((command(&workshop, name, &commands)?.spawn()?, name));
        wait_until(&at_work(name))?;
    }
    fs::write(workshop.work().join("first-may-end"), "")?;
    finish(first, "first")?.expect(0);
    fs::write(workshop.work().join("others-may-end"), "")?;
    for (child, name) in others {
        finish(child, name)?.expect(0);
    }
    workshop.verdict()?.expect(0);
    assert_eq!(count(&log(&workshop.ledger())?, "run.ended"), 3);
    Ok(())
}

#[test]
fn run_that_has_the_ledger_is_killed_and_the_others_end_with_it_but_the_ledger_goes_on() -> Checked {
    let workshop = workshop()?;
    let at_work = |name: &str| workshop.work().join(format!("met-{name}"));
    let mut first = Running::start(
        command(&workshop, "first", &[wait_for("first", "never")])?
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    wait_until(&at_work("first"))?;
    let commands = [wait_for("second", "go-on"), write("second", 1)];
    let second = command(&workshop, "second", &commands)?.spawn()?;
    wait_until(&at_work("second"))?;
    first.kill()?;
    fs::write(workshop.work().join("go-on"), "")?;
    finish(second, "second")?.expect(4);
    assert!(
        !workshop.work().join("second-1.txt").exists(),
        "it did what was not entered"
    );
    workshop.verdict()?.expect(3);
    let next = command(&workshop, "next", &[write("next", 1)])?.spawn()?;
    finish(next, "next")?.expect(0);
    assert!(workshop.work().join("next-1.txt").exists());
    workshop.verdict()?.expect(3);
    let entries = log(&workshop.ledger())?;
    assert_eq!(count(&entries, "run.started"), 3);
    assert_eq!(
        count(&entries, "run.ended"),
        3,
        "the next run said what became of the dead ones"
    );
    Ok(())
}

/// Says hello, and prints how many bytes of an answer came before the other side hung up.
const KNOCK: &str = r#"
use IO::Socket::UNIX;
my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
$socket->syswrite(pack("N", 1) . "\xa0");
my $all = 0;
while (my $read = $socket->sysread(my $answer, 4096)) { $all += $read; }
print $all;
"#;

/// `nobody`, as most systems number it.
const NOBODY: u32 = 65_534;

#[test]
fn process_of_another_user_is_hung_up_on_without_a_word() -> Checked {
    const TEST: &str = "process_of_another_user_is_hung_up_on_without_a_word";
    let workshop = workshop()?;
    if fs::metadata(workshop.root())?.uid() != 0 {
        skip(TEST, "only root can start a process of another user");
        return Ok(());
    }
    let socket = workshop.root().join("ledger.db-sock");
    let first = command(&workshop, "first", &[wait_for("first", "may-end")])?.spawn()?;
    wait_until(&workshop.work().join("met-first"))?;
    assert_eq!(fs::metadata(&socket)?.permissions().mode() & 0o777, 0o600);
    // The mode alone would keep others out: it is opened, to see what lies behind it.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
    fs::set_permissions(workshop.root(), fs::Permissions::from_mode(0o711))?;
    let knock = |uid: Option<u32>| {
        let mut perl = Command::new("perl");
        perl.args(["-e", KNOCK]).arg(&socket).current_dir("/");
        uid.map(|uid| perl.uid(uid));
        run(&mut perl)
    };
    match knock(None) {
        Err(error) => skip(TEST, &format!("no perl: {error}")),
        Ok(own) => {
            let own = own.expect(0);
            assert!(
                own.stdout.parse::<u32>()? > 0,
                "our own user is told what is wrong: {own}"
            );
            let other = knock(Some(NOBODY))?;
            // Hung up on before, or while, it says hello.
            assert!(other.stdout.is_empty() || other.stdout == "0", "{other}");
            assert!(!other.stderr.contains("connect"), "{other}");
        }
    }
    fs::write(workshop.work().join("may-end"), "")?;
    finish(first, "first")?.expect(0);
    workshop.verdict()?.expect(0);
    Ok(())
}

fn wait_until(path: &Path) -> Checked {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !path.exists() {
        if std::time::Instant::now() > deadline {
            return Err(format!("waited for {}", path.display()).into());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(())
}
