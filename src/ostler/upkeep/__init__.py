"""Keeping small what is stored: what is derived by itself, what is the user's when asked to."""
