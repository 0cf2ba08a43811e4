"""Ostler: a coding-agent runtime and control plane, compatible with OpenCode."""

__version__ = "0.1.0"
