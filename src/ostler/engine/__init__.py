"""The agent loop and everything that hangs off it: turn, step, prompt, compaction, revert, …"""
