//! Statements, chain, Merkle tree, checkpoints and store: what was said, in which order, unalterably.
