"""The machines, the neighbours around them, and their apps; what is not about machines comes from the black-box suite."""

from pathlib import Path

__path__.append(str(Path(__file__).resolve().parents[2] / "IntegrationTests" / "harness"))
