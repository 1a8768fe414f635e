"""What a model is for: what goes in, what comes out, and when it is right."""

from workbench.plugin import Task
from workbench.tasks.audio_classification import AudioClassification
from workbench.tasks.image_classification import ImageClassification
from workbench.tasks.image_segmentation import ImageSegmentation
from workbench.tasks.speech_recognition import SpeechRecognition
from workbench.tasks.text_classification import TextClassification
from workbench.tasks.zero_shot_image_classification import ZeroShotImageClassification

TASKS: tuple[type[Task], ...] = (
    TextClassification,
    ImageClassification,
    ZeroShotImageClassification,
    ImageSegmentation,
    AudioClassification,
    SpeechRecognition,
)
