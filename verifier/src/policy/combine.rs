//! The two recomputable policy parts of a decision: layers 0 and 1 together, and the lower layers (authority-v1 §8.3).

use countersign_schemas::body::{PartOutcome, PolicyLayer};

use super::LoadedLayer;
use super::engine::{Answer, Question, SatisfiedPermit};
use crate::projection::CedarRequest;

/// Most rules that one part names.
pub(super) const RULES_MAX: usize = 16;

/// What one part says, and the policies that say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartResult {
    /// The outcome of the part.
    pub outcome: PartOutcome,
    /// `<layer>/<id>` of the determining policies: sorted bytewise, without duplicates, at most 16.
    pub rules: Vec<String>,
}

impl PartResult {
    fn new(outcome: PartOutcome, mut rules: Vec<String>) -> Self {
        rules.sort_unstable();
        rules.dedup();
        rules.truncate(RULES_MAX);
        Self { outcome, rules }
    }
}

/// The answers of all layers in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyParts {
    /// Layers 0 and 1: they alone may permit.
    pub permit: PartResult,
    /// Layers 2 to 5: they can only forbid or ask; absent where none of them is in force.
    pub lower: Option<PartResult>,
}

/// Asks every layer in force about `request`; `principal_owner` is the short DID of the ledger's principal.
///
/// At most one layer of each number is looked at: the caller passes the layers *in force*.
#[must_use]
pub fn evaluate(layers: &[&LoadedLayer], request: &CedarRequest, principal_owner: &str) -> PolicyParts {
    let question = Question::new(request, principal_owner, layers);
    let ask = |layer: &LoadedLayer| match &question {
        Some(question) => question.ask(layer),
        None => Answer::CouldNotEvaluate(vec!["unreadable".to_owned()]),
    };
    let find = |wanted| {
        layers
            .iter()
            .find(|layer| layer.layer() == wanted)
            .map(|layer| ask(layer))
    };
    let lower: Vec<(PolicyLayer, Answer)> = layers
        .iter()
        .filter(|layer| !may_permit(layer.layer()))
        .map(|layer| (layer.layer(), ask(layer)))
        .collect();
    PolicyParts {
        permit: permit_layers(find(PolicyLayer::Builtin), find(PolicyLayer::Organisation)),
        lower: (!lower.is_empty()).then(|| lower_layers(&lower)),
    }
}

fn may_permit(layer: PolicyLayer) -> bool {
    matches!(layer, PolicyLayer::Builtin | PolicyLayer::Organisation)
}

fn rules(layer: PolicyLayer, names: &[String]) -> impl Iterator<Item = String> {
    names.iter().map(move |name| format!("{}/{name}", layer.code()))
}

/// The rules of all answers that `select` picks; empty where it picks none.
fn collect<'a>(
    answers: impl IntoIterator<Item = (PolicyLayer, &'a Answer)>,
    select: impl Fn(&'a Answer) -> Option<&'a Vec<String>>,
) -> Option<Vec<String>> {
    let picked: Vec<(PolicyLayer, &Vec<String>)> = answers
        .into_iter()
        .filter_map(|(layer, answer)| select(answer).map(|names| (layer, names)))
        .collect();
    (!picked.is_empty()).then(|| {
        picked
            .into_iter()
            .flat_map(|(layer, names)| rules(layer, names))
            .collect()
    })
}

/// The strictest two results, which are the same for upper and lower layers.
fn refusal(answers: &[(PolicyLayer, &Answer)]) -> Option<PartResult> {
    let failed = collect(answers.iter().copied(), |answer| match answer {
        Answer::CouldNotEvaluate(names) => Some(names),
        _ => None,
    });
    if let Some(names) = failed {
        return Some(PartResult::new(PartOutcome::CouldNotEvaluate, names));
    }
    let denied = collect(answers.iter().copied(), |answer| match answer {
        Answer::Deny(names) => Some(names),
        _ => None,
    });
    denied.map(|names| PartResult::new(PartOutcome::Deny, names))
}

/// Part 2. A ledger without layer 0 has nobody who forbids what must never happen, so nothing can be permitted either.
fn permit_layers(builtin: Option<Answer>, organisation: Option<Answer>) -> PartResult {
    let builtin = builtin.unwrap_or_else(|| Answer::CouldNotEvaluate(vec!["absent".to_owned()]));
    let organisation = organisation.unwrap_or(Answer::Silent);
    let answers = [
        (PolicyLayer::Builtin, &builtin),
        (PolicyLayer::Organisation, &organisation),
    ];
    if let Some(refusal) = refusal(&answers) {
        return refusal;
    }
    let above = permits(&organisation);
    // What the organisation permits takes the place of the defaults, never of the other asks of layer 0.
    let below = permits(&builtin)
        .iter()
        .filter(|permit| above.is_empty() || !permit.is_default);
    let counted: Vec<(PolicyLayer, &SatisfiedPermit)> = (below.map(|permit| (PolicyLayer::Builtin, permit)))
        .chain(above.iter().map(|permit| (PolicyLayer::Organisation, permit)))
        .collect();
    permitted(&counted, PartOutcome::Allow).unwrap_or_else(|| PartResult::new(PartOutcome::Deny, Vec::new()))
}

/// Part 3: under an implicit permit of everything a layer that permits, or says nothing, leaves the others to decide.
fn lower_layers(answers: &[(PolicyLayer, Answer)]) -> PartResult {
    let by_reference: Vec<(PolicyLayer, &Answer)> = answers.iter().map(|(layer, answer)| (*layer, answer)).collect();
    if let Some(refusal) = refusal(&by_reference) {
        return refusal;
    }
    let asking: Vec<(PolicyLayer, &SatisfiedPermit)> = answers
        .iter()
        .flat_map(|(layer, answer)| permits(answer).iter().map(|permit| (*layer, permit)))
        .filter(|(_, permit)| permit.is_ask)
        .collect();
    permitted(&asking, PartOutcome::Neutral).unwrap_or_else(|| PartResult::new(PartOutcome::Neutral, Vec::new()))
}

fn permits(answer: &Answer) -> &[SatisfiedPermit] {
    match answer {
        Answer::Permit(permits) => permits,
        _ => &[],
    }
}

/// Ask if one of `permits` asks, else `otherwise`; `None` without any permit.
fn permitted(permits: &[(PolicyLayer, &SatisfiedPermit)], otherwise: PartOutcome) -> Option<PartResult> {
    if permits.is_empty() {
        return None;
    }
    let asks = permits.iter().any(|(_, permit)| permit.is_ask);
    let names = permits
        .iter()
        .filter(|(_, permit)| permit.is_ask || !asks)
        .map(|(layer, permit)| format!("{}/{}", layer.code(), permit.name))
        .collect();
    Some(PartResult::new(if asks { PartOutcome::Ask } else { otherwise }, names))
}
