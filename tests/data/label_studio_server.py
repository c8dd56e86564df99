"""Run by a Python that has Label Studio: imports exports into projects of a server of its own, and tells what
it made of them, as JSON in the file named by the first argument; the others are the exports' folders.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from label_studio_client import open_client

SERVED = "/data/local-files/"
told, *folders = map(Path, sys.argv[1:])
client = open_client(told.parent / "label-studio", LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED="true")
answers = {}
for folder in folders:
    config = (folder / "label_config.xml").read_text()
    project = client.post("/api/projects/", {"title": folder.name, "label_config": config}, format="json")
    number = project.json().get("id")
    tables = [json.loads(path.read_text()) for path in sorted(folder.glob("tasks-*.json"))]
    settings.LOCAL_FILES_DOCUMENT_ROOT = str(folder)  # as its variable has it from the start
    storage = {"project": number, "path": str(folder / "media"), "title": "media"}
    if (folder / "media").is_dir():
        assert client.post("/api/storages/localfiles", storage, format="json").status_code == 201
    addresses = [v for table in tables for task in table for v in task["data"].values() if SERVED in str(v)]
    served = [sha256(b"".join(client.get(address).streaming_content)).hexdigest() for address in addresses]
    taken = [client.post(f"/api/projects/{number}/import", table, format="json").json() for table in tables]
    back = client.get(f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true")
    whole = b"".join(back.streaming_content) if back.streaming else back.content
    answers[folder.name] = {"status": project.status_code, "taken": taken, "served": served}
    answers[folder.name]["back"] = json.loads(whole)
told.write_text(json.dumps(answers))
