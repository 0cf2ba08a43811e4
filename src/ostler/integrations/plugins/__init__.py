"""Plugins: code of the user's that takes part in the engine's work.

A plugin has hooks by the reference's names, each called with an input to read and an output to
change (OpenCode 1.18). ``plugin.py`` says what a plugin is, ``python.py`` loads those written in
Python, ``host.py`` runs those written for Node, ``hooks.py`` calls them all in order.
"""
