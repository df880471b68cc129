"""Evidence that travels: a folder about one kernel, and what another machine finds in it."""
