//! Models, tools, gate, sessions and the command line: what happens.
