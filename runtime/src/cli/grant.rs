//! `countersign grant issue`: the principal says once what this host's runs may do at most.

use std::collections::BTreeSet;
use std::io::{self, Write};

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{CredentialError, GrantClaims, GrantCredential};
use countersign_identity::did::PeerDid;
use countersign_identity::grant::{AbsolutePath, Budget, Grant, HostScope, Lineage, PolicyTerms, Purpose};
use countersign_identity::instant::{InstantError, Window};
use countersign_identity::keyfile::Purpose as KeyPurpose;
use countersign_schemas::body::Effects;
use countersign_schemas::number::{Count, Millis};
use countersign_schemas::text::Name;

use super::arguments::{GrantCommand, GrantIssueArguments};
use super::exit::{Exit, Failure};
use super::init::{home, write_text};
use super::keys::{self, Input};
use crate::clock::Clock;
use crate::tool::BUILTIN;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// Runs one of the grant commands.
pub(super) fn run(command: GrantCommand) -> Result<Exit, Failure> {
    match command {
        GrantCommand::Issue(arguments) => issue(&arguments),
    }
}

fn issue(arguments: &GrantIssueArguments) -> Result<Exit, Failure> {
    let home = home()?;
    let host = keys::authority(&home)?.host_did().clone();
    let principal = keys::open(
        &home.principal_key(),
        KeyPurpose::Principal,
        Input::of(arguments.no_input),
    )?;
    let grant = grant(arguments, principal.did())?;
    let now = Clock::default().read();
    let window = window(now, arguments.hours).map_err(|error| Failure::caused(Exit::Usage, "--hours", &error))?;
    let claims = GrantClaims {
        window,
        host: host.short_did().clone(),
        grant,
    };
    let issued = GrantCredential::issue(&claims, principal.secret(), principal.did());
    let bytes = issued.map_err(|error: CredentialError| Failure::caused(Exit::Usage, "the grant", &error))?;
    let text = String::from_utf8_lossy(&bytes);
    match arguments.output.to_str() {
        Some("-") => writeln!(io::stdout(), "{text}")?,
        _ => write_text(&arguments.output, &text)?,
    }
    Ok(Exit::Done)
}

fn grant(arguments: &GrantIssueArguments, principal: &PeerDid) -> Result<Grant, Failure> {
    let (tools, effects) = tools(&arguments.tools)?;
    let paths = arguments
        .paths
        .iter()
        .map(|path| absolute(path))
        .collect::<Result<BTreeSet<_>, _>>()?;
    let workspace = paths
        .first()
        .cloned()
        .ok_or_else(|| Failure::new(Exit::Usage, "--path: name at least one folder"))?;
    Ok(Grant {
        tools,
        effects,
        workspace,
        paths,
        hosts: hosts(&arguments.hosts)?,
        budget: Budget {
            calls: count(arguments.calls)?,
            tokens_in: count(arguments.tokens_in)?,
            tokens_out: count(arguments.tokens_out)?,
            cost_micro_usd: count(arguments.cost_micro_usd)?,
        },
        depth: arguments.depth,
        may_delegate: arguments.depth > 0,
        ledger: LedgerBinding::Any,
        purpose: Purpose::new(arguments.purpose.clone())
            .map_err(|error| Failure::new(Exit::Usage, format!("--purpose: {error}")))?,
        policy: PolicyTerms {
            adopt: !arguments.no_policy,
            floor: Default::default(),
        },
        lineage: Lineage::Root,
        principal: principal.short_did().clone(),
    })
}

/// The named tools, all built-in ones without names, and the effects they have together.
fn tools(names: &[String]) -> Result<(BTreeSet<Name>, Effects), Failure> {
    let mut granted = (BTreeSet::new(), Effects::default());
    let all = BUILTIN.iter().map(|spec| spec.name.to_owned()).collect::<Vec<_>>();
    for name in if names.is_empty() { &all } else { names } {
        let spec = BUILTIN.into_iter().find(|spec| spec.name == name).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("--tool: there is no tool {name:?}"))
                .hint("`countersign tools` lists them")
        })?;
        granted.0.extend(Name::new(spec.name));
        granted.1 = granted.1.union(spec.effects);
    }
    Ok(granted)
}

fn hosts(names: &[String]) -> Result<BTreeSet<HostScope>, Failure> {
    let scope = |name: &String| {
        HostScope::new(name.as_str()).map_err(|_| {
            Failure::new(Exit::Usage, format!("--host: {name:?} is no host")).hint(
                "name it in lower case without scheme, port or path, such as docs.example.com, or * for every host",
            )
        })
    };
    let scopes: BTreeSet<HostScope> = names.iter().map(scope).collect::<Result<_, _>>()?;
    if scopes.len() > 1 && scopes.iter().any(HostScope::is_every_host) {
        return Err(Failure::new(Exit::Usage, "--host: * is every host and stands alone"));
    }
    Ok(scopes)
}

fn absolute(path: &std::path::Path) -> Result<AbsolutePath, Failure> {
    let real = path
        .canonicalize()
        .map_err(|error| Failure::caused(Exit::Usage, path.display(), &error))?;
    let text = real
        .to_str()
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{}: not UTF-8", path.display())))?;
    AbsolutePath::new(text).map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", path.display())))
}

fn count(value: u64) -> Result<Count, Failure> {
    Count::new(value).map_err(|error| Failure::caused(Exit::Usage, "budget", &error))
}

fn window(now: Millis, hours: u64) -> Result<Window, InstantError> {
    let from = now.get() / 1000 * 1000;
    Window::new(
        Millis::clamped(from),
        Millis::clamped(from.saturating_add(hours.saturating_mul(HOUR_MS))),
    )
}
