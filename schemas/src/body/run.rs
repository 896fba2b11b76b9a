//! Kinds 5 to 10: runs, model calls and advice.

use crate::code::codes;
use crate::digest::Digest;
use crate::field::{array_struct, map_struct};
use crate::list::Bytes;
use crate::number::{Count, Seq};
use crate::payload::PayloadRef;
use crate::text::{Did, Name};

array_struct! {
    /// What may be, or was, spent.
    Spend {
        calls: Count ["Model calls and allowed actions."];
        tokens_in: Count ["Tokens read by models."];
        tokens_out: Count ["Tokens written by models."];
        cost_micro_usd: Count ["Cost in millionths of a US dollar."];
    }
}

array_struct! {
    /// Tokens of one answer.
    Tokens {
        input: Count ["Read, not from a cache."];
        output: Count ["Written."];
        cache_write: Count ["Read and stored in a cache."];
        cache_read: Count ["Read from a cache."];
    }
}

codes! {
    /// How a run is attended.
    RunMode 7 {
        /// A person sits at the terminal.
        Interactive = 0 "interactive",
        /// Directs other agents.
        Coordinator = 1 "coordinator",
        /// Is directed.
        Worker = 2 "worker",
        /// Nobody is there: what would be asked is denied.
        Headless = 3 "headless",
    }
}

codes! {
    /// What is known of the host's clock.
    ClockState 3 {
        /// Nothing.
        Unknown = 0 "unknown",
        /// It is not synchronised.
        Unsynced = 1 "unsynced",
        /// By NTP.
        Ntp = 2 "ntp",
        /// By a time-stamping authority.
        Tsa = 3 "tsa",
    }
}

map_struct! {
    /// `run.started`
    RunStarted {
        1 run_id: Bytes<16> ["16 random bytes."];
        2 task: PayloadRef ["The task, as it was given."];
        3 asked_by: Option<Did> ["Who gave it, short form."];
        4 root_grant: Seq ["Introduction of the lead agent, which carries the root grant."];
        5 mode: RunMode ["How it is attended."];
        6 config: Digest ["Digest of the configuration, unsalted, to be compared between runs."];
        7 clock: ClockState ["What is known of the clock."];
    }
}

codes! {
    /// Why a run ended.
    RunEndReason 7 {
        /// The lead ended its task.
        Done = 0 "done",
        /// The task failed.
        Failed = 1 "failed",
        /// A budget was used up.
        HaltedBudget = 2 "halted-budget",
        /// Policy stopped it.
        HaltedPolicy = 3 "halted-policy",
        /// A person interrupted it.
        Interrupted = 4 "interrupted",
        /// Something outside failed: key, disk, network.
        Environment = 5 "environment",
        /// Our own bug.
        Bug = 6 "bug",
        /// Anything else.
        Other = 7 "other",
    }
}

map_struct! {
    /// `run.ended`
    RunEnded {
        1 run: Seq ["The run.started."];
        2 reason: RunEndReason ["Why."];
        3 result: Option<PayloadRef> ["What was delivered."];
        4 spend: Spend ["What the run used in all."];
    }
}

map_struct! {
    /// `model.called`: a reservation, entered before the call leaves.
    ModelCalled {
        1 provider: Name ["Provider, such as `scripted`."];
        2 model: Name ["Model, in the provider's name."];
        3 request: PayloadRef ["What was sent."];
        4 reserve: Spend ["The most it may use; counts until it is answered."];
        5 system_prompt: Digest ["Digest of the system prompt template, unsalted."];
        6 toolset: Digest ["Digest of the tools offered, unsalted."];
        7 price_table: Digest ["Digest of the price table, unsalted."];
    }
}

codes! {
    /// What became of a model call.
    AnswerOutcome 4 {
        /// It answered.
        Ok = 0 "ok",
        /// It failed.
        Error = 1 "error",
        /// It took too long.
        Timeout = 2 "timeout",
        /// It refused.
        Refused = 3 "refused",
        /// It was cancelled.
        Cancelled = 4 "cancelled",
    }
}

map_struct! {
    /// `model.answered`
    ModelAnswered {
        1 call: Seq ["The model.called."];
        2 outcome: AnswerOutcome ["What became of it."];
        3 response: Option<PayloadRef> ["The normalised answer."];
        4 tokens: Tokens ["Tokens used."];
        5 cost: Count ["Cost in micro-USD."];
    }
}

map_struct! {
    /// `advice.requested`
    AdviceRequested {
        1 advisor: Seq ["Introduction of the advisor."];
        2 question: PayloadRef ["The question and the context shown."];
    }
}

codes! {
    /// Whether advice can be read.
    AdviceForm 1 {
        /// The payload is the advice.
        Readable = 0 "readable",
        /// The payload is the digest of a ciphertext only the provider can read.
        Opaque = 1 "opaque",
    }
}

map_struct! {
    /// `advice.given`
    AdviceGiven {
        1 question: Seq ["The advice.requested."];
        2 answer: Seq ["The advisor's model.answered."];
        3 form: AdviceForm ["Whether it can be read."];
        4 content: PayloadRef ["The advice."];
    }
}
