//! What an agent and its model have said to each other. It only ever grows at its end, so that a question begins with
//! the bytes of the question before, and what a provider has cached of that one is read again at a fraction of the price.

use countersign_schemas::number::Seq;

use crate::model::{Message, ModelRequest, System};
use crate::prompt::Prompt;
use crate::tool::ToolSpec;

/// Most tokens an answer may have.
pub(super) const OUTPUT_TOKENS_MAX: u64 = 16_384;

/// The instructions and messages of one agent.
pub(super) struct Conversation {
    prompt: Prompt,
    tools: Vec<&'static ToolSpec>,
    provider_advisor: Option<String>,
    messages: Vec<Message>,
    asked: Option<(Seq, usize)>,
}

impl Conversation {
    /// A conversation that begins with `task`. `tools` are offered in the order of their names.
    pub(super) fn new(prompt: Prompt, mut tools: Vec<&'static ToolSpec>, task: String) -> Self {
        tools.sort_unstable_by_key(|spec| spec.name);
        Self {
            prompt,
            tools,
            provider_advisor: None,
            messages: vec![Message::User { text: task }],
            asked: None,
        }
    }

    /// Lets the provider have its model consult `advisor` on its own side; our own tool for that is not offered then.
    pub(super) fn with_provider_advisor(mut self, advisor: Option<&str>) -> Self {
        self.provider_advisor = advisor.map(str::to_owned);
        if advisor.is_some() {
            self.tools.retain(|spec| spec.name != crate::tool::ADVISOR.name);
        }
        self
    }

    /// The next question, in the name of `agent`.
    pub(super) fn request<'a>(&'a self, agent: &'a str) -> ModelRequest<'a> {
        ModelRequest {
            agent,
            system: System {
                text: self.prompt.text(),
                static_len_bytes: self.prompt.static_len_bytes(),
            },
            tools: &self.tools,
            messages: &self.messages,
            output_tokens_max: OUTPUT_TOKENS_MAX,
            provider_advisor: self.provider_advisor.as_deref(),
        }
    }

    /// The bytes that the `model.called` of the next question commits to: what has come since the one before.
    pub(super) fn payload(&self, agent: &str) -> Vec<u8> {
        self.request(agent).payload(self.asked, &self.prompt.to_json())
    }

    /// Notes that everything said so far was asked in entry `call`.
    pub(super) fn asked_in(&mut self, call: Seq) {
        self.asked = Some((call, self.messages.len()));
    }

    /// Adds a message at the end.
    pub(super) fn push(&mut self, message: Message) {
        self.messages.push(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{ADVISOR, LIST, READ};

    fn user(text: &str) -> Message {
        Message::User { text: text.to_owned() }
    }

    #[test]
    fn tools_are_offered_by_name_and_ours_gives_way_to_the_providers_advisor() {
        let conversation = Conversation::new(Prompt::advisor(), vec![&READ, &ADVISOR, &LIST], String::new());
        let names = |conversation: &Conversation| -> Vec<_> {
            conversation
                .request("lead")
                .tools
                .iter()
                .map(|spec| spec.name)
                .collect()
        };
        assert_eq!(names(&conversation), ["advisor", "list", "read"]);
        assert_eq!(names(&conversation.with_provider_advisor(Some("m"))), ["list", "read"]);
    }

    #[test]
    fn each_payload_goes_on_where_the_one_before_ended() {
        let mut conversation = Conversation::new(Prompt::advisor(), Vec::new(), "first".to_owned());
        let text = |conversation: &Conversation| String::from_utf8_lossy(&conversation.payload("lead")).into_owned();
        assert!(text(&conversation).contains("first"));
        conversation.asked_in(Seq::clamped(4));
        conversation.push(user("second"));
        assert!(text(&conversation).contains("second") && !text(&conversation).contains("first"));
        conversation.asked_in(Seq::clamped(9));
        assert!(text(&conversation).starts_with(r#"{"after":9,"messages":[]"#));
    }
}
