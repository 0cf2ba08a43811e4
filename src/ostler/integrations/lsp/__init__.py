"""Language servers: programs that know a language, spoken to by the Language Server Protocol.

``servers.LanguageServers`` is what the rest of Ostler uses. The modules below it are imported by
the first file that a server is for.
"""
