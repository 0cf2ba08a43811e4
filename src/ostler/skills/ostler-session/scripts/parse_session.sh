#!/bin/sh
# Show how a session went whose messages come as JSON on standard input.
exec ostler inspect - "$@"
