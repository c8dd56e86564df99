"""Run by a Python that has Label Studio: imports the pictures of a folder by its local storage, over SQLite,
and prints how many tasks it made and how many seconds the import itself took, as JSON on the last line.

The arguments are an empty folder for its data, and the folder of the pictures; see `importing.py`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

data, pictures = map(Path, sys.argv[1:])
os.environ |= {
    "LABEL_STUDIO_BASE_DATA_DIR": str(data),
    "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
}
os.environ |= {"DJANGO_DB": "sqlite", "COLLECT_ANALYTICS": "0", "LATEST_VERSION_CHECK": "0"}
os.environ |= {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(pictures.parent)}

django = importlib.import_module("django")  # which reads them
label_studio = importlib.import_module("label_studio")

sys.path.insert(0, str(Path(label_studio.__file__).parent))
django.setup()
importlib.import_module("django.core.management").call_command("migrate", verbosity=0, interactive=False)
Organization = importlib.import_module("organizations.models").Organization
User = importlib.import_module("users.models").User
APIClient = importlib.import_module("rest_framework.test").APIClient

person = User.objects.create_user(email="ada@example.com", password="a pass phrase")
person.active_organization = Organization.create_organization(created_by=person, title="one")
person.save()
client = APIClient()
client.force_authenticate(person)
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
