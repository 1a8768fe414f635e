"""What is said of a comparison, in several formats: each renderer turns report.json and its details into one text."""

from workbench.report.chart import Chart
from workbench.report.csv import Csv
from workbench.report.html import Html
from workbench.report.json import Json
from workbench.report.markdown import Markdown

RENDERERS = (Html, Markdown, Json, Csv, Chart)

__all__ = ["RENDERERS"]
