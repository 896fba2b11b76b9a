"""A second reader of Countersign ledgers, written from schemas/*.md alone. README.md says what it does not do."""
