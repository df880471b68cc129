"""Claude as coordinator: what is asked of it, how it is paid for, and what is done without it."""
