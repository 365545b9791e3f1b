"""`csu camera probe`: what one camera sends, measured, and which norms it meets.

The JSON object: `ok` and `adapter`; when false `fault` and `detail`; else all of `streams.probe.ProbeReport`, and
`norms`, for each of `legal.norms` `code`, `concerns` (French), `required`, `measured` and `met` (null: unknown). The
exit status tells whether the camera could be measured: which norms bind it depends on its authorisation.
"""

import argparse
import asyncio
import getpass
import json
import os
import stat
import sys
from dataclasses import asdict
from pathlib import Path

HELP = "measure what a camera sends: codec, size, pictures per second, key frames, bit rate, clock"


class _WrongUseError(Exception):
    """The command was called wrongly; its text is for the person who called."""


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True)
    probe = acts.add_parser("probe", help="pull one camera for a few seconds and report")
    probe.add_argument("url", help="rtsp://host[:port]/path, without user name or password")
    probe.add_argument("--username", help="asks for the password, unless --credentials is given")
    probe.add_argument("--credentials", type=Path, metavar="FILE", help="a file of mode 0600 with user:password")
    probe.add_argument("--adapter", choices=("native", "pyav"), default="native")
    probe.add_argument("--seconds", type=float, default=6.0, help="how long to measure (default 6)")
    probe.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    from legal.norms import ARTICLE, judge_stream
    from streams.errors import CameraError
    from streams.probe import probe
    from streams.rtsp.messages import check_url
    from streams.source import SourceConfig

    try:
        check_url(args.url, ("rtsp", "rtsps"))
        if not 0.1 <= args.seconds <= 3600:
            raise _WrongUseError("--seconds must lie between 0.1 and 3600")
        username, password = _credentials(args.username, args.credentials)
    except (ValueError, _WrongUseError) as error:
        print(f"csu camera probe: {error}", file=sys.stderr)
        return 2
    config = SourceConfig(args.url, username, password, args.adapter)
    try:
        report = asyncio.run(probe(config, args.seconds))
        findings = judge_stream(report.width, report.height, report.real_fps)
        facts: dict[str, object] = {"ok": True, **asdict(report)}
    except CameraError as error:
        findings = ()
        facts = {"ok": False, "fault": error.fault.value, "detail": error.detail}
    if args.json:
        norms = [
            {
                "code": finding.norm.code,
                "concerns": finding.norm.concerns,
                "required": finding.norm.required,
                "measured": finding.measured,
                "met": finding.met,
            }
            for finding in findings
        ]
        print(json.dumps({"adapter": args.adapter, **facts, **({"norms": norms} if findings else {})}))
    else:
        for name, value in facts.items():
            print(f"{name:16} {'unknown' if value is None else value}")
        if findings:
            print(f"\nNormes techniques ({ARTICLE}) :")
        for finding in findings:
            verdict = {True: "conforme", False: "NON CONFORME", None: "inconnu"}[finding.met]
            words = f"au moins {finding.norm.required} - {finding.norm.concerns} : {finding.measured}"
            print(f"{verdict:13} {words}")
    return 0 if facts["ok"] else 1


def _credentials(username: str | None, path: Path | None) -> tuple[str | None, str]:
    if path is not None:
        from_file, password = _read_credentials(path)
        if username not in (None, from_file):
            raise _WrongUseError("--username and the credentials file name different users")
        return from_file, password
    if username is None:
        return None, ""
    if not sys.stdin.isatty():
        raise _WrongUseError("no terminal to ask for the password: use --credentials FILE")
    return username, getpass.getpass(f"Password of {username}: ")


def _read_credentials(path: Path) -> tuple[str, str]:
    """One line `user:password`, in a file that nobody else can read."""
    try:
        with path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o077:
                raise _WrongUseError(f"{path} must be a file of mode 0600: others can read it")
            username, colon, password = file.readline(4096).rstrip("\r\n").partition(":")
    except (OSError, UnicodeDecodeError) as error:
        raise _WrongUseError(f"cannot read {path}: {type(error).__name__}") from None
    if not colon or not username:
        raise _WrongUseError(f"{path} must hold one line user:password")
    return username, password
