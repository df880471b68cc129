"""Foreign text in prompts: made visible, and set apart from instructions."""
