"""Models and data in: found without their weights, fetched whole, checked by hash; and models out, whole or not at all.
Nothing here imports torch."""

from workbench.hub.client import RemoteFile, Token, endpoint
from workbench.hub.columns import Fields, find_columns, row_id
from workbench.hub.data import Data, DataInfo, fetch_data, find_data, read_rows
from workbench.hub.models import ModelInfo, ModelSummary, fetch_model, find_model, search_models
from workbench.hub.rows import Split, ids_sha256, load_rows, save_rows, select, split_calibration
from workbench.hub.starters import starter_folder, starter_models, starter_names
from workbench.hub.tasks import infer_task, task_by_optimum, task_of_class

__all__ = [
    "Data",
    "DataInfo",
    "Fields",
    "ModelInfo",
    "ModelSummary",
    "RemoteFile",
    "Split",
    "Token",
    "endpoint",
    "fetch_data",
    "fetch_model",
    "find_columns",
    "find_data",
    "find_model",
    "ids_sha256",
    "infer_task",
    "load_rows",
    "read_rows",
    "row_id",
    "save_rows",
    "search_models",
    "select",
    "split_calibration",
    "starter_folder",
    "starter_models",
    "starter_names",
    "task_by_optimum",
    "task_of_class",
]
