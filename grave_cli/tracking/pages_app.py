"""MLflow's server with one page more, from which its other pages open in the view for trainings.

MLflow keeps the view in the storage of the browser, and begins with the one for language models and
an open assistant. `mlflow server --app-name gravecli` finds it by the entry point `mlflow.app`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

START = "trainings"
"""Path of the page; what follows after # is the place to go on to."""

# Source of the keys: `key:"mlflow.…",version:1` in the scripts of MLflow 3.17.
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>gravecli</title>
<script>
localStorage.setItem("mlflow.workflowType_v1", JSON.stringify("machine_learning"));
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", JSON.stringify(true));
location.replace("/" + location.hash);
</script>
"""


def create_app() -> "FastAPI":
    """Return MLflow's server with the page."""
    from mlflow.server import app as pages
    from mlflow.server import fastapi_app

    pages.add_url_rule(f"/{START}", view_func=lambda: _PAGE, endpoint=START)
    server: FastAPI = fastapi_app.app  # it serves `pages`
    return server
