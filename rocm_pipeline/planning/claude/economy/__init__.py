"""What Claude cost per accepted kernel, and what it would have cost to do without the agents."""
