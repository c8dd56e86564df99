"""The command line: one verb for each thing that the page can do.

JSON on standard output and nothing else; progress and logs on standard error. Exit status 0: done; 2: the
input is wrong, said in one line; 1: a fault of mmdemo's.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmdemo import train_verb
from mmdemo.errors import MmdemoError, UserError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.settings import load_settings

Verb = Callable[[argparse.Namespace], Any]
TASK_HELP = "image-text, speech-text or video-text; of train and models also captioning"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        answer = options.run(options)
    except UserError as e:
        print(f"mmdemo: {e}", file=sys.stderr)
        return 2
    except MmdemoError as e:
        print(f"mmdemo: {e}", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer, ensure_ascii=False, indent=None if options.json else 2))
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--workspace", type=Path, help="the workspace folder (MMDEMO_WORKSPACE)")
    common.add_argument("--json", action="store_true", help="the JSON on one line")
    parser = argparse.ArgumentParser(prog="mmdemo", description="Align images, speech and video with text.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Verb, help: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, parents=[common], help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    def with_task(sub: argparse.ArgumentParser) -> argparse.ArgumentParser:
        sub.add_argument("--task", default="image-text", help=TASK_HELP)
        return sub

    sub = with_task(
        verb(
            "import", run_import, "Import a folder, a manifest, a class tree, COCO captions or datasets:NAME."
        )
    )
    sub.add_argument("path")
    sub.add_argument("--verdict", choices=[*LABEL_KINDS, "none"], default="none")
    sub = with_task(verb("align", run_align, "Score how well each text fits a file."))
    sub.add_argument("file", type=Path)
    sub.add_argument("text", nargs="+")
    sub = verb(
        "caption", run_caption, "Propose captions for a file, best first; of a recording, what is said."
    )
    sub.add_argument("file", type=Path)
    sub = verb(
        "transcribe", run_transcribe, "Write down what is said in a recording, with the time of each word."
    )
    sub.add_argument("file", type=Path)
    sub.add_argument("--format", choices=["json", "srt", "vtt", "txt", "textgrid"], default="json")
    sub = verb("moments", run_moments, "Find where in a video a text is shown or said.")
    sub.add_argument("video", type=Path)
    sub.add_argument("query")
    sub = with_task(verb("search", run_search, "Search the collection by words or by a file."))
    sub.add_argument("query")
    sub.add_argument("-k", type=int, default=10)
    sub.add_argument("--target", choices=["media", "text"], default="media", help="what to find")
    sub = with_task(
        verb("evaluate", run_evaluate, "Measure retrieval on labelled held-out pairs or on a manifest.")
    )
    sub.add_argument("--pairs", help="a manifest; default: the workspace's held-out matches")
    sub.add_argument("--split", help="only the manifest's rows of this split")
    sub.add_argument("--model", help="a version; default: the active one")
    sub = with_task(verb("train", run_train, "Fine-tune on the workspace's labels; promote what is better."))
    train_verb.add_arguments(sub)
    sub = with_task(
        verb("models", run_models, "List the versions; activate, compare, remove, export or push one; use.")
    )
    actions = ["activate", "compare", "export", "push", "remove", "use"]
    sub.add_argument("action", nargs="?", choices=actions)
    sub.add_argument("version", nargs="*", help="a version; of `use` a model, such as dual:HUB_ID_OR_FOLDER")
    sub.add_argument("--out", type=Path, help="of `export`: a new folder")
    sub.add_argument("--split", default="held-out", help="of `compare`: held-out, train or all")
    sub.add_argument("--to", help="of `push`: a repository of the Hub, as YOUR-NAME/MODEL")
    sub.add_argument("--public", action="store_true", help="of `push`: a new repository is public")
    sub = with_task(verb("export", run_export, "Export the labels with their files."))
    sub.add_argument("out", type=Path)
    sub.add_argument(
        "--format", default="jsonl", help="jsonl, csv, parquet, datasets, coco, label-studio or argilla"
    )
    sub = verb("backup", run_backup, "Write the whole workspace to one zip.")
    sub.add_argument("out", type=Path)
    sub = verb("restore", run_restore, "Unpack a backup into a new workspace.")
    sub.add_argument("archive", type=Path)
    verb("settings", run_settings, "Print the settings in force.")
    sub = verb("serve", run_serve, "Serve the page, as python app.py does.")
    sub.add_argument("--share", action="store_true", default=None, help="a public link")
    return parser


def _demo(options: argparse.Namespace, **flags: Any) -> Any:
    from mmdemo.demo import Demo

    return Demo(load_settings(workspace=options.workspace, **flags))


def run_import(options: argparse.Namespace) -> Any:
    """`import`."""

    def progress(done: int, total: int | None) -> None:
        print(f"\r{done} rows", end="", file=sys.stderr)

    report = _demo(options).import_data(options.path, options.task, options.verdict, progress)
    print(file=sys.stderr)
    return report.as_json()


def run_align(options: argparse.Namespace) -> Any:
    """`align`."""
    demo = _demo(options)
    task = demo.check_task(options.task)
    return demo.align(demo.keep(options.file, "command", task), options.text)


def run_caption(options: argparse.Namespace) -> Any:
    """`caption`."""
    demo = _demo(options)
    return demo.caption(demo.keep(options.file, "command", demo.task_of_file(options.file)))


def run_transcribe(options: argparse.Namespace) -> Any:
    """`transcribe`: JSON, or subtitles as they are."""
    from mmdemo.data.subtitles import transcript_as
    from mmdemo.hearing import SPEECH

    demo = _demo(options)
    heard = demo.transcribe(demo.keep(options.file, "command", SPEECH))
    if options.format == "json":
        return {name: heard[name] for name in ("model", "language", "text", "words", "segments", "note")}
    sys.stdout.write(transcript_as(options.format, heard))
    return None


def run_moments(options: argparse.Namespace) -> Any:
    """`moments`."""
    from mmdemo.watching import VIDEO

    demo = _demo(options)
    found = demo.moments(demo.keep(options.video, "command", VIDEO), options.query)
    return {name: found[name] for name in ("model", "moments", "curve")}


def run_search(options: argparse.Namespace) -> Any:
    """`search`: a query that names a file is a picture or a recording, any other is words."""
    from mmdemo.retrieval.embed import decode_file
    from mmdemo.retrieval.search import Query

    demo = _demo(options)
    task = demo.check_task(options.task)
    if options.k < 1:
        raise UserError(f"-k is {options.k}.", "Ask for at least one result.")
    demo.keeper_of(task).update()
    path = Path(options.query)
    if len(options.query) < 1000 and path.is_file():
        medium = decode_file(demo.models.aligner(task).towers.media, path)
        query = Query(medium=medium, k=options.k, target=options.target)
    else:
        query = Query(text=options.query, k=options.k, target=options.target)
    return demo.search(query, task).as_json()


def run_evaluate(options: argparse.Namespace) -> Any:
    """`evaluate`."""
    from mmdemo.evaluation.evaluate import evaluate_manifest, evaluate_workspace

    demo = _demo(options)
    task = demo.check_task(options.task)
    aligner = demo.models.aligner(task, options.model)
    if options.pairs:
        measured = evaluate_manifest(aligner, options.pairs, options.split)
    else:
        measured = evaluate_workspace(demo.ws, aligner)
    return {"task": task, "model": aligner.version, **measured.as_json()}


def run_train(options: argparse.Namespace) -> Any:
    """`train`."""
    return train_verb.train(_demo(options), options)


def run_models(options: argparse.Namespace) -> Any:
    """`models`, or with an action on one."""
    demo = _demo(options)
    if not options.action:
        return demo.versions(options.task)
    if not options.version:
        raise UserError("No version is named.", f"Write: models {options.action} NAME.")
    name = options.version[0]
    if options.action == "compare":
        return demo.compare_table(options.version, options.split)
    if options.action == "use":
        return demo.choose_model(options.task, name)
    if options.action == "export":
        if options.out is None:
            raise UserError("No folder is named.", "Write: models export VERSION --out FOLDER.")
        return demo.export_version(name, options.out)
    if options.action == "push":
        return demo.publish_version(name, options.to or "", private=not options.public)
    return demo.activate(name) if options.action == "activate" else demo.remove_version(name)


def run_export(options: argparse.Namespace) -> Any:
    """`export`."""
    return _demo(options).export(options.task, options.format, options.out).as_json()


def run_backup(options: argparse.Namespace) -> Any:
    """`backup`."""
    from mmdemo.store.backup import back_up

    path = back_up(_demo(options).ws, options.out)
    return {"path": str(path), "bytes": path.stat().st_size}


def run_restore(options: argparse.Namespace) -> Any:
    """`restore`."""
    from mmdemo.store.backup import restore

    settings = load_settings(workspace=options.workspace)
    restore(options.archive, settings.workspace)
    return {"workspace": str(settings.workspace)}


def run_settings(options: argparse.Namespace) -> Any:
    """`settings`."""
    return load_settings(workspace=options.workspace).as_json()


def run_serve(options: argparse.Namespace) -> Any:
    """`serve`."""
    from mmdemo.ui.shell import serve

    serve(load_settings(workspace=options.workspace, share=options.share))
    return None


if __name__ == "__main__":
    sys.exit(main())
