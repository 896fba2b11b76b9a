//! The law, replay and explanation: what can be proven afterwards.
