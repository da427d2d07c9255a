"""The machines, the neighbours around them, and their apps. What is not about machines is the black-box suite's."""

from pathlib import Path

__path__.append(str(Path(__file__).resolve().parents[2] / "IntegrationTests" / "harness"))
