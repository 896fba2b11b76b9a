//! The command line of `countersign`, as data.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::policy::PolicyCommand;

/// Runs agents so that every action can be traced to who allowed it, and proven afterwards.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a whole story without key or network, and verify what it leaves behind
    Demo(DemoArguments),
    /// Make the principal's and the host's keys, a trust anchor and a starter policy
    Init(InitArguments),
    /// Let an agent work on a task in a folder
    Run(RunArguments),
    /// Work with an agent in a conversation
    Chat(ChatArguments),
    /// Stop a run that goes on: revoke everybody's authority, interrupt them all and close the ledger
    Stop(StopArguments),
    /// Bound what this host's runs may do, signed by the principal
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Read or copy a ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Check, test and explain policies before a run relies on them
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// List the built-in tools
    Tools(ToolsArguments),
    /// Measure what this machine does, beside its own limits
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Prove a ledger; the same as the `verify` program
    #[command(disable_help_flag = true)]
    Verify {
        /// Arguments of `verify`; see `verify --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<std::ffi::OsString>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder to make and to leave the ledger in
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub(crate) dir: PathBuf,
    /// Print events and the verdict as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (the demo never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Store the keys without a passphrase
    #[arg(long)]
    pub(crate) no_passphrase: bool,
    /// Sign a new 30-day credential for this host with the existing principal key
    #[arg(long)]
    pub(crate) renew_host: bool,
    /// Never ask anything: the passphrase comes from the environment or there is none
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// What the lead agent is to do
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    /// Print events as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// What the lead agent is to do first; without it, you are asked
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) session: SessionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct StopArguments {
    /// The run: its ledger, or at least four digits of its id; without it, the only one that goes on
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Only list the runs that go on
    #[arg(long, conflicts_with_all = ["run", "wait"])]
    pub(crate) list: bool,
    /// How many seconds to wait for its end
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) wait: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (stopping never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

/// What every front end of a session takes.
#[derive(Debug, Args)]
pub(crate) struct SessionArguments {
    /// Model to use: `anthropic/NAME`, `openai/NAME`, `openai-chat/NAME`, `http://HOST:PORT/v1#NAME`, or `scripted:FILE`
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Model of the advisor, written as --model, or `provider:NAME` for the advisor tool of the model's own provider;
    /// without it, the same model
    #[arg(long, value_name = "MODEL")]
    pub(crate) advisor: Option<String>,
    /// Cedar policies for this run
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Where to write the ledger: a new file, or a ledger that is still open, which is gone on with
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// The closed ledger that this one follows: its id, size and root become part of the new one
    #[arg(long, value_name = "OLD")]
    pub(crate) after: Option<PathBuf>,
    /// Where to keep the newest head of the ledger, best on another disk; without it, beside the ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) head_file: Option<PathBuf>,
    /// Leave the ledger open at the end, so that another run can go on with it
    #[arg(long)]
    pub(crate) keep_open: bool,
    /// Grant of the principal that bounds this run
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: Option<PathBuf>,
    /// Who answers what policy leaves open: `ask`, `never`, or an approver's key file
    #[arg(long, value_name = "ask|never|KEYFILE")]
    pub(crate) approve: Option<String>,
    /// Folder to work in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// A host that agents may fetch pages from, with all names below it; may be given several times
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Have the lead coordinate subagents and leave every change to them
    #[arg(long)]
    pub(crate) coordinator: bool,
    /// Price table to count costs by, in place of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Never ask anything: what would be asked is denied
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// Sign a grant for this host, to be passed to `run --grant`
    Issue(GrantIssueArguments),
}

#[derive(Debug, Args)]
pub(crate) struct GrantIssueArguments {
    /// Where to write the grant; `-` is stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// A tool that may be used; without any, all built-in tools
    #[arg(long = "tool", value_name = "TOOL")]
    pub(crate) tools: Vec<String>,
    /// A folder that may be worked in
    #[arg(long = "path", value_name = "DIR", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A host that may be fetched from, with all names below it; `*` is every host; without any, none
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Model calls and actions, in all
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) calls: u64,
    /// Tokens read by models, in all
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    pub(crate) tokens_in: u64,
    /// Tokens written by models, in all
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub(crate) tokens_out: u64,
    /// Cost in millionths of a US dollar, in all
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    pub(crate) cost_micro_usd: u64,
    /// Generations of agents below this grant: 1 is a lead alone, 2 a lead with subagents
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) depth: u8,
    /// How long it holds
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub(crate) hours: u64,
    /// What it is for; becomes part of every ledger it is used in
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) purpose: String,
    /// A policy file may then only restrict, not permit
    #[arg(long)]
    pub(crate) no_policy: bool,
    /// Never ask anything
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Print every entry
    Log(LedgerArguments),
    /// Print one entry with its payloads
    Show {
        /// Sequence number of the entry
        #[arg(value_name = "ENTRY")]
        entry: u64,
        #[command(flatten)]
        ledger: LedgerArguments,
    },
    /// Print the latest checkpoint, to be kept elsewhere and given to `verify --head`
    Head(LedgerArguments),
    /// Copy everything into one file, also while a run goes on
    Backup(BackupArguments),
    /// Copy what an auditor is to get into one file
    Export(ExportArguments),
    /// Go on with a ledger that lost entries, or whose process died, and enter what is known of it
    Recover(RecoverArguments),
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// The ledger; without it, the latest one of this home
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Where the newest head of the ledger is kept; without it, beside the ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) head_file: Option<PathBuf>,
    /// Close the ledger afterwards, so that nothing can follow
    #[arg(long)]
    pub(crate) close: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (recovering never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// Where to write the copy; must not exist yet
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// Where to write the copy; must not exist yet
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Leave out prompts, answers, arguments and results; policies stay
    #[arg(long)]
    pub(crate) without_content: bool,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct LedgerArguments {
    /// The ledger; without it, the latest one of this home
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (reading never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (listing never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Durable signed entries a second, made through the law by callers that each wait for every entry
    Append(BenchAppendArguments),
}

/// What the callers of a bench enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchWork {
    /// What agents say of the calls to their model: nothing has to be decided
    Statements,
    /// Requests, their decisions by the policies, and outcomes
    Actions,
}

impl BenchWork {
    /// Its word on the command line and in a report.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Statements => "statements",
            Self::Actions => "actions",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BenchAppendArguments {
    /// Entries of each run; without it, each run takes ten seconds of appending
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) entries: Option<u64>,
    /// Agents that act side by side; one run for each number given; without it, 1, 64 and 256
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub(crate) callers: Vec<u16>,
    /// What the agents do; without it, one after the other
    #[arg(long, value_enum, value_name = "WORK")]
    pub(crate) work: Vec<BenchWork>,
    /// Folder on the disk to measure
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Leave the ledger of the last run as DIR/ledger.db and its principal as DIR/principal.did
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (a bench never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}
