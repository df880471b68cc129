"""Keeps secrets out of everything that is written: known values by fingerprint, others by form."""
