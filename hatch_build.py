"""The package's dependencies are the pins of requirements.txt, so that they are written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

TESTS = "# For the tests:"  # the line of requirements.txt below which the pins are the extra "test"


class Pins(MetadataHookInterface):
    """Reads them at every build."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put them into the metadata."""
        text = Path(self.root, "requirements.txt").read_text(encoding="utf-8")
        runtime, tests = (_pins(part) for part in text.split(TESTS))
        metadata["dependencies"] = runtime
        metadata["optional-dependencies"] = {"test": tests}


def _pins(lines: str) -> list[str]:
    without_reasons = (line.partition(" #")[0].strip() for line in lines.splitlines())
    return [pin for pin in without_reasons if pin and not pin.startswith("#")]
