"""The Agent Client Protocol: editors drive the engine over standard input and output.

``rpc`` carries JSON-RPC, ``agent`` answers the methods, ``updates`` and ``content`` translate
between its words and ours. The official package is the oracle of the tests; at run time it would
cost a second and 40 MB for what is a page of code. Protocol version 1.
"""
