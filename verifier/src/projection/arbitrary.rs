//! Requests of every kind for the tests: with whatever text JSON or a policy could stumble over.

use countersign_identity::jcs::INTEGER_MAX;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{CedarRequest, Observed, Place, Principal, RequestContext, Resource, TOOLS, Url};

/// What is escaped in JSON, what must not be, and what sorts differently as UTF-16.
const AWKWARD: &[char] = &[
    '\0',
    '\u{8}',
    '\t',
    '\n',
    '\u{b}',
    '\u{c}',
    '\r',
    '\u{1f}',
    '"',
    '\\',
    '/',
    '\u{7f}',
    '\u{e9}',
    '\u{2028}',
    '\u{feff}',
    '\u{fb33}',
    '\u{1f602}',
    '\u{10ffff}',
];

pub(crate) fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![select(AWKWARD), any::<char>(), prop::char::range('a', 'z')];
    vec(character, 0..10).prop_map(String::from_iter)
}

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..3_u64, 0..=INTEGER_MAX, Just(INTEGER_MAX)]
}

fn place() -> impl Strategy<Value = Place> {
    use Place::{Inside, None, Outside, Own, Secret, Unknown};
    select(&[Inside, Outside, Secret, Own, Unknown, None][..])
}

fn url() -> impl Strategy<Value = Url> {
    let text = r"https?://([a-z]{1,5}\.){0,2}[a-z]{1,5}(:[1-9][0-9]{0,3})?(/[a-z*%20]{0,3}){0,3}(\?[a-z=&/.]{0,6})?";
    text.prop_filter_map("an address of the one form", |text| Url::parse(&text).ok())
}

pub(crate) fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        (text(), text(), text()).prop_map(|(path, relative, name)| Resource::File { path, relative, name }),
        (text(), text()).prop_map(|(id, command)| Resource::Command { id, command }),
        (text(), text()).prop_map(|(id, name)| Resource::AgentType { id, name }),
        Just(Resource::Advisor),
        url().prop_map(Resource::Url),
        text().prop_map(|id| Resource::Tool { id }),
    ]
}

/// A tool's name, `other`, or something that is no action at all.
fn action() -> impl Strategy<Value = String> {
    let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).chain(["other", "change"]).collect();
    prop_oneof![9 => select(names).prop_map(str::to_owned), 1 => text()]
}

fn context() -> impl Strategy<Value = RequestContext> {
    let words = (vec(text(), 0..4), text(), text(), text());
    let numbers = (number(), number(), any::<bool>(), place());
    (words, numbers).prop_map(|(words, numbers)| {
        let ((effects, mode, real_path, workspace), (calls_left, time_ms, advised, place)) = (words, numbers);
        RequestContext {
            advised,
            calls_left,
            effects,
            mode,
            observed: Observed { place, real_path },
            time_ms,
            workspace,
        }
    })
}

pub(crate) fn request() -> impl Strategy<Value = CedarRequest> {
    let principal = (number(), text(), text(), any::<bool>()).prop_map(|(depth_left, id, name, root)| Principal {
        depth_left,
        id,
        name,
        root,
    });
    (action(), context(), principal, resource()).prop_map(|(action, context, principal, resource)| CedarRequest {
        action,
        context,
        principal,
        resource,
    })
}
