"""The harness: it trusts nobody and measures."""
