"""What a model is for: what goes in, what comes out, and when it is right."""

from workbench.plugin import Task
from workbench.tasks.audio_classification import AudioClassification
from workbench.tasks.feature_extraction import FeatureExtraction
from workbench.tasks.fill_mask import FillMask
from workbench.tasks.image_classification import ImageClassification
from workbench.tasks.image_segmentation import ImageSegmentation
from workbench.tasks.question_answering import QuestionAnswering
from workbench.tasks.sentence_similarity import SentenceSimilarity
from workbench.tasks.speech_recognition import SpeechRecognition
from workbench.tasks.text2text_generation import Text2TextGeneration
from workbench.tasks.text_classification import TextClassification
from workbench.tasks.text_generation import TextGeneration
from workbench.tasks.token_classification import TokenClassification
from workbench.tasks.zero_shot_image_classification import ZeroShotImageClassification

TASKS: tuple[type[Task], ...] = (
    TextClassification,
    TokenClassification,
    QuestionAnswering,
    FillMask,
    FeatureExtraction,
    SentenceSimilarity,
    ImageClassification,
    ZeroShotImageClassification,
    ImageSegmentation,
    AudioClassification,
    SpeechRecognition,
    TextGeneration,
    Text2TextGeneration,
)
