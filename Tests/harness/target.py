"""Target states: the `local` object of the device state format v2."""

from __future__ import annotations

from typing import Any

APP = 1000001
OTHER = 1000002
#: An app that no target has.
UNKNOWN = 999
SERVICE = "main"


def commit(letter: str) -> str:
    return letter * 40


def app(
    app_id: int = APP,
    image: str = "demo:1",
    release: str = "a",
    name: str = "demo",
    service: str = SERVICE,
    environment: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    config: dict[str, str] | None = None,
    running: bool = True,
    **compose: Any,
) -> dict[str, Any]:
    """One app with one service, as {"<appId>": …}."""
    definition: dict[str, Any] = {
        "name": name,
        "commit": commit(release),
        "releaseId": 100 + ord(release[0]),
        "services": {
            str(app_id % 1000): {
                "serviceName": service,
                "imageId": app_id % 1000,
                "image": image,
                "running": running,
                "environment": environment or {},
                "labels": labels or {},
                **compose,
            }
        },
        "volumes": {},
        "networks": {},
    }
    if config is not None:
        definition["config"] = config
    return {str(app_id): definition}


def state(*apps: dict[str, Any], config: dict[str, str] | None = None) -> dict[str, Any]:
    """A whole target state."""
    return {"name": "test-device", "config": config or {}, "apps": {key: one[key] for one in apps for key in one}}


def several(
    app_id: int,
    services: dict[str, dict[str, Any]],
    release: str = "a",
    name: str = "demo",
    networks: dict[str, Any] | None = None,
    volumes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One app with services by name, as {"<appId>": …}; a service's members go over what every service has.

    A service has the same id in every target of the app that names it at the same place.
    """
    definition: dict[str, Any] = {
        "name": name,
        "commit": commit(release),
        "releaseId": 100 + ord(release[0]),
        "services": {
            str(number): {
                "serviceName": service,
                "imageId": number,
                "image": "demo:1",
                "running": True,
                "environment": {},
                "labels": {},
                **members,
            }
            for number, (service, members) in enumerate(services.items(), 1)
        },
        "volumes": volumes or {},
        "networks": networks or {},
    }
    return {str(app_id): definition}
