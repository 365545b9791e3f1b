"""`csu camera probe`: what one camera sends, measured, and which norms it meets.

The JSON object: `ok` and `adapter`; when false `fault` and `detail`; else all of `streams.probe.ProbeReport`, with
`real_fps` and `keeps_declared`, and what the stream meets and misses of `legal.norms` (`met` null: unknown): `norms`,
each with `code`, `concerns` (French), `required`, `measured` and `met`; `uses`, with `code`, `name` (French) and `met`.
Where the certificate is not trusted, `certificate` is the SHA-256 of the one that the camera shows (null: none now),
to be compared with what the camera's own page says, then given with `--certificate` and in the import document.
The exit status tells whether the camera could be measured: which norms bind it depends on its authorisation.
"""

import argparse
import asyncio
import getpass
import json
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legal.norms import Finding

HELP = "measure what a camera sends: codec, size, pictures per second, key frames, bit rate, clock"


class _WrongUseError(Exception):
    """The command was called wrongly; its text is for the person who called."""


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True)
    probe = acts.add_parser("probe", help="pull one camera for a few seconds and report")
    probe.add_argument("url", help="rtsp://host[:port]/path, without user name or password")
    probe.add_argument("--username", help="asks for the password, unless --credentials is given")
    probe.add_argument("--credentials", type=Path, metavar="FILE", help="a file of mode 0600 with user:password")
    probe.add_argument("--certificate", metavar="SHA256", help="trust this one certificate over rtsps, and no other")
    probe.add_argument("--adapter", choices=("native", "pyav"), default="native")
    probe.add_argument("--seconds", type=float, default=6.0, help="how long to measure (default 6)")
    probe.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def run(args: argparse.Namespace) -> int:
    from legal.norms import judge_declared, judge_stream
    from streams.errors import CameraError
    from streams.probe import probe
    from streams.rtsp.messages import check_url
    from streams.rtsp.tls import read_fingerprint, shown_fingerprint
    from streams.source import SourceConfig

    try:
        check_url(args.url, ("rtsp", "rtsps"))
        if not 0.1 <= args.seconds <= 3600:
            raise _WrongUseError("--seconds must lie between 0.1 and 3600")
        username, password = _credentials(args.username, args.credentials)
        certificate = None if args.certificate is None else read_fingerprint(args.certificate)
    except (ValueError, _WrongUseError) as error:
        print(f"csu camera probe: {error}", file=sys.stderr)
        return 2
    config = SourceConfig(args.url, username, password, args.adapter, certificate)
    try:
        report = asyncio.run(probe(config, args.seconds))
        findings = judge_stream(report.width, report.height, report.real_fps)
        facts: dict[str, object] = {"ok": True, **asdict(report), "real_fps": report.real_fps}
        facts["keeps_declared"] = judge_declared(report.declared_fps, report.real_fps)
    except CameraError as error:
        findings = ()
        facts = {"ok": False, "fault": error.fault.value, "detail": error.detail}
        if "certificate" in error.detail:
            facts["certificate"] = shown_fingerprint(args.url)
    if args.json:
        print(json.dumps({"adapter": args.adapter, **facts, **_judged(findings)}))
    else:
        for name, value in facts.items():
            print(f"{name:16} {'unknown' if value is None else value}")
        _tell(findings)
    return 0 if facts["ok"] else 1


def _judged(findings: "Sequence[Finding]") -> dict[str, object]:
    from legal.norms import judge_uses

    if not findings:
        return {}
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
    uses = [{"code": use.code, "name": use.name, "met": met} for use, met in judge_uses(findings)]
    return {"norms": norms, "uses": uses}


def _tell(findings: "Sequence[Finding]") -> None:
    from legal.norms import ARTICLE, judge_uses

    if not findings:
        return
    verdicts = {True: "meets", False: "MISSES", None: "unknown"}
    print(f"\nTechnical norms ({ARTICLE}):")
    for finding in findings:
        words = f"at least {finding.norm.required} - {finding.norm.concerns}: {finding.measured}"
        print(f"{verdicts[finding.met]:13} {words}")
    print("\nWhat this stream is fit for:")
    for use, met in judge_uses(findings):
        print(f"{verdicts[met]:13} {use.name}")


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
