//! The server: its settings, its connections, and the way from a request to an answer.

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::conversation::Cue;
use super::fault::{Fault, Plan};
use super::http::{Flow, Reply, Request};
use super::problem::Problem;
use super::record::{Asked, Recorded};
use super::script::Script;
use super::sse::{Event, LineEnd, encode};
use super::wire::{Dialect, Ending, Performance, Usage, Wire, token};
use crate::support::Checked;
use crate::support::rng::Rng;

/// The models there are.
const MODELS: [&str; 3] = ["claude-test", "gpt-test", "local-model"];

/// What a server is to do.
pub(crate) struct Setup {
    script: Script,
    key: Option<String>,
    seed: u64,
    line_end: LineEnd,
    chunk_len_max: u64,
    plan: Plan,
}

impl Setup {
    /// A server without a key that plays `script` to a lead with this task, and makes no mistakes.
    pub(crate) fn new(script: &str, task: &str) -> Checked<Self> {
        Ok(Self {
            script: Script::parse(script, task)?,
            key: None,
            seed: 1,
            line_end: LineEnd::Lf,
            chunk_len_max: 4096,
            plan: Plan::none(),
        })
    }

    /// Demands this key.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Demands none.
    pub(crate) fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// Chooses pieces, chunks and places to cut by this seed.
    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sends chunks of 1 to this many bytes.
    pub(crate) fn chunks_up_to(mut self, len_max: u64) -> Self {
        self.chunk_len_max = len_max;
        self
    }

    /// Ends the lines of streams so.
    pub(crate) fn line_end(mut self, line_end: LineEnd) -> Self {
        self.line_end = line_end;
        self
    }

    /// Does this to the next requests, one after the other.
    pub(crate) fn faults(mut self, next: &[Option<Fault>]) -> Self {
        self.plan = Plan::new(next, None);
        self
    }

    /// Does this to every request.
    pub(crate) fn always(mut self, fault: Fault) -> Self {
        self.plan = Plan::new(&[], Some(fault));
        self
    }
}

/// A running server; it ends when it is dropped.
pub(crate) struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    setup: Setup,
    plan: Mutex<Plan>,
    requests: Mutex<Vec<Recorded>>,
    connections: Mutex<Vec<TcpStream>>,
    is_ending: AtomicBool,
}

impl Provider {
    /// Listens on a free port of loopback.
    pub(crate) fn start(mut setup: Setup) -> Checked<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let plan = std::mem::replace(&mut setup.plan, Plan::none());
        let shared = Arc::new(Shared {
            setup,
            plan: Mutex::new(plan),
            requests: Mutex::default(),
            connections: Mutex::default(),
            is_ending: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        Ok(Self {
            address,
            shared,
            acceptor: Some(thread::spawn(move || accept(&listener, &serving))),
        })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was asked so far, in order.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared.requests).clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        // Wakes the acceptor; where nobody listens any more it has ended already.
        let _ = TcpStream::connect(self.address);
        for connection in lock(&self.shared.connections).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.is_ending.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let shared = Arc::clone(shared);
        // It ends with its connection, which ends with the server.
        thread::spawn(move || shared.serve(connection));
    }
}

impl Shared {
    /// Answers the requests of one connection until either side closes it.
    fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        lock(&self.connections).push(connection.try_clone()?);
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(request) = Request::read(&mut reader)? {
            let (reply, mut rng) = self.answer(request);
            if !reply.send(&mut connection, &mut rng)? {
                break;
            }
        }
        connection.shutdown(Shutdown::Both)
    }

    fn answer(&self, request: Request) -> (Reply, Rng) {
        let mut requests = lock(&self.requests);
        let number = requests.len();
        let mut rng = Rng::seeded(self.setup.seed ^ ((number as u64) << 32));
        let request_id = format!("req_011{}", token(&format!("{} {number}", self.setup.seed), 21));
        let wire = wire_of(&request);
        let mut recorded = Recorded::new(request.clone());
        let reply = self.attempt(&request, wire, &mut recorded, &mut rng);
        let mut reply = reply.unwrap_or_else(|problem| {
            if recorded.fault.is_none() {
                recorded.problem = Some(problem.message.clone());
            }
            refusal(wire, &problem, &request_id)
        });
        reply.headers.push((wire.request_id_header(), request_id));
        recorded.status = reply.status;
        requests.push(recorded);
        (reply, rng)
    }

    fn attempt(&self, request: &Request, wire: Wire, recorded: &mut Recorded, rng: &mut Rng) -> Result<Reply, Problem> {
        wire.check_key(request, self.setup.key.as_deref())?;
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/models") => return Ok(whole(200, &models(wire))),
            ("POST", path) if Wire::at(path).is_some() => {}
            (method, path) => return Err(Problem::new(404, format!("Invalid URL ({method} {path})"))),
        }
        let body = parse(request)?;
        let conversation = wire.check(request, &body, self.dialect())?;
        let cue = conversation.cue(&self.setup.script, wire)?;
        let depth = conversation.said.len();
        recorded.asked = Some(Asked::new(
            &cue.agent,
            cue.turn,
            depth,
            &conversation.opening,
            wire,
            &request.body,
        ));
        recorded.fault = lock(&self.plan).take();
        if let Some(Fault::Status { status, retry_after }) = recorded.fault {
            return Err(Problem {
                retry_after,
                ..Problem::new(status, "Overloaded")
            });
        }
        let usage = usage(wire, request.body.len(), depth, &cue);
        let events = |rng: &mut Rng, ending, seed: &str| {
            let performance = Performance {
                seed: format!("{seed} {} {}", cue.agent, cue.turn),
                model: body["model"].as_str().unwrap_or_default(),
                body: &body,
                said: &cue.said,
                ending,
                usage,
                rng,
            };
            wire.perform(performance, self.dialect())
        };
        let (stream, flow, is_whole) = self.stage(wire, recorded.fault, rng, events);
        recorded.usage = is_whole.then_some(usage);
        Ok(Reply {
            status: 200,
            headers: vec![("content-type", "text/event-stream; charset=utf-8".to_owned())],
            body: stream,
            flow,
        })
    }

    /// Puts an answer on the wire, with what goes wrong. Last: whether the answer comes through.
    fn stage(
        &self,
        wire: Wire,
        fault: Option<Fault>,
        rng: &mut Rng,
        perform: impl Fn(&mut Rng, Ending, &str) -> Vec<Event>,
    ) -> (Vec<u8>, Flow, bool) {
        let ending = match fault {
            Some(Fault::Refusal) => Ending::Refused,
            Some(Fault::Length) => Ending::Cut,
            _ => Ending::Said,
        };
        let mut events = perform(rng, ending, "answer");
        let some_events = 2 + below(rng, events.len() - 3);
        match fault {
            Some(Fault::EndsEarly) => events.truncate(some_events),
            Some(Fault::ErrorEvent) => {
                events.truncate(some_events);
                events.push(wire.error_event(rng));
            }
            Some(Fault::DuplicateStart) => events.insert(1, events[0].clone()),
            Some(Fault::Splice) => {
                let mut other = perform(rng, Ending::Said, "another answer");
                other.truncate(some_events);
                events.splice(0..0, other);
            }
            _ => {}
        }
        let stream = encode(&events, self.setup.line_end, rng);
        let chunks = self.setup.chunk_len_max;
        // Not in the last part, where a client may have all it needs already.
        let at = 1 + below(rng, stream.len() * 3 / 4);
        match fault {
            Some(Fault::Cut) => (stream, Flow::CutAt(at, chunks), false),
            Some(Fault::Stall) => (stream, Flow::StallAt(at, chunks), false),
            Some(Fault::EndsEarly | Fault::ErrorEvent) => (stream, Flow::Chunks(chunks), false),
            _ => (stream, Flow::Chunks(chunks), true),
        }
    }

    fn dialect(&self) -> Dialect {
        match self.setup.key {
            Some(_) => Dialect::OpenAi,
            None => Dialect::Local,
        }
    }
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound.max(1) as u64)).unwrap_or(0)
}

/// The format a request is in; where its path says nothing, the one whose headers it has.
fn wire_of(request: &Request) -> Wire {
    let by_headers = || match request.header("anthropic-version") {
        Some(_) => Wire::Messages,
        None => Wire::Responses,
    };
    Wire::at(&request.path).unwrap_or_else(by_headers)
}

fn parse(request: &Request) -> Result<Value, Problem> {
    let kind = request.header("content-type").unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Problem::new(
            400,
            format!("content-type: {kind:?} is not application/json"),
        ));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Problem::new(400, format!("The request body is not valid JSON: {error}")))?;
    if body["stream"] != true {
        return Err(Problem::at("stream", "this server only streams"));
    }
    match body["model"].as_str() {
        Some(model) if !MODELS.contains(&model) => Err(Problem::new(404, format!("model: {model}"))),
        _ => Ok(body),
    }
}

fn models(wire: Wire) -> Value {
    match wire {
        Wire::Messages => {
            let model = |id: &str| json!({ "type": "model", "id": id, "display_name": id, "created_at": "2026-02-19T00:00:00Z" });
            json!({ "data": MODELS.map(model), "has_more": false, "first_id": MODELS[0], "last_id": MODELS[2] })
        }
        Wire::Responses | Wire::Chat => {
            let model = |id: &str| json!({ "id": id, "object": "model", "created": 1_790_000_000, "owned_by": "test" });
            json!({ "object": "list", "data": MODELS.map(model) })
        }
    }
}

/// Invented, but growing with what is said: half of what was asked before comes from the cache.
fn usage(wire: Wire, body_len_bytes: usize, depth: usize, cue: &Cue) -> Usage {
    let total = body_len_bytes as u64 / 4 + 1;
    let cache_read = if depth > 0 { total / 2 } else { 0 };
    let cache_write = match wire {
        Wire::Messages => (total - cache_read) / 2,
        Wire::Responses | Wire::Chat => 0,
    };
    let arguments = cue.said.calls.iter().map(|call| call.arguments.to_string().len());
    Usage {
        input: total - cache_read - cache_write,
        cache_write,
        cache_read,
        output: (cue.said.text.len() + arguments.sum::<usize>()) as u64 / 4 + 11,
    }
}

fn refusal(wire: Wire, problem: &Problem, request_id: &str) -> Reply {
    let mut reply = whole(problem.status, &wire.error_body(problem, request_id));
    let retry_after = problem.retry_after.map(str::to_owned);
    reply
        .headers
        .extend(retry_after.map(|seconds| ("retry-after", seconds)));
    reply
}

fn whole(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        flow: Flow::Whole,
    }
}
