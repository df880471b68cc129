"""What runs in the sandbox on behalf of a bundle."""
