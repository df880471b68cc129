"""What runs in the sandbox: the standard library and the device's own driver, no more."""
