"""Run by a Python that has Label Studio: imports the pictures of a folder by its local storage, over SQLite,
and prints how many tasks it made and how many seconds the import itself took, as JSON on the last line.

The arguments are an empty folder for its data, and the folder of the pictures; see `importing.py`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data"))

from label_studio_client import open_client

data, pictures = map(Path, sys.argv[1:])
served = {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(pictures.parent)}
client = open_client(data, **served)
config = (
    '<View><Image name="image" value="$image"/>'
    '<Choices name="c" toName="image"><Choice value="a"/></Choices></View>'
)
project = client.post("/api/projects/", {"title": "one", "label_config": config}, format="json").json()["id"]
storage = {"project": project, "path": str(pictures), "regex_filter": r".*\.jpg$", "use_blob_urls": True}
made = client.post("/api/storages/localfiles", storage, format="json").json()
begun = time.perf_counter()
answer = client.post(f"/api/storages/localfiles/{made['id']}/sync", {}, format="json")
spent = time.perf_counter() - begun
tasks = client.get(f"/api/projects/{project}/").json()["task_number"]
print(json.dumps({"status": answer.status_code, "tasks": tasks, "seconds": spent}))
