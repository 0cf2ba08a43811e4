"""Ask a server one thing: ``python examples/simple_client.py "what is in this project?"``.

The server is the one of OPENCODE_API_URL, else http://127.0.0.1:4096 (``ostler serve``).
"""

import sys

from ostler.client import Client, ClientError


def main(question: str) -> int:
    with Client() as client:
        session = client.session.create(title="A question")
        answer = client.stream(session.id, question)
        for text in answer:
            print(text, end="", flush=True)
        print()
        error = answer.answer.info.error
        return 1 if error else 0


if __name__ == "__main__":
    try:
        sys.exit(main(" ".join(sys.argv[1:]) or "say hello"))
    except ClientError as e:
        sys.exit(f"Error: {e}")
