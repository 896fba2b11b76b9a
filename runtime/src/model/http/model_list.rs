//! Which models a server has: `GET /models`, as OpenAI, Ollama, vLLM and llama.cpp all answer it.

use serde::Deserialize;

use super::endpoint::Endpoint;
use super::error::HttpError;

#[derive(Deserialize)]
struct List {
    /// Ollama without any model says `null`.
    data: Option<Vec<Served>>,
}

#[derive(Deserialize)]
struct Served {
    id: String,
}

/// The names of the models that `endpoint` serves, in its order. It is asked once.
///
/// # Errors
/// [`HttpError`]; [`HttpError::Malformed`] when the answer is no list.
pub async fn served_models(endpoint: &Endpoint) -> Result<Vec<String>, HttpError> {
    let list: List = serde_json::from_slice(&endpoint.get("/models").await?).map_err(|error| HttpError::Malformed {
        problem: format!("no list of models: {error}"),
    })?;
    Ok(list
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|served| served.id)
        .collect())
}
