"""MCP servers: ``servers`` holds a directory's, ``connection`` one of them, ``auth`` its sign-in.

The protocol is the official package's, which takes 0.4 s and 25 MB to import: that happens when the
first server is connected to.
"""
