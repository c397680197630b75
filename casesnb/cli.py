"""The command line: the public functions, and nothing of its own."""

from __future__ import annotations

import argparse
import datetime as dt
import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import casesnb as cn
from casesnb.sandbox.server import SandboxServer, serve
from casesnb.sandbox.server import add_arguments as add_sandbox_arguments
from casesnb.tables.arguments import nearest
from casesnb.wire.client import AWS_ERRORS, recording_of
from casesnb.wire.redact.redactor import Redactor
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``casesnb`` command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A log shows each line at once; what it cannot show is told by its escape.
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    parser = argparse.ArgumentParser(
        prog="casesnb",
        description="Read the audit history of Amazon Connect Cases.",
    )
    parser.add_argument("--version", action="version", version=cn.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="the main job on a simulated service")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        help="the folder to write (default: %(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="which simulated world")
    demo.set_defaults(run=_demo)
    explore = commands.add_parser("explore", help="the case explorer as a web page")
    whose = explore.add_mutually_exclusive_group()
    whose.add_argument(
        "--sandbox",
        type=int,
        nargs="?",
        const=0,
        metavar="SEED",
        help="a simulated service instead of AWS",
    )
    whose.add_argument(
        "--recordings", type=Path, help="a recording or an archive instead of AWS"
    )
    whose.add_argument("--endpoint-url", help="another service than AWS")
    explore.add_argument("--domain", default="", help="the domain to begin with")
    explore.add_argument(
        "--notes",
        type=Path,
        metavar="FILE",
        help="where notes are kept (default: beside --recordings, else nowhere)",
    )
    explore.add_argument("--port", type=int, default=8866, help="where to listen")
    explore.add_argument(
        "--no-browser", action="store_true", help="print the address, open nothing"
    )
    explore.set_defaults(run=_explore)
    sandbox = commands.add_parser("sandbox", help="a simulated service over HTTP")
    add_sandbox_arguments(sandbox)
    sandbox.set_defaults(run=_sandbox)
    report = commands.add_parser("report", help="a case or many as one HTML file")
    report.add_argument("domain_id", help="the domain")
    report.add_argument(
        "case_id", nargs="*", help="the cases; with --weekly all unless some are named"
    )
    report.add_argument(
        "--weekly",
        action="store_true",
        help="key figures of the last seven days and the seven before, no whole cases",
    )
    report.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        help="the file to write (default: %(default)s)",
    )
    report.add_argument("--title", help="the heading")
    report.add_argument("--notes", type=Path, metavar="FILE", help="notes to show")
    report.add_argument(
        "--sign", type=Path, metavar="KEY", help="an Ed25519 key in a PEM file"
    )
    report.add_argument(
        "--redact",
        action="store_true",
        help="tell pseudonyms, for people who may not know whose case it is",
    )
    _add_redaction(report, " (with --redact)")
    _add_where(report, "--from")
    report.set_defaults(run=_report)
    verify = commands.add_parser("verify", help="make a report again and compare")
    verify.add_argument("report", type=Path, help="a file that `report` wrote")
    verify.add_argument(
        "--signed-by",
        type=Path,
        metavar="KEY",
        help="the public key, in a PEM file, of whoever must have signed it",
    )
    _add_where(verify, "--against")
    verify.set_defaults(run=_verify)
    record = commands.add_parser(
        "record", help="keep a domain's lists and some cases, redacted, for notebooks"
    )
    record.add_argument("--domain", required=True, help="the domain, by its real id")
    record.add_argument(
        "--case", action="append", default=[], help="a case; give it again for more"
    )
    record.add_argument(
        "--out",
        type=Path,
        default=Path("recordings"),
        help="the folder to write, or to add to (default: %(default)s)",
    )
    _add_redaction(record)
    _add_where(record, "--from")
    record.set_defaults(run=_record)
    _add_archive(commands)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except BrokenPipeError:
        # As in `casesnb demo | head`. Python would try once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except cn.errors.ArchiveBusy as error:
        print(error, file=sys.stderr)
        return os.EX_TEMPFAIL
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (
        OSError,
        ValueError,
        ModuleNotFoundError,
        cn.CasesError,
        *AWS_ERRORS,
    ) as error:
        # What was asked for cannot be had: one line says why, none where in our code.
        print(error, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        return 2
    return status


def _demo(arguments: argparse.Namespace) -> int:
    from casesnb.view.plots.png import png

    world = cn.sandbox.World(seed=arguments.seed)
    client = cn.connect(world)
    domain_id, case_id = world.showcase
    domains = cn.load_domains(client)
    domain = domains.loc[domains["domain_id"] == domain_id, "name"].item()
    n_cases = len(cn.load_cases(client, domain_id))
    print("A simulated Amazon Connect Cases service answers, in this process.")
    print("No AWS account, no credentials, no network.\n")
    print(f"Domain  {domain} ({domain_id}), {n_cases} cases")
    print(f"Case    {case_id}\n")
    out: Path = arguments.out
    plan = cn.Archive(out / "domain.cases").plan(client, domain_id)
    print("To keep the whole domain in a file (`casesnb archive update`):")
    print(f"  {plan}\n")

    connect = cn.connect(world, service_name="connect")
    history = cn.load_history(client, domain_id, case_id)
    catalogue = cn.load_catalogue(
        client, domain_id, connect=connect, field_ids=history.changes["field_id"]
    )
    history = cn.with_names(history, catalogue)
    print(cn.story(history))

    pictures = {
        "changes.png": cn.plot_changes(history),
        "activity.png": cn.plot_activity(history),
    }
    for name, axes in pictures.items():
        with whole_file(out / name) as file:
            file.write(png(axes, dpi=144))
    cn.write_report(history, out / "report.html")

    print("\nWritten:")
    for name in (*pictures, "report.html"):
        print(f"  {(out / name).resolve()}")
    print("\nNext: open report.html in a browser, run `make lab` for the notebooks, or")
    print("read a case of your own domain (README, 'Your own domain'):")
    print("  client = cn.connect()")
    print("  history = cn.load_history(client, domain_id, case_id)")
    print("  cn.plot_changes(history)")
    return 0


def _sandbox(arguments: argparse.Namespace) -> int:
    world = cn.sandbox.World(
        arguments.seed, domains=arguments.domains, cases=arguments.cases
    )
    server = SandboxServer(
        world,
        host=arguments.host,
        port=arguments.port,
        order=arguments.order,
        quotas=arguments.quotas,
        latency=arguments.latency,
        faults=arguments.fault,
    )
    serve(server)
    return 0


def _explore(arguments: argparse.Namespace) -> int:
    from casesnb.view.explorer.web import explorer_notebook, serve

    if arguments.sandbox is not None:
        asked = f"cn.sandbox.World(seed={arguments.sandbox})"
    elif arguments.recordings is not None:
        cn.connect(arguments.recordings)  # or say now that there is none
        asked = repr(str(arguments.recordings.resolve()))
    elif arguments.endpoint_url is not None:
        asked = f"endpoint_url={arguments.endpoint_url!r}"
    else:
        asked = ""
    notes = arguments.notes
    if notes is None and arguments.recordings is not None:
        notes = arguments.recordings.with_suffix(".notes.json")
    if notes is not None:
        cn.Notes(notes)  # or say now that it is none
        notes = str(notes.expanduser().resolve())
    notebook = explorer_notebook(asked, domain_id=arguments.domain, notes=notes)
    return serve(notebook, port=arguments.port, open_browser=not arguments.no_browser)


def _report(arguments: argparse.Namespace) -> int:
    notes: Any = ()
    if arguments.notes is not None:
        arguments.notes.open("rb").close()  # or say that there is none
        notes = cn.Notes(arguments.notes)
    where, domain_id = _where(arguments), arguments.domain_id
    case_ids = arguments.case_id
    if not case_ids and not arguments.weekly:
        raise ValueError(
            "No case is named. Name one or more, or give --weekly for all."
        )
    client = cn.connect(**where)
    redact: bool | cn.Redaction = False
    told = arguments.keep or arguments.shift_times or arguments.free_text != "drop"
    if told and not arguments.redact:  # the page would not be what they think
        raise ValueError("--keep, --free-text and --shift-times go with --redact.")
    if arguments.redact:
        redact = _redaction(arguments, client, domain_id)
    if not case_ids:
        case_ids = cn.load_cases(client, domain_id)["case_id"]
    history = cn.load_histories(client, domain_id, case_ids)
    catalogue = cn.load_catalogue(
        client,
        domain_id,
        connect=cn.connect(**where, service_name="connect"),
        field_ids=history.changes["field_id"],
    )
    if catalogue.unread:
        print(f"Without the names of {'; '.join(catalogue.unread)}.", file=sys.stderr)
    history = cn.with_names(history, catalogue)
    print(
        cn.write_report(
            history,
            arguments.out,
            title=arguments.title,
            full=False if arguments.weekly else None,
            notes=notes,
            sign=arguments.sign,
            redact=redact,
        )
    )
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    where = _where(arguments)
    arguments.report.open("rb").close()  # or say so before any credentials are asked
    found = cn.verify_report(
        arguments.report,
        cn.connect(**where),
        connect=cn.connect(**where, service_name="connect"),
        signed_by=arguments.signed_by,
    )
    print(found)
    return 1 if found.has_differences else 0


def _record(arguments: argparse.Namespace) -> int:
    where, domain_id = _where(arguments), arguments.domain
    redaction = _redaction(arguments, cn.connect(**where), domain_id)
    where |= {"record": arguments.out, "redact": redaction}
    client = cn.connect(**where)
    cn.load_domains(client)
    cn.load_cases(client, domain_id, limit=100)
    histories = [cn.load_history(client, domain_id, case) for case in arguments.case]
    named = {name for history in histories for name in history.changes["field_id"]}
    catalogue = cn.load_catalogue(
        client,
        domain_id,
        connect=cn.connect(**where, service_name="connect"),
        field_ids=sorted(named),
    )
    if catalogue.unread:
        print(f"Without the names of {'; '.join(catalogue.unread)}.", file=sys.stderr)
    try:
        for case_id in arguments.case:
            cn.load_case_fields(client, domain_id, case_id)
            cn.load_related_items(client, domain_id, case_id)
    except cn.errors.RecordingNotFound as error:  # an archive has none
        print(f"Without the cases' fields and related items: {error}", file=sys.stderr)
    recording = recording_of(client)
    recording.finish()
    n_answers = sum(1 for _ in recording.answers())
    print(f"{recording.path} holds {n_answers} answers, redacted. In a notebook:")
    redacted = Redactor(redaction).replace
    domain = redacted("identifier", domain_id)
    print(f"  client = cn.connect({str(arguments.out)!r})")
    for case_id in arguments.case:
        case = redacted("identifier", case_id)
        print(f"  history = cn.load_history(client, {domain!r}, {case!r})")
    return 0


def _add_redaction(parser: argparse.ArgumentParser, when: str = "") -> None:
    """Tell a parser what a policy of redaction may be told."""
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="FIELD",
        help=f"a field whose values stay beside the status, by id or name{when}",
    )
    parser.add_argument(
        "--free-text",
        choices=("drop", "words", "keep"),
        default="drop",
        help=f"what becomes of free text (default: %(default)s){when}",
    )
    parser.add_argument(
        "--shift-times",
        action="store_true",
        help=f"move all times back by a secret number of weeks{when}",
    )


def _redaction(
    arguments: argparse.Namespace, client: Any, domain_id: str
) -> cn.Redaction:
    """Return the policy that was told."""
    keep = ["status"]
    if arguments.keep:
        keep += _field_ids(arguments.keep, cn.load_fields(client, domain_id))
    return cn.Redaction(
        keep=keep,
        free_text=arguments.free_text,
        times="shift" if arguments.shift_times else "keep",
    )


def _field_ids(told: Sequence[str], fields: pd.DataFrame) -> list[str]:
    """Return the ids of fields that were told by id or name."""
    names, ids = [*fields["name"], *fields["field_id"]], []
    for asked in told:
        is_it = fields["field_id"] == asked
        if not is_it.any():
            is_it = fields["name"].str.casefold() == asked.casefold()
        found = fields.loc[is_it, "field_id"].tolist()
        if len(found) > 1:
            raise ValueError(
                f"Several fields are called {asked!r}: give --keep one of the ids "
                f"{', '.join(found)}."
            )
        if not found:
            raise ValueError(
                f"--keep: this domain has no field {asked!r:.80}. "
                f"{nearest(asked, names, names)}"
            )
        ids += found
    return ids


def _add_archive(commands: Any) -> None:
    """Tell a parser the commands for a domain that is kept in a file."""
    archive = commands.add_parser("archive", help="a whole domain, kept in one file")
    what = archive.add_subparsers(dest="what", required=True, metavar="COMMAND")
    helps = {
        "plan": (_archive_plan, "what an update would ask, and how long it takes"),
        "update": (_archive_update, "keep what is new"),
        "status": (_archive_status, "what the file holds, and since when"),
        "check": (_archive_check, "whether all is as it was kept"),
    }
    for name, (run, told) in helps.items():
        command = what.add_parser(name, help=told)
        command.add_argument("file", type=_place, help="such as retail.cases")
        command.set_defaults(run=run)
        if name in {"status", "check"}:
            continue
        command.add_argument("--domain", help="the domain; needed if there are several")
        command.add_argument(
            "--since",
            type=_moment,
            metavar="TIME",
            help="only cases changed from then on, such as 2026-11-01",
        )
        command.add_argument(
            "--full-pace", action="store_true", help="where nobody else asks AWS"
        )
        _add_where(command, "--from")
        if name == "update":
            command.add_argument(
                "--budget",
                type=int,
                metavar="CALLS",
                help="begin no case after so many",
            )
            command.add_argument(
                "--no-wait",
                action="store_true",
                help="end with status 75 while another process writes",
            )


def _archive_of(arguments: argparse.Namespace) -> tuple[Any, str, dict[str, Any]]:
    """Return who answers, the domain, and what both commands are told."""
    client = cn.connect(**_where(arguments))
    domain_id = arguments.domain
    if domain_id is None:
        ids = cn.load_domains(client)["domain_id"].tolist()
        if len(ids) != 1:
            raise ValueError(
                f"There are {len(ids)} domains. Give one: --domain {(ids or ['ID'])[0]}."
            )
        (domain_id,) = ids
    return client, domain_id, {"since": arguments.since}


def _archive_plan(arguments: argparse.Namespace) -> int:
    client, domain_id, how = _archive_of(arguments)
    pace: Any = "full" if arguments.full_pace else True
    print(cn.Archive(arguments.file).plan(client, domain_id, pace=pace, **how))
    return 0


def _archive_update(arguments: argparse.Namespace) -> int:
    client, domain_id, how = _archive_of(arguments)
    done = cn.Archive(arguments.file).update(
        client,
        domain_id,
        budget=arguments.budget,
        pace="full" if arguments.full_pace else None,
        wait=not arguments.no_wait,
        progress=True if sys.stderr.isatty() else _told_now_and_then(),
        **how,
    )
    print(done)
    for row in done.unloaded.itertuples():
        print(f"Not read: {row.case_id} ({row.error})", file=sys.stderr)
    return 0 if done.is_whole else 1


def _archive_status(arguments: argparse.Namespace) -> int:
    archive = cn.Archive(arguments.file)
    cases = archive.cases()
    size = arguments.file.stat().st_size
    n_deleted = int(cases["deleted_at"].notna().sum())
    print(f"{archive.path}: {size / 1e6:,.1f} MB from {archive.provenance['source']}")
    print(
        f"{len(cases):,} cases in {cases['n_captures'].sum():,} captures, {n_deleted:,} "
        "of them deleted since"
    )
    if len(cases):
        read = cases["captured_at"].agg(["min", "max"])
        print(
            f"read from {read['min']:%Y-%m-%d %H:%M} to {read['max']:%Y-%m-%d %H:%M} UTC"
        )
    return 0


def _archive_check(arguments: argparse.Namespace) -> int:
    found = cn.Archive(arguments.file).check()
    print(*found or ["All is as it was kept."], sep="\n")
    if found:
        print(f"{arguments.file} is damaged. Restore it from a copy.", file=sys.stderr)
    return 1 if found else 0


def _told_now_and_then() -> Callable[[int], None]:
    """Return what prints a line a minute, for a log."""
    told_at = time.monotonic()

    def tell(n: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= 60:
            told_at = time.monotonic()
            print(f"{n:,} cases", file=sys.stderr, flush=True)

    return tell


def _place(text: str) -> Path:
    """Return a path of the command line."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error} Give a path.") from error


def _moment(text: str) -> dt.datetime:
    """Return a time of the command line; UTC where no zone is named."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time. Give one such as 2026-11-01T08:00Z."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _add_where(parser: argparse.ArgumentParser, name: str) -> None:
    """Tell a parser how to name who answers."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        name,
        dest="where",
        default="live",
        metavar="WHERE",
        help="live, recordings, an archive, or sandbox:SEED (default: %(default)s)",
    )
    where.add_argument("--endpoint-url", help="another service than AWS")


def _where(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `cn.connect` takes for who is named on the command line."""
    where: str = arguments.where
    if arguments.endpoint_url is not None:
        return {"endpoint_url": arguments.endpoint_url}
    if where == "live":
        return {}
    if where.startswith("sandbox:"):
        seed = where.removeprefix("sandbox:")
        if not seed.isdecimal():
            raise ValueError(f"{where} names no world. Give a number: sandbox:7.")
        return {"source": cn.sandbox.World(seed=int(seed))}
    return {"source": where}


if __name__ == "__main__":
    sys.exit(main())
