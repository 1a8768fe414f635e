"""What a model is for: what goes in, what comes out, and when it is right."""

from workbench.tasks.image_classification import ImageClassification
from workbench.tasks.text_classification import TextClassification
from workbench.tasks.text_generation import TextGeneration

TASKS = (TextClassification, ImageClassification, TextGeneration)
