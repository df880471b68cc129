"""What runs inside the sandbox, together with the operator that nobody trusts."""
