"""What a browser and a Space start: settings, page, launch.

python app.py [--share] [--workspace DIR] [--port N]
"""

import argparse
import sys
from pathlib import Path

from mmdemo.command_line import exit_status
from mmdemo.settings import load_settings
from mmdemo.ui.shell import serve


def main() -> int:
    """Read the flags and serve; returns the exit status."""
    parser = argparse.ArgumentParser(description="mmdemo in the browser.")
    parser.add_argument("--workspace", type=Path, help="where labels are kept (MMDEMO_WORKSPACE)")
    parser.add_argument("--port", type=int, help="the port (GRADIO_SERVER_PORT)")
    parser.add_argument(
        "--share", action="store_true", default=None, help="a public link; changes ask for a pass phrase"
    )
    parser.add_argument("--passphrase", help="asked for before anyone may label or train (MMDEMO_PASSPHRASE)")
    flags = parser.parse_args()

    def run() -> None:
        serve(
            load_settings(
                workspace=flags.workspace,
                server_port=flags.port,
                share=flags.share,
                passphrase=flags.passphrase,
            )
        )

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
