"""`csu recorder`: record the cameras that the orders name, until SIGTERM or Ctrl-C."""

import argparse
import os
import sys

from csu.commands import places

HELP = "record the cameras under orders"


def configure(parser: argparse.ArgumentParser) -> None:
    places.add_arguments(parser)
    parser.add_argument(
        "--allow-uid",
        type=int,
        action="append",
        default=[],
        metavar="UID",
        help="a user besides our own that may use the sockets (gateway, control plane); may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    import asyncio
    import resource

    import uvloop

    from csu.keys import KeyFileError, load_public
    from csu.settings import SettingsError
    from recorder.control import Control
    from recorder.main import Recorder, RecorderConfig

    os.umask(0o027)
    # Followers must not use up the descriptors that the recording needs.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        paths, storage = places.find(args)
    except SettingsError as error:
        print(f"csu recorder: {error}", file=sys.stderr)
        return 2
    try:
        keys = load_public(paths.keys, "orders")
    except KeyFileError as error:
        print(f"csu recorder: {error}", file=sys.stderr)
        return 1
    config = RecorderConfig(
        storage=paths.storage(storage),
        state=paths.recorder,
        control_socket=paths.recorder_socket,
        packets_socket=paths.packets_socket,
        order_keys=keys,
        allowed_uids=frozenset(args.allow_uid),
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            recorder = Recorder(config)
            runner.run(recorder.run(Control(recorder).answer))
    except BlockingIOError:
        print(f"csu recorder: another recorder runs on {paths.data}", file=sys.stderr)
        return 1
    return 0
