//! Credentials, each issued once: making one takes two signatures, and thousands of histories ask for the same.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex, PoisonError};

use countersign_identity::credential::Claims;
use countersign_schemas::list::Doc;

use crate::support::cast::Who;
use crate::support::credentials;

static ISSUED: LazyLock<Mutex<HashMap<String, Doc>>> = LazyLock::new(Mutex::default);

/// The credential of `issuer` over these claims.
pub(super) fn issue<C: Claims + Debug>(claims: &C, issuer: Who) -> Doc {
    let mut issued = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = format!("{issuer:?} {claims:?}");
    issued
        .entry(key)
        .or_insert_with(|| credentials::issue(claims, issuer))
        .clone()
}
