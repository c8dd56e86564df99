"""What a browser and a Space start: settings, page, launch.

python app.py [--share] [--workspace DIR] [--port N]
"""

import signal
import sys


def main() -> int:
    """Read the flags and serve; returns the exit status. Ctrl-C is quiet from the first import to the end."""
    try:
        from mmdemo.command_line.exit_status import exit_status

        status = exit_status(run)
    except KeyboardInterrupt:
        status = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python would tell it at its end
    return status


def run() -> None:
    """Serve what the flags say."""
    from mmdemo.command_line.parser import Parser, named_path
    from mmdemo.command_line.serve import serve_page
    from mmdemo.settings import load_settings

    parser = Parser(description="mmdemo in the browser.")
    parser.add_argument("--workspace", type=named_path, help="where labels are kept (MMDEMO_WORKSPACE)")
    parser.add_argument("--port", type=int, help="the port (GRADIO_SERVER_PORT)")
    parser.add_argument(
        "--share", action="store_true", default=None, help="a public link: whoever has it can look"
    )
    parser.add_argument("--passphrase", help="the owner's key (MMDEMO_PASSPHRASE)")
    flags = parser.parse_args()
    settings = load_settings(
        workspace=flags.workspace,
        server_port=flags.port,
        share=flags.share,
        passphrase=flags.passphrase,
    )
    serve_page(settings)


if __name__ == "__main__":
    sys.exit(main())
