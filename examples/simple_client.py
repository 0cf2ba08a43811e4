"""Ask a server one thing: ``python examples/simple_client.py "what is in this project?"``.

The server is the one of OPENCODE_API_URL, else http://127.0.0.1:4096 (``ostler serve``).
"""

import sys

from ostler.client import Client, ClientError


def main(question: str) -> int:
    with Client() as client:
        session = client.session.create(title="A question")
        with client.stream(session.id, question) as stream:
            for text in stream:
                print(text, end="", flush=True)
        print()
        if stream.answer.error is not None:
            print(f"The turn failed: {stream.answer.error}", file=sys.stderr)
            return 1
        return 0


if __name__ == "__main__":
    try:
        sys.exit(main(" ".join(sys.argv[1:]) or "say hello"))
    except ClientError as e:
        sys.exit(f"Error: {e}")
