//! Runnable scenarios with their scripted models and policies, embedded as data.
