"""Run by a Python that has Label Studio: imports exports into projects of a server of its own, and tells what
it made of them, as JSON in the file named by the first argument; the others are the exports' folders.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import django
import label_studio
from django.core.management import call_command

told, *folders = map(Path, sys.argv[1:])
os.environ["LABEL_STUDIO_BASE_DATA_DIR"] = str(told.parent / "label-studio")
os.environ |= {"DJANGO_SETTINGS_MODULE": "core.settings.label_studio", "DJANGO_DB": "sqlite"}
os.environ |= {"COLLECT_ANALYTICS": "0", "LATEST_VERSION_CHECK": "0"}

sys.path.insert(0, str(Path(label_studio.__file__).parent))
django.setup()
call_command("migrate", verbosity=0, interactive=False)
Organization = importlib.import_module("organizations.models").Organization
User = importlib.import_module("users.models").User
APIClient = importlib.import_module("rest_framework.test").APIClient

person = User.objects.create_user(email="ada@example.com", password="a pass phrase")
person.active_organization = Organization.create_organization(created_by=person, title="one")
person.save()
client = APIClient()
client.force_authenticate(person)
answers = {}
for folder in folders:
    config = (folder / "label_config.xml").read_text()
    project = client.post("/api/projects/", {"title": folder.name, "label_config": config}, format="json")
    number = project.json().get("id")
    tables = [json.loads(path.read_text()) for path in sorted(folder.glob("tasks-*.json"))]
    taken = [client.post(f"/api/projects/{number}/import", table, format="json").json() for table in tables]
    back = client.get(f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true")
    whole = b"".join(back.streaming_content) if back.streaming else back.content
    answers[folder.name] = {"status": project.status_code, "taken": taken, "back": json.loads(whole)}
told.write_text(json.dumps(answers))
