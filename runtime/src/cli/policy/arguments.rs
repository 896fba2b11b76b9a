//! The command line of `countersign policy`, as data.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use countersign_schemas::body::PolicyLayer;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say what is wrong with policy files, and try the examples in them
    Check(CheckArguments),
    /// Ask a policy file about calls whose outcomes are written down
    Test(TestArguments),
    /// Say which rule decides on a call, and what would change it
    Explain(ExplainArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// A policy file; `-` is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (checking never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// The policy file; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The calls with their outcomes, as JSON
    #[arg(long, value_name = "CASES")]
    pub(crate) cases: PathBuf,
    /// Which layer the file is: 1 may permit, 5 may only forbid and ask
    #[arg(long = "as", value_enum, value_name = "LAYER", default_value = "1")]
    pub(crate) layer: FileLayer,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (testing never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The tool that is called
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    /// Its main argument, such as a path or a command; or all of its arguments as a JSON object
    #[arg(value_name = "REST", default_value = "")]
    pub(crate) rest: String,
    /// Policies beside the built-in ones; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Which layer they are: 1 may permit, 5 may only forbid and ask
    #[arg(long = "as", value_enum, value_name = "LAYER", default_value = "1")]
    pub(crate) layer: FileLayer,
    /// How the run is attended: interactive, coordinator, worker or headless
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<String>,
    /// Another circumstance, such as place=outside, advised=true or root=false; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Folder of the run
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Never ask anything (explaining never does)
    #[arg(long)]
    pub(crate) no_input: bool,
}

/// What a policy file can be (authority-v1 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileLayer {
    /// The organisation's: what `run --policy` is, unless a grant fixes the layer
    #[value(name = "1")]
    Organisation,
    /// A file that only restricts: what `run --policy` is under a grant that fixes the organisation's
    #[value(name = "5")]
    File,
}

impl FileLayer {
    pub(crate) const fn layer(self) -> PolicyLayer {
        match self {
            Self::Organisation => PolicyLayer::Organisation,
            Self::File => PolicyLayer::File,
        }
    }
}
