"""Starts the server: on loopback only, in one process, until its stdin closes or it is told to end.

Prints one line on stdout, `READY <port>`, once it serves; all else that is printed goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: The only address that is ever listened on.
ADDRESS = "127.0.0.1"


def main() -> None:
    """Serves until stdin closes, SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The AWS emulator of the tests, on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--keep", action="store_true", help="do not end when stdin closes")
    asked = parser.parse_args()
    # Told apart before moto is imported, since moto reads the environment while it is.
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # moto would make its 1,300 images, each with a volume and a snapshot, anew in every account and region.
    os.environ["MOTO_AMIS_PATH"] = str(HERE / "images.json")
    told, sys.stdout = sys.stdout, sys.stderr
    if str(HERE.parent) not in sys.path:
        sys.path.insert(0, str(HERE.parent))
    # The folder of this file must not be searched: its modules are `overlay.*` and nothing else.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]

    # moto warns of error codes that the API models do not list; most of AWS's own are not.
    warnings.filterwarnings("ignore", category=UserWarning, module="moto")

    from overlay import declared, gateway

    try:
        declared.apply_all()
    except declared.Mismatch as error:
        sys.exit(f"error: {error}")

    from werkzeug.serving import make_server

    server = make_server(ADDRESS, asked.port, gateway.Gateway(), threaded=True, request_handler=gateway.Handler)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _end)
    if not asked.keep:
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    print(f"READY {server.server_port}", file=told, flush=True)
    server.serve_forever()


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    _end()


def _end(*_: Any) -> None:
    # Nothing is kept, and threads with open connections would only delay the end.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
