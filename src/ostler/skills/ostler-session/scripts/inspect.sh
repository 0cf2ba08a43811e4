#!/bin/sh
# Show how a session went: inspect.sh ses_… [--json] [--full] [--url URL]
exec ostler inspect "$@"
