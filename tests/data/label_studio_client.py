"""For a Python that has Label Studio: a client of a server of its own, over SQLite, signed in as somebody."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any


def open_client(data: Path, **settings: str) -> Any:
    """The client.

    Args:
        data: an empty folder for what it keeps.
        settings: more of its variables, which it reads once.
    """
    os.environ |= {"LABEL_STUDIO_BASE_DATA_DIR": str(data), "DJANGO_DB": "sqlite"}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "core.settings.label_studio"}
    os.environ |= {"COLLECT_ANALYTICS": "0", "LATEST_VERSION_CHECK": "0", **settings}
    label_studio = importlib.import_module("label_studio")
    sys.path.insert(0, str(Path(str(label_studio.__file__)).parent))
    importlib.import_module("django").setup()
    importlib.import_module("django.core.management").call_command("migrate", verbosity=0, interactive=False)
    organization = importlib.import_module("organizations.models").Organization
    user = importlib.import_module("users.models").User
    person = user.objects.create_user(email="ada@example.com", password="a pass phrase")
    person.active_organization = organization.create_organization(created_by=person, title="one")
    person.save()
    client = importlib.import_module("rest_framework.test").APIClient()
    client.force_authenticate(person)
    return client
