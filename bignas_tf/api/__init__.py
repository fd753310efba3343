"""What a user calls, from a notebook or a command: runs, searches, exports and reports.

The package `bignas_tf` offers the names of this room and imports each when it is first used.
"""
