//! Keys, DIDs, credentials and grants: who may speak, and with what authority.
